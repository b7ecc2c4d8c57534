// The page of the translator: a form, and below it what the model wrote and how it came about.

import { drawMap, attentionsOf } from "./maps.js";
import { element, keepingFocus, unseen } from "./dom.js";
import { drawNumbers } from "./numbers.js";
import { drawTree } from "./tree.js";
import { pythonFor } from "./python.js";
import { beamSearch, greedy, retrace } from "./search.js";
import { EOS, UNK, joinWords, splitWords } from "./text.js";
import { download } from "./weights.js";

const LONGEST = 80; // pieces; the page would be slow with more, and captions have fewer

const home = document.getElementById("translator");
const at = (name) => home.querySelector(`[data-at="${name}"]`);
const [form, caption, status, progress] = ["form", "caption", "status", "progress"].map(at);

let translator = null; // what `download` gave
let current = 0; // the number of the last search; an older one stops
let shownNow = null; // the translation that is on the page
let chosen = { side: "written", place: 0 }; // the piece whose looks are shown
let wholeText = ""; // what was written with all heads, of the same caption

const say = (text) => (status.textContent = text);

async function fetchTranslator() {
  if (translator) return translator;
  progress.hidden = false;
  say("The model is on its way: 7 MB, once.");
  try {
    translator = await download(home.dataset, (share) => (progress.value = share));
    return translator;
  } catch (error) {
    throw new Error(
      `The download of the model stopped (${error.message}). ` +
        "What has arrived is kept: press Translate to go on.",
      { cause: error },
    );
  } finally {
    progress.hidden = true;
  }
}

/** Cut a text into numbers, or say in a line why it cannot be translated. */
function read(text, vocabulary) {
  const prepared = splitWords(text);
  const source = vocabulary.encode(prepared);
  const pieces = vocabulary.pieces(prepared);
  const known = pieces.filter((piece, i) => source[i] !== UNK && piece !== "▁");
  if (!source.length) throw new Error("There is nothing to translate yet: write a caption.");
  if (!known.length) {
    throw new Error("The model knows none of these signs. It reads English, in Latin letters.");
  }
  if (source.length > LONGEST) {
    throw new Error(
      `These are ${source.length} pieces, and this page takes ${LONGEST}. ` +
        "A caption is a sentence: cut the text in two.",
    );
  }
  return { text, prepared, source, pieces };
}

/** Translate what stands in the form, behind a prompt if there is one, and show it. */
async function translate({ prompt = [] } = {}) {
  const mine = ++current;
  const isCurrent = () => mine === current;
  try {
    const text = caption.value;
    if (!splitWords(text)) read(text, { encode: () => [], pieces: () => [] }); // nothing to fetch for
    const { model, vocabulary, search, maxLength } = await fetchTranslator();
    if (!isCurrent()) return;
    const reading = read(text, vocabulary);
    say("Searching ...");
    const pause = async () => {
      await new Promise((resolve) => setTimeout(resolve));
      if (!isCurrent()) throw new Error("stopped");
    };
    const beam = form.elements.search.value === "beam";
    const limit = Math.min(2 * reading.source.length + 10, maxLength - prompt.length);
    const options = { prompt, maxLength: limit, pause, ...search };
    await pause();
    const found =
      prompt.at(-1) === EOS
        ? { tokens: [], steps: [] }
        : await (beam ? beamSearch : greedy)(model, reading.source, options);
    const written = [...prompt, ...found.tokens];
    const trace = retrace(model, reading.source, written);
    shownNow = {
      ...reading, beam, prompt, written, trace, search, steps: found.steps, best: found.tokens,
      translation: joinWords(vocabulary.decode(written)),
      sourcePieces: reading.pieces,
      writtenPieces: written.map((id) => vocabulary.tokens[id]),
    };
    say("");
    show();
  } catch (error) {
    if (isCurrent()) say(error.message);
  }
}

/** Show the translation, and everything below it. */
function show() {
  const { model, vocabulary } = translator;
  const { text, prepared, source, sourcePieces, writtenPieces, prompt } = shownNow;
  const length = { read: sourcePieces.length, written: writtenPieces.length };
  if (chosen.place >= length[chosen.side]) chosen = { side: "written", place: 0 };
  if (!model.silenced.size && !prompt.length) wholeText = shownNow.translation;
  keepingFocus(() => {
    at("result").hidden = false;
    at("translation").textContent = shownNow.translation;
    at("notes").replaceChildren(...notes(vocabulary.unfamiliar(prepared), source, prepared));
    at("read").replaceChildren(...drawPieces("read", sourcePieces));
    at("written").replaceChildren(...drawPieces("written", writtenPieces));
    showLooks();
    const steps = shownNow.steps;
    at("tree-part").hidden = !steps.length;
    if (steps.length) at("tree").replaceChildren(...drawTree(steps, shownNow.best, vocabulary));
  });
  const { silenced, head_dim } = model;
  at("copied").textContent = "";
  at("python").textContent = pythonFor({ ...shownNow, silenced, head_dim });
  const query = new URLSearchParams({ caption: text });
  if (!shownNow.beam) query.set("search", "greedy");
  at("link").href = `?${query}`;
}

