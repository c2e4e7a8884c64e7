// Small helpers for the elements of a page, which has the dialog `question`.

export const find = (id) => document.getElementById(id);

/** Set a text only when it differs, so that a screen reader is not told the same thing again. */
export function say(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

export function show(element, shown) {
  if (element.hidden === shown) element.hidden = !shown;
}

/** The icon of a button, by the id of its symbol. */
export function setIcon(button, id) {
  const use = button.querySelector("use");
  if (use.getAttribute("href") !== id) use.setAttribute("href", id);
}

/** The filled part of a slider, from its value. */
export function fill(slider) {
  const part = (slider.value - slider.min) / (slider.max - slider.min || 1);
  slider.style.setProperty("--fill", `${(part * 100).toFixed(2)}%`);
}

/** What a slider is set to, in words. */
export function describe(slider, text) {
  if (slider.ariaValueText !== text) slider.ariaValueText = text;
}

/** An element with children; strings become text, never markup. */
export function make(tag, properties = {}, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}

/** A row of a list: a name, what is known about it, and what can be done with it. */
export function about(tag, name, detail, properties = {}) {
  const strong = make("strong", { dir: "auto" }, name);
  return make(tag, { className: "about", ...properties }, strong, ...(detail ? [make("small", { dir: "auto" }, detail)] : []));
}

/** Call what a button in a list is for, by its `data-do`. */
export function onButton(list, work) {
  find(list).addEventListener("click", (event) => {
    const button = event.target.closest("button[data-do]");
    if (button) work[button.dataset.do](button.dataset.id, button);
  });
}

/** Ask a question. The answer is "yes", "no", or "" when it was closed. */
export function ask({ heading, text, yes, no }) {
  const dialog = find("question");
  say(find("question-heading"), heading);
  say(find("question-text"), text);
  say(find("question-yes"), yes);
  say(find("question-no"), no);
  dialog.returnValue = "";
  dialog.showModal();
  return new Promise((answer) => dialog.addEventListener("close", () => answer(dialog.returnValue), { once: true }));
}

for (const answer of ["yes", "no"]) {
  find(`question-${answer}`).addEventListener("click", () => find("question").close(answer));
}

/** Replace the children of a list only when `content` differs from the last call, so that focus stays where it is. */
export function refill(list, content, children) {
  const key = JSON.stringify(content);
  if (list.dataset.key === key) return;
  list.dataset.key = key;
  list.replaceChildren(...children());
}
