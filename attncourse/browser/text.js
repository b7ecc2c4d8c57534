// From a text to numbers and back, as `attncourse.data.vocabulary` does it (chapters 04 and 11):
//
//   "The dog's toy."                                 as people write
//   "the dog 's toy ."                               splitWords: words and marks, lower case
//   ["▁the", "▁dog", "▁", "'", "s", "▁toy", ...]     pieces: byte pairs
//   [91, 197, 75, ...]                               encode: their numbers
//
// Python's \w, \s and \b are spelt out, since those of JavaScript know fewer letters and spaces.

export const [PAD, BOS, EOS, UNK] = [0, 1, 2, 3]; // padding, begin, end, unknown

const LETTER = String.raw`[\p{L}\p{N}_]`;
const SPACE = String.raw`\s\x1c-\x1f\x85`;
const WORD = new RegExp(
  // l' and qu' keep their apostrophe, 's too; any other mark stands alone
  `(?<!${LETTER})(?:[cdjlmnst]|${LETTER}*qu)'(?=${LETTER})` +
    `|${LETTER}+(?:-${LETTER}+)*|'${LETTER}+|[^\\p{L}\\p{N}_${SPACE}]`,
  "gu",
);
const INVISIBLE = new RegExp(`(?![${SPACE}])[\\p{Cc}\\p{Cf}]|\\ufeff`, "gu");
const [CLOSING, OPENING] = [new Set(".,)]}…%"), new Set("([{")];
const MARK = "[\\p{P}!-\\/:-@\\[-`{-~]"; // punctuation, and the signs of ASCII
const STRETCH = new RegExp(`${MARK}|▁(?:(?!${MARK})[^▁])*|(?:(?!${MARK})[^▁])+`, "gu");

/** Set words and marks apart by single spaces, in lower case. */
export function splitWords(text) {
  const plain = text
    .replace(INVISIBLE, "")
    .replace(/\p{Cs}/gu, "\ufffd") // half a sign
    .normalize("NFC")
    .replace(/[’ʼ]/g, "'")
    .replace(/[‐\u2011]/g, "-");
  return (plain.toLowerCase().match(WORD) ?? []).join(" ").normalize("NFC");
}

/** Put words and marks together as French is written, with a capital at the beginning. */
export function joinWords(words) {
  let [text, glued, quoted] = ["", true, false]; // glued: the next word follows without a space
  for (const word of words) {
    if (word === '"') quoted = !quoted;
    const closes = word.startsWith("'") || CLOSING.has(word) || (word === '"' && !quoted);
    text += glued || closes ? word : ` ${word}`;
    glued = (word.endsWith("'") && word !== "'") || OPENING.has(word) || (word === '"' && quoted);
  }
  const [first = "", ...rest] = text;
  return first.toUpperCase() + rest.join("");
}

/** Parts of words and their numbers. A piece that begins a word begins with `▁`. */
export class BytePairs {
  /** @param {{tokens: string[], merges: [string, string][]}} vocabulary without the special tokens */
  constructor({ tokens, merges }) {
    this.tokens = ["<pad>", "<bos>", "<eos>", "<unk>", ...tokens];
    this.ids = new Map(tokens.map((token, place) => [token, place + 4]));
    this.rank = new Map(merges.map(([left, right], place) => [`${left} ${right}`, place]));
  }

  /** Cut words with spaces between into pieces; a sign that was never learned is `<unk>`. */
  pieces(sentence) {
    if (!sentence) return [];
    const text = sentence.replaceAll(" ", "▁");
    const marked = text.startsWith("▁") ? text : `▁${text}`;
    return marked.match(STRETCH).flatMap((stretch) => this.#joined(stretch));
  }

  encode(sentence) {
    return this.pieces(sentence).map((piece) => this.ids.get(piece) ?? UNK);
  }

  /** The words of some numbers, up to the end mark. */
  decode(ids) {
    const end = ids.indexOf(EOS);
    const shown = (end < 0 ? ids : ids.slice(0, end)).filter((id) => id !== PAD && id !== BOS);
    return shown.map((id) => this.tokens[id]).join("").split("▁").filter(Boolean);
  }

  /** The words, or parts of words, that are not held whole: where they are many, it is a guess. */
  unfamiliar(sentence) {
    const letters = new RegExp(`${LETTER}+`, "gu");
    const parts = (word) =>
      this.pieces(word).length > 1
        ? (word.match(letters) ?? [])
        : [word].filter((one) => one.match(letters));
    return sentence
      .split(" ")
      .filter((word) => word && !this.#holds(word))
      .flatMap((word) => parts(word).filter((part) => !this.#holds(part)));
  }

  #holds(word) {
    const ids = this.encode(word);
    return ids.length === 1 && ids[0] !== UNK;
  }

  /** Join neighbours, always the pair that was learned first, until none is left to join. */
  #joined(stretch) {
    const pieces = [...stretch].map((sign) => (this.ids.has(sign) ? sign : "<unk>"));
    for (;;) {
      let [best, place] = [Infinity, -1];
      for (let i = 0; i + 1 < pieces.length; i++) {
        const rank = this.rank.get(`${pieces[i]} ${pieces[i + 1]}`) ?? Infinity;
        if (rank < best) [best, place] = [rank, i];
      }
      if (place < 0) return pieces;
      pieces.splice(place, 2, pieces[place] + pieces[place + 1]);
    }
  }
}
