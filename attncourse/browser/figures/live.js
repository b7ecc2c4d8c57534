// What the figures that answer share. Python draws a picture; a figure's module moves its parts.

/** Start each figure of a name, once, when it comes near the window. */
export function live(name, begin) {
  const near = new IntersectionObserver((hosts) => {
    for (const { isIntersecting, target } of hosts) {
      if (!isIntersecting) continue;
      near.unobserve(target);
      start(target, begin);
    }
  }, { rootMargin: "300px" });
  for (const host of document.querySelectorAll(`.live[data-name=${name}]:not([data-started])`)) {
    host.dataset.started = "";
    near.observe(host);
  }
}

/** Put the picture itself in the place of its image, with controls below, and numbers in words. */
function start(host, begin) {
  const image = host.querySelector("img");
  const picture = drawing(image);
  const part = (name) => picture.querySelector(`[data-at=${name}]`);
  const controls = element("div");
  const numbers = element("output", { "aria-live": "polite" });
  const labels = []; // each writes what its slider stands at

  /** Give a part of the picture other attributes, or another text. */
  const move = (name, { text, ...attributes }) => {
    for (const [key, value] of Object.entries(attributes)) part(name).setAttribute(key, value);
    if (text !== undefined) part(name).textContent = text;
  };

  /** Make a slider, which stands at its `valueAsNumber`; `words` says that to people. */
  const slider = (label, { words = String, ...range }) => {
    // Else JupyterLab takes the arrow keys.
    const input = element("input", { type: "range", "data-lm-suppress-shortcuts": "true", ...range });
    const value = element("b", { "aria-hidden": "true" });
    labels.push(() => {
      value.textContent = words(input.valueAsNumber);
      input.setAttribute("aria-valuetext", value.textContent);
    });
    const named = element("label");
    named.append(`${label} `, value, input);
    controls.append(named);
    return input;
  };

  /** Let a part be dragged; `follow` gets the pointer's place, `scrolls` what a finger still may. */
  const drag = (name, follow, scrolls = "none") => {
    const moved = (event) => {
      if (!event.buttons) return;
      const place = new DOMPoint(event.clientX, event.clientY);
      follow(place.matrixTransform(picture.getScreenCTM().inverse()));
      refresh();
    };
    const dragged = part(name);
    dragged.style = `cursor:grab;touch-action:${scrolls}`;
    dragged.onpointermove = moved;
    dragged.onpointerdown = (event) => {
      dragged.setPointerCapture(event.pointerId);
      moved(event);
    };
  };

  const data = JSON.parse(host.querySelector("[type='application/json']").textContent);
  const answer = begin({ data, move, slider, drag });
  const refresh = () => {
    for (const write of labels) write();
    numbers.textContent = answer();
  };
  controls.oninput = refresh;
  refresh();
  image.replaceWith(picture, controls, numbers);
}

function drawing(image) {
  const text = decodeURIComponent(image.src.slice(19)); // after "data:image/svg+xml,"
  const picture = new DOMParser().parseFromString(text, "image/svg+xml").documentElement;
  picture.removeAttribute("style"); // the white ground, which only an image needs
  picture.setAttribute("role", "img");
  picture.setAttribute("aria-label", image.alt);
  return picture;
}

function element(tag, attributes = {}) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  return made;
}
