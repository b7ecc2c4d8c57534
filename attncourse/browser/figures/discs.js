/** Discs with a centre and a radius, in one path. */
export const discs = (all) => all.map(([x, y, r]) => {
  const half = `a${r} ${r} 0 1 0`;
  return r > 1 ? `M${x - r} ${y}${half} ${2 * r} 0${half}-${2 * r} 0` : "";
}).join("");