function notes(unfamiliar, source, prepared) {
  const found = [];
  const again = (label, click) => element("button", { type: "button", click }, label);
  if (source.includes(UNK)) {
    const { vocabulary } = translator;
    const signs = [...new Set(prepared)].filter((sign) => vocabulary.encode(sign).includes(UNK));
    found.push(element("p", {}, `Signs that the model does not know, read as <unk>: ${signs.join(" ")}`));
  }
  if (unfamiliar.length) {
    found.push(element("p", {},
      "Not among the words that the model learned, and read in pieces: ",
      element("b", {}, [...new Set(unfamiliar)].join(", ")),
      ". The more of them, the more the French is a guess, however fluent."));
  }
  const { prompt } = shownNow;
  const { silenced } = translator.model;
  if (prompt.length) {
    found.push(element("p", {}, "The first pieces were given by you. ",
      again("Let the model choose all", () => translate())));
  }
  if (silenced.size) {
    found.push(element("p", {}, `Heads that are off: ${silenced.size}. With all heads: `,
      element("b", { lang: "fr" }, wholeText), " ",
      again("Switch all heads on", () => {
        silenced.clear();
        translate({ prompt });
      })));
  }
  return found;
}

/** The pieces of a sentence as radio buttons: the chosen one's looks are shown. */
function drawPieces(side, pieces) {
  return pieces.map((piece, place) => {
    const button = element("input", {
      type: "radio", name: "piece", class: "unseen", id: `piece ${side} ${place}`,
      change: () => {
        chosen = { side, place };
        showLooks();
      },
    });
    button.checked = chosen.side === side && chosen.place === place;
    return element("label", {}, button, element("span", {}, piece));
  });
}

/** Show where the chosen piece looked, and what else might have been written in its place. */
function showLooks() {
  const { model } = translator;
  const { sourcePieces, writtenPieces, trace, written, prompt } = shownNow;
  const { side, place } = chosen;
  const piece = (side === "read" ? sourcePieces : writtenPieces)[place];
  at("asks").textContent =
    side === "read" ? `What “${piece}” looked at` : `Where the model looked to write “${piece}”`;
  at("numbers").replaceChildren();
  at("numbers-part").hidden = true;
  const asks = side === "read" ? `“${piece}”` : `the place where “${piece}” is written`;
  const onWeight = (weight) => {
    const pressed = document.activeElement;
    at("back").onclick = () => pressed.focus();
    at("numbers").replaceChildren(...drawNumbers({ ...weight, asks }, model));
    at("numbers-part").hidden = false;
    at("numbers-part").querySelector("h2").focus();
  };
  const onHead = (key, on) => {
    if (on) model.silenced.delete(key);
    else model.silenced.add(key);
    translate({ prompt });
  };
  const maps = attentionsOf(chosen, shownNow);
  at("maps").replaceChildren(...maps.map((map) => drawMap(map, model, { onWeight, onHead })));
  at("others-part").hidden = side === "read";
  if (side === "read") return;
  const others = trace.steps[place].likeliest.map(({ token, probability }) => {
    const label = translator.vocabulary.tokens[token];
    const isWritten = token === written[place];
    const button = element("button", {
      type: "button", disabled: isWritten,
      click: () => {
        translate({ prompt: [...written.slice(0, place), token] });
        document.getElementById(`piece written ${place}`)?.focus();
      },
    }, label, unseen(","), ` ${likelihood(probability)}`, unseen(isWritten ? ", written" : ""));
    return element("li", {}, button);
  });
  at("others").replaceChildren(...others);
}

function likelihood(probability) {
  if (probability < 0.001) return "<0.1%";
  return `${(100 * probability).toFixed(probability < 0.1 ? 1 : 0)}%`;
}

/** A page that may not write to the clipboard selects the lines instead. */
async function copy() {
  try {
    await navigator.clipboard.writeText(at("python").textContent);
    at("copied").textContent = "Copied.";
  } catch {
    getSelection().selectAllChildren(at("python"));
    at("copied").textContent = "Selected: press Ctrl-C to copy.";
  }
}

function start() {
  const asked = new URLSearchParams(location.search);
  if (asked.has("caption")) caption.value = asked.get("caption");
  if (asked.get("search") === "greedy") form.elements.search.value = "greedy";
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    chosen = { side: "written", place: 0 };
    translate();
  });
  caption.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    form.requestSubmit();
  });
  for (const button of home.querySelectorAll("[data-example]")) {
    button.addEventListener("click", () => {
      caption.value = button.textContent;
      form.requestSubmit();
    });
  }
  at("copy").addEventListener("click", copy);
  home.hidden = false;
}

start();
