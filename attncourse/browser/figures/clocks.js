// Chapter 08: the hands of two positions' codes, and by how much they differ.

import { live } from "./live.js";

live("clocks", ({ data, move, slider }) => {
  const { speeds, places, hand, arc } = data;
  const start = slider("Position:", { max: 100, value: data.start });
  const shift = slider("So many tokens further:", { max: 60, value: data.shift });

  return () => {
    const [first, further] = [start.valueAsNumber, shift.valueAsNumber];
    const tip = (clock, position, radius) => {
      const angle = speeds[clock] * position;
      const [x, y] = places[clock];
      return `${x + radius * Math.sin(angle)} ${y - radius * Math.cos(angle)}`;
    };
    const hands = (position) =>
      places.map((place, clock) => `M${place.join(" ")}L${tip(clock, position, hand)}`).join("");
    const arcs = speeds.map((speed, clock) => {
      const half = (speed * further) % (2 * Math.PI) > Math.PI ? 1 : 0;
      const [from, to] = [first, first + further].map((position) => tip(clock, position, arc));
      return `M${from}A${arc} ${arc} 0 ${half} 1 ${to}`;
    });
    move("first", { d: hands(first) });
    move("second", { d: hands(first + further) });
    move("arcs", { d: arcs.join("") });
    const turns = speeds.map((speed) => `${Math.round((speed * further * 180) / Math.PI)}°`);
    turns.forEach((text, clock) => move(`turn${clock}`, { text }));
    const similarity = speeds.reduce((sum, speed) => sum + Math.cos(speed * further), 0) / speeds.length;
    return `From ${first} to ${first + further} the hands turn by ${turns.join(", ")}. ` +
      `Their codes have the similarity ${similarity.toFixed(2).replace("-", "−")}.`;
  };
});
