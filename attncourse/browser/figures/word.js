// Chapter 06: a word asks, or any query of two numbers: scores, weights, and the mean of the values.

import { live } from "./live.js";
import { softmax } from "./numbers.js";
import { buttons } from "./buttons.js";
import { discs } from "./discs.js";
import { scale } from "./scale.js";

live("word", ({ data, controls, move, slider, drag }) => {
  const { words, query, key, value } = data;
  const [across, up, right, high] = data.scales.map(scale);
  buttons(controls, words.map((word) => `“${word}” asks`), (word) => {
    first.value = query[word][0];
    second.value = query[word][1];
  });
  const numbers = { min: -3, max: 3, step: 0.25, words: (number) => `${number}`.replace("-", "−") };
  const first = slider("Query, first number:", { ...numbers, value: query[data.asking][0] });
  const second = slider("Query, second number:", { ...numbers, value: query[data.asking][1] });
  const [low, top, left, end] = data.scales[0];
  drag("plane", ({ x, y }) => {
    first.value = low + ((x - left) * (top - low)) / (end - left);
    second.value = (up(0) - y) / (up(0) - up(1));
  });

  return () => {
    const [a, b] = [first.valueAsNumber, second.valueAsNumber];
    const scores = key.map((key) => (a * key[0] + b * key[1]) / 2 ** 0.5);
    const weights = softmax(scores);
    const mean = [0, 1].map((axis) =>
      weights.reduce((sum, weight, word) => sum + weight * value[word][axis], 0));
    move("query", { x2: across(a), y2: up(b) });
    move("tip", { cx: across(a), cy: up(b) });
    const [x, y] = [right(mean[0]), high(mean[1])];
    move("z", { cx: x, cy: y });
    move("name", { x: x - 18, y: y + 20 });
    move("discs", { d: discs(weights.map((weight, word) =>
      [right(value[word][0]), high(value[word][1]), data.disc * weight ** 0.5])) });
    const digits = (number) => number.toFixed(2).replace("-", "−");
    words.forEach((word, row) => {
      move(`score${row}`, { text: digits(scores[row]) });
      move(`weight${row}`, { text: digits(weights[row]) });
      move(`bar${row}`, { width: data.full * weights[row] });
    });
    const list = (numbers) => numbers.map(digits).join(", ");
    return `Query (${list([a, b])}): scores ${list(scores)}; weights ${list(weights)}; ` +
      `mean of the values (${list(mean)}).`;
  };
});
