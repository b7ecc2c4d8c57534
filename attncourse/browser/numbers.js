// One weight from its beginnings: query, key, their product, the root, the softmax.

import { element, scrolling, shown, unseen } from "./dom.js";
import { scaledScores, softmax } from "./transformer.js";

/** Explain the weight of one key, of all `keys`, under one query, in one head. */
export function drawNumbers({ layer, head, place, columns, keys, query, asks }, model) {
  const q = model.slice(query, head); // (head_dim)
  const ks = keys.map((key) => model.slice(key, head)); // (keys, head_dim)
  const scores = scaledScores(q, ks); // (keys)
  const powers = scores.map(Math.exp);
  const total = powers.reduce((sum, power) => sum + power, 0);
  const weights = softmax(scores);
  const root = Math.sqrt(q.length);
  const product = scores[place] * root;
  const step = (name, ...formula) => [element("dt", {}, name), element("dd", {}, ...formula)];
  return [
    element("p", {},
      `Layer ${layer + 1}, head ${head + 1}: ${asks} asks, and `,
      element("b", {}, columns[place]), " answers. Query and key are ",
      `${q.length} numbers each.`),
    element("dl", {},
      ...step("Product", `q · k = ${shown(product)}`),
      ...step(`Root of ${q.length}`, `${shown(product)} / ${shown(root)} = ${shown(scores[place])}`),
      ...step("Softmax", "e", element("sup", {}, shown(scores[place])), ` = ${shown(powers[place])}, and `,
        `${shown(powers[place])} / ${shown(total)} = `,
        element("b", {}, shown(weights[place])))),
    scrolling("The softmax over all pieces", numbersTable(
      "All pieces that were asked",
      ["piece", "q · k", `/ ${shown(root)}`, "e to that", "weight"],
      columns.map((piece, i) => [
        piece, shown(scores[i] * root), shown(scores[i]), shown(powers[i]), shown(weights[i]),
      ]),
      place,
    )),
    element("details", {},
      element("summary", {}, `The ${q.length} numbers of query and key`),
      scrolling("Query and key", numbersTable(
        `Their products sum to ${shown(product)}`,
        ["", "q", "k", "q times k"],
        [...q].map((entry, i) => [
          String(i + 1), shown(entry), shown(ks[place][i]), shown(entry * ks[place][i]),
        ]),
      ))),
  ];
}

function numbersTable(caption, titles, rows, marked = -1) {
  const head = titles.map((title) =>
    element("th", { scope: "col" }, title || unseen("feature")));
  const body = rows.map(([title, ...numbers], i) =>
    element("tr", i === marked ? { class: "marked" } : {},
      element("th", { scope: "row" }, title),
      ...numbers.map((number) => element("td", {}, number))));
  return element("table", { class: "numbers" },
    element("caption", {}, caption),
    element("thead", {}, element("tr", {}, ...head)),
    element("tbody", {}, ...body));
}
