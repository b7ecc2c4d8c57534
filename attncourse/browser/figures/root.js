// Chapter 03: scores of ever wider vectors, divided by a power of the width.

import { live } from "./live.js";
import { softmax } from "./numbers.js";
import { scale } from "./scale.js";

live("root", ({ data, move, slider }) => {
  const { widths, scores, left, apart } = data;
  const up = scale(data.heights);
  const place = slider("Width d:", {
    max: widths.length - 1, value: data.place, words: (place) => `${widths[place]}`,
  });
  const power = slider("Scores divided by d to the power of", {
    max: 1, step: 0.125, value: data.power,
  });

  return () => {
    const width = widths[place.valueAsNumber];
    const divisor = width ** power.valueAsNumber;
    const weights = softmax(scores[place.valueAsNumber].map((score) => score / divisor));
    const across = (key) => left + apart * (key + 0.5);
    const bars = weights.map((weight, key) => `M${across(key)} ${up(0)}V${up(weight)}`);
    move("bars", { d: bars.join("") });
    const most = Math.max(...weights);
    move("most", { x: across(weights.indexOf(most)), y: up(most) - 6, text: most.toFixed(2) });
    return `With ${width} numbers, and scores divided by ${divisor.toFixed(1)}, ` +
      `the largest weight is ${most.toFixed(2)}.`;
  };
});
