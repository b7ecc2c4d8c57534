// The beam as a tree: a column a step, the likeliest beginning on top, a line to what it continues.

import { element, scrolling, shown } from "./dom.js";

const [ROW, LETTER_WIDTH, GAP] = [34, 8.5, 26]; // pixels

/** Draw the steps of a beam search, the sentence that won in bold, and a slider that grows it. */
export function drawTree(steps, best, vocabulary) {
  const name = (token) => vocabulary.tokens[token];
  const widest = (nodes) => Math.max(...nodes.map(({ token }) => name(token).length));
  const left = [10];
  for (const nodes of steps) left.push(left.at(-1) + LETTER_WIDTH * widest(nodes) + GAP);
  const height = ROW * Math.max(...steps.map((nodes) => nodes.length)) + 10;
  const isBest = ({ tokens }) => tokens.every((token, i) => token === best[i]);
  const columns = steps.map((nodes, step) =>
    element("svg:g", {}, ...nodes.flatMap((node, rank) => {
      const y = ROW * rank + 22;
      const marks = `${isBest(node) ? "best" : ""} ${node.finished ? "finished" : ""}`.trim();
      const word = element("svg:text", { x: left[step], y, class: marks }, name(node.token));
      if (!step) return [word];
      const parent = steps[step - 1][node.parent];
      const from = [
        left[step - 1] + LETTER_WIDTH * name(parent.token).length, ROW * node.parent + 17,
      ];
      const to = [left[step] - 4, y - 5];
      const path = `M${from} C${from[0] + 10},${from[1]} ${to[0] - 10},${to[1]} ${to}`;
      return [element("svg:path", { d: path, class: marks }), word];
    })));
  const label = `${steps.length} steps of beam search; the table below has the sentences that ended`;
  const picture = element(
    "svg:svg", { width: left.at(-1), height, role: "img", "aria-label": label }, ...columns,
  );
  const slider = element("input", {
    type: "range", min: 1, max: steps.length, value: steps.length, id: "beam-step",
    input: () => grow(Number(slider.value)),
  });
  const said = element("output", { for: "beam-step" });
  const grow = (count) => {
    columns.forEach((column, step) => (column.style.display = step < count ? "" : "none"));
    said.textContent = `${count} of ${steps.length}`;
  };
  grow(steps.length);
  return [
    element("p", {}, element("label", { for: "beam-step" }, "Steps "), slider, " ", said),
    scrolling("The beam as a tree", picture),
    scrolling("Sentences that ended", endedSentences(steps, best, vocabulary)),
  ];
}

function endedSentences(steps, best, vocabulary) {
  const ended = steps.flat().filter(({ finished }) => finished);
  ended.sort((a, b) => b.divided - a.divided);
  const titles = ["sentence", "log p", "log p / penalty"];
  return element("table", { class: "numbers" },
    element("caption", {}, "Sentences that ended, the best first"),
    element("thead", {}, element("tr", {}, ...titles.map((t) => element("th", { scope: "col" }, t)))),
    element("tbody", {}, ...ended.map(({ tokens, score, divided }) =>
      element("tr", tokens.join() === best.join() ? { class: "marked" } : {},
        element("th", { scope: "row", lang: "fr" }, vocabulary.decode(tokens).join(" ")),
        element("td", {}, shown(score, 2)),
        element("td", {}, shown(divided, 2))))));
}
