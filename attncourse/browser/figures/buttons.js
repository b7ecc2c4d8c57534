/** Buttons side by side; `pressed` gets the number of the one that is. */
export function buttons(controls, options, pressed) {
  const row = document.createElement("div");
  row.style = "display:flex;flex-wrap:wrap;gap:8px;margin:8px 0";
  options.forEach((option, number) => {
    const button = Object.assign(document.createElement("button"), { type: "button" });
    button.textContent = option;
    button.style = "font:inherit;min-height:44px;padding:0 12px";
    button.dataset.lmSuppressShortcuts = "true";
    button.onclick = () => {
      pressed(number);
      controls.oninput();
    };
    row.append(button);
  });
  controls.append(row);
}
