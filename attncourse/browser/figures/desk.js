// Chapter 01: a query of two numbers, how red and how light, that is turned and made longer.

import { live } from "./live.js";
import { softmax } from "./numbers.js";
import { discs } from "./discs.js";

live("desk", ({ data, move, slider, drag }) => {
  const { columns, side, unit, origin, things } = data;
  const keys = Array(data.patches).fill(data.bare);
  for (const [place, red, light] of data.others) keys[place] = [red, light];
  const turn = slider("Turn the query:", {
    min: 0, max: 360, step: 5, value: data.turn, words: (degrees) => `${degrees}°`,
  });
  const length = slider("Its length:", { min: 0, max: 4, step: 0.25, value: data.length });
  drag("plane", ({ x, y }) => {
    const [red, light] = [(x - origin[0]) / unit, (origin[1] - y) / unit];
    turn.value = ((Math.atan2(light, red) * 180) / Math.PI + 360) % 360;
    length.value = Math.hypot(red, light);
  });

  return () => {
    const angle = (turn.valueAsNumber * Math.PI) / 180;
    const red = length.valueAsNumber * Math.cos(angle);
    const light = length.valueAsNumber * Math.sin(angle);
    const weights = softmax(keys.map((key) => (red * key[0] + light * key[1]) / 10));

    const spots = weights.map((weight, place) => {
      const [x, y] = [place % columns, Math.floor(place / columns)].map((at) => side * (at + 0.5));
      return [x, y, data.spot * weight ** 0.5];
    });
    move("spots", { d: discs(spots) });
    const [x, y] = [origin[0] + unit * red, origin[1] - unit * light];
    move("query", { x2: x, y2: y });
    move("end", { cx: x, cy: y });
    const shares = Array(things.length).fill(0);
    for (const [place, , , ...covers] of data.others) {
      for (let i = 0; i < covers.length; i += 2) {
        shares[covers[i]] += (weights[place] * covers[i + 1]) / 256;
      }
    }
    const said = things.map((thing, number) => {
      const text = `${(100 * shares[number]).toFixed(0)}%`;
      move(`${thing}-bar`, { width: data.full * shares[number] });
      move(`${thing}-share`, { text });
      return `${thing} ${text}`;
    });
    const [reds, lights] = [red, light].map((number) => number.toFixed(1).replace("-", "−"));
    return `Query: red ${reds}, light ${lights}. Weight: ${said.join(", ")}.`;
  };
});
