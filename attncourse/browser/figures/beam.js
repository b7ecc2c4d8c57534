// Chapter 12: a beam over a tree of sentences. The reader chooses how much it keeps, and how long.

import { live } from "./live.js";

live("beam", ({ data, move, slider }) => {
  const nodes = [];
  for (const [word, parent, chance] of data.nodes) {
    const { words, total } = nodes[parent] ?? { words: [], total: 0 };
    nodes.push({ parent, words: [...words, word], total: total + Math.log(chance) });
  }
  const size = slider("Beginnings kept:", { min: 1, max: 3, value: 1 });
  const length = slider("Words written:", { min: 1, max: data.length, value: data.length });

  return () => {
    let beam = [-1]; // the places of what is kept; before the first word
    const [kept, seen] = [new Set(), new Set()];
    for (let step = 0; step < length.valueAsNumber; step++) {
      const next = [...nodes.keys()].filter((place) => beam.includes(nodes[place].parent));
      next.sort((a, b) => nodes[b].total - nodes[a].total);
      beam = next.slice(0, size.valueAsNumber);
      for (const place of next) seen.add(place);
      for (const place of beam) kept.add(place);
    }
    nodes.forEach((node, place) => {
      const look = kept.has(place) ? 0 : seen.has(place) ? 1 : 2;
      move(`node${place}`, {
        color: data.colours[look], "stroke-width": look ? 1 : 3, "font-weight": look ? "normal" : "bold",
      });
    });
    const told = beam.map((place) => {
      const { words, total } = nodes[place];
      return `${words.join(" ")} ${total.toFixed(2).replace("-", "−")}`;
    });
    return `Kept: ${told.join(", ")}. Compared: ${seen.size} of ${nodes.length} words.`;
  };
});
