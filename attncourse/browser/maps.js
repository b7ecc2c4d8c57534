// Where the model looked: one table an attention, one row a head, one column a piece.

import { element, percent, scrolling, unseen, walkByArrows } from "./dom.js";

/** The attentions that a piece takes part in: name of the layers, title, what they look at. */
export function attentionsOf({ side, place }, { sourcePieces, writtenPieces, trace }) {
  if (side === "read") {
    const row = (name) => ({ keys: trace.read[name].keys, seen: trace.read[name].rows[place] });
    return [
      { part: "encoder.layers.#.attention", columns: sourcePieces, row,
        title: "The encoder’s self-attention, over the English sentence" },
    ];
  }
  const { looks } = trace.steps[place];
  const row = (name) => ({ keys: looks[name].keys, seen: looks[name].rows[0] });
  return [
    { part: "decoder.layers.#.cross_attention", columns: sourcePieces, row,
      title: "The decoder’s cross-attention, over the English sentence" },
    { part: "decoder.layers.#.self_attention", row,
      columns: ["<bos>", ...writtenPieces.slice(0, place)],
      title: "The decoder’s self-attention, over what was written before" },
  ];
}

/**
 * The table of one attention. `onWeight` is told which weight was pressed, `onHead` which head was
 * switched.
 */
export function drawMap({ part, title, columns, row }, model, { onWeight, onHead }) {
  const heads = [];
  for (let layer = 0; layer < model.num_layers; layer++) {
    const name = part.replace("#", layer);
    for (let head = 0; head < model.num_heads; head++) {
      heads.push(drawHead({ name, layer, head, columns, ...row(name) }, model, { onWeight, onHead }));
    }
  }
  const titles = columns.map((piece) => element("th", { scope: "col" }, element("span", {}, piece)));
  const table = element(
    "table", { class: "map", "aria-label": title },
    element("thead", {}, element("tr", {}, element("th", { scope: "col" }, "on"), ...titles)),
    element("tbody", {}, ...heads),
  );
  walkByArrows(table);
  return element("div", {}, element("p", {}, title), scrolling(title, table));
}

function drawHead({ name, layer, head, columns, keys, seen }, model, { onWeight, onHead }) {
  const key = `${name} ${head}`;
  const label = `layer ${layer + 1}, head ${head + 1}`;
  const off = model.silenced.has(key);
  const box = element("input", {
    type: "checkbox", id: `on ${key}`, "aria-label": `${label} is on`,
    change: ({ target }) => onHead(key, target.checked),
  });
  box.checked = !off;
  const cells = columns.map((piece, place) => {
    const weight = seen.weights[head][place];
    const pressed = () => onWeight({ name, layer, head, place, columns, keys, query: seen.query });
    const button = element(
      "button", { type: "button", style: `--weight: ${weight.toFixed(3)}`, click: pressed },
      String(percent(weight)), unseen(`% on ${piece}`),
    );
    return element("td", {}, button);
  });
  const title = element("th", { scope: "row" }, element("label", {}, box, ` ${layer + 1}.${head + 1}`));
  return element("tr", off ? { class: "off" } : {}, title, ...cells);
}
