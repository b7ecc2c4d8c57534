// Small helpers of the page. What a reader typed is set as text, and never read as markup.

/** An element with attributes and children; a function as an attribute listens to its event. */
export function element(tag, attributes = {}, ...children) {
  const made = tag.startsWith("svg:")
    ? document.createElementNS("http://www.w3.org/2000/svg", tag.slice(4))
    : document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") made.addEventListener(name, value);
    else if (value === true) made.setAttribute(name, "");
    else if (value !== false) made.setAttribute(name, value);
  }
  made.append(...children);
  return made;
}

/** For screen readers only. */
export const unseen = (text) => element("span", { class: "unseen" }, text);

/** A number as people write it: three digits behind the point, a minus of its own width. */
export const shown = (number, digits = 3) => number.toFixed(digits).replace("-", "−");

export const percent = (share) => (share >= 0.995 ? 100 : Math.round(100 * share));

/** A box that scrolls sideways by itself, by keyboard too. */
export const scrolling = (label, ...children) =>
  element("div", { class: "scrolling", role: "region", "aria-label": label, tabindex: 0 }, ...children);

/** Draw anew, and leave the focus where it was if the same thing is still there. */
export function keepingFocus(draw) {
  const { id } = document.activeElement ?? {};
  draw();
  if (id && document.activeElement?.id !== id) document.getElementById(id)?.focus();
}

/** Arrow keys walk through the buttons of a table; Tab enters it and leaves it. */
export function walkByArrows(table) {
  const grid = [...table.tBodies[0].rows].map((row) => [...row.querySelectorAll("td button")]);
  grid.flat().forEach((button, place) => (button.tabIndex = place ? -1 : 0));
  table.addEventListener("keydown", (event) => {
    const row = grid.findIndex((buttons) => buttons.includes(event.target));
    if (row < 0) return;
    const column = grid[row].indexOf(event.target);
    const [down, right] = {
      ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1],
      Home: [0, -column], End: [0, grid[row].length - 1 - column],
    }[event.key] ?? [];
    const next = grid[row + down]?.[column + right];
    if (down === undefined) return;
    event.preventDefault();
    if (!next) return;
    grid.flat().forEach((button) => (button.tabIndex = button === next ? 0 : -1));
    next.focus();
  });
}
