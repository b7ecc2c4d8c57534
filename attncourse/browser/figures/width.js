// Chapter 02: the width of a Gaussian kernel, and the hour that is asked about.

import { live } from "./live.js";
import { softmax } from "./numbers.js";
import { discs } from "./discs.js";
import { scale } from "./scale.js";

live("width", ({ data, move, slider, drag }) => {
  const { key, value, errors, hours, powers } = data;
  const [across, up, along, high] = [hours, data.levels, powers, data.heights].map(scale);
  const clock = (hour) => new Date(hour * 3_600_000).toISOString().slice(11, 16);
  const hour = slider("Hour asked about:", { max: 23.75, step: 0.25, value: data.hour, words: clock });
  const power = slider("Width:", {
    min: -5, max: 2, step: 0.25, value: data.power, words: (power) => `${(2 ** power).toFixed(2)} h`,
  });
  const back = scale([hours[2], hours[3], hours[0], hours[1]]);
  drag("plot", ({ x }) => (hour.value = back(x)), "pan-y");

  return () => {
    const width = 2 ** power.valueAsNumber;
    const weigh = (query) => softmax(key.map((key) => -(((query - key) / width) ** 2) / 2));
    const pool = (query) =>
      weigh(query).reduce((sum, weight, place) => sum + weight * value[place], 0);
    const query = hour.valueAsNumber;
    const [x, answer] = [across(query), pool(query)];
    const error = errors[(power.valueAsNumber + 5) * 4];

    let curve = "";
    for (let at = 0; at <= 24; at += 0.125) curve += `L${across(at)} ${up(pool(at))}`;
    move("curve", { d: curve.replace("L", "M") });
    const sizes = weigh(query).map((weight, place) =>
      [across(key[place]), up(value[place]), data.disc * weight ** 0.5]);
    move("weights", { d: discs(sizes) });
    move("hour", { x1: x, x2: x });
    move("answer", { cx: x, cy: up(answer) });
    move("error", { cx: along(power.valueAsNumber), cy: high(error) });
    const metres = answer.toFixed(2).replace("-", "−");
    return `At ${clock(query)} the estimate is ${metres} m. This width is off by ${error} cm.`;
  };
});
