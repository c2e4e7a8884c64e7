// What can be put on: an address, a preset, something that was on lately.

import { call } from "./box.js";
import { about, find, make, refill, say, show } from "./dom.js";
import { nameOf } from "./text.js";

const interrupt = () => !find("how").hidden && document.querySelector("[name=how]:checked").value === "interrupt";

/** Start something, on top of what is on or instead of it. */
const start = (fields) => call("POST", "start", interrupt() ? { ...fields, interrupt: true } : fields);

export function setUpCasting(act) {
  const address = find("address");
  const complain = (text) => {
    say(find("cast-problem"), text);
    address.setAttribute("aria-invalid", String(text !== ""));
  };
  address.addEventListener("input", () => complain(""));
  find("cast").addEventListener("submit", async (event) => {
    event.preventDefault();
    const url = address.value.trim();
    complain(url ? "" : "Paste an address, such as https://example.org/film.mp4.");
    if (!url) return address.focus();
    const done = await act(() => start({ url }), event.submitter, complain);
    if (done) address.value = "";
    else address.focus();
  });
  for (const [list, field] of [["preset-list", "preset"], ["recent-list", "recent"]]) {
    find(list).addEventListener("click", (event) => {
      const button = event.target.closest("button[data-id]");
      if (button) act(() => start({ [field]: button.dataset.id }), button);
    });
  }
}

/** Whether there is anything that a start would replace. */
export function showChoice(status) {
  show(find("how"), Boolean(status.stream));
}

/** Fetch presets and what was on lately. */
export async function refreshOffers() {
  const [presets, recent] = await Promise.all([listed("presets", "presets"), listed("recent", "recent")]);
  show(find("presets"), presets.length > 0);
  refill(find("preset-list"), presets, () => presets.map(tile));
  show(find("recent"), recent.length > 0);
  refill(find("recent-list"), recent, () => recent.map((one) => make("li", {}, withId(about("button", nameOf(one), one.title ? one.url : "", { type: "button" }), one.id))));
}

function tile(preset) {
  if (preset.problem) {
    return make("li", { className: "broken" }, about("div", preset.title || preset.id, preset.problem));
  }
  return make("li", {}, withId(make("button", { type: "button", dir: "auto" }, preset.title || preset.id), preset.id));
}

function withId(element, id) {
  element.dataset.id = id;
  return element;
}

/** A list of the box; empty where it keeps none. */
async function listed(path, name) {
  try {
    return (await call("GET", path))[name] ?? [];
  } catch (problem) {
    if (problem.status !== 404) throw problem;
    return [];
  }
}
