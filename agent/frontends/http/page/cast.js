// What can be put on: an address, a preset, something that was on lately.

import { call } from "./box.js";
import { about, ask, find, make, onButton, refill, say, show } from "./dom.js";
import { editPreset, newPreset, setUpPresets } from "./presets.js";
import { nameOf } from "./text.js";

let stream = null; // What is on.

/** What the box offers, by the name of the call: its items, why they are not all there, and how they are shown. */
const offers = {
  presets: { items: [], problem: "", asked: 0, answered: 0, render: renderPresets },
  recent: { items: [], problem: "", asked: 0, answered: 0, render: renderRecent },
};

const interrupt = () => !find("how").hidden && document.querySelector("[name=how]:checked").value === "interrupt";

/** Start something, on top of what is on or instead of it. */
const start = (fields) => call("POST", "start", interrupt() ? { ...fields, interrupt: true } : fields);

export function setUpCasting(act) {
  const address = find("address");
  const complain = (text) => {
    say(find("cast-problem"), text);
    address.setAttribute("aria-invalid", String(text !== ""));
  };
  const { as } = find("cast").elements; // Empty for a stream.
  find("cast").addEventListener("input", () => complain(""));
  find("cast").addEventListener("submit", async (event) => {
    event.preventDefault();
    const url = address.value.trim();
    complain(url ? "" : "Paste an address, such as https://example.org/film.mp4.");
    if (!url) return address.focus();
    const done = await act(() => start(as.value ? { url, as: as.value } : { url }), event.submitter, complain);
    if (!done) return address.focus();
    address.value = "";
    as[0].checked = true;
  });
  onButton("preset-list", {
    play: (id, button) => act(() => start({ preset: id }), button),
    edit: (id) => editPreset(offers.presets.items.find((preset) => preset.id === id)),
  });
  onButton("recent-list", {
    play: (id, button) => act(() => start({ recent: id }), button),
    keep: (id) => keep(offers.recent.items.find((one) => one.id === id), { recent: id }),
  });
  find("preset-new").addEventListener("click", () => newPreset());
  find("preset-keep").addEventListener("click", () => keep(stream, { session_id: stream.session_id }));
  find("recent-clear").addEventListener("click", (event) => act(clear, event.currentTarget));
  setUpPresets(act, () => refreshOffers(["presets"]), focusPreset);
}

/** Save as a preset what is on or was on: the box knows the address with its credentials. */
function keep(played, from) {
  const as = played.media_type === "web" ? "page" : null;
  newPreset({ ...played, as, title: nameOf(played), duration: null, volume: null, muted: null }, from);
}

async function clear() {
  const answer = await ask({ heading: "Clear the recent addresses?", text: "The box forgets them, for everyone who uses it. Presets stay.", yes: "Clear", no: "Keep" });
  if (answer !== "yes") return;
  await call("DELETE", "recent");
  await refreshOffers(["recent"]);
  find("preset-new").focus();
}

function focusPreset(id) {
  const button = [...find("preset-list").querySelectorAll("button")].find((one) => one.dataset.id === id);
  (button ?? find("preset-new")).focus();
}

/** Tell what is on now: it can be replaced, and saved. */
export function showChoice(now) {
  stream = now;
  show(find("how"), Boolean(now));
  show(find("preset-keep"), Boolean(now));
}

/** Fetch the presets, what was on lately, or both. */
export function refreshOffers(names = Object.keys(offers)) {
  return Promise.all(names.map(refreshOffer));
}

async function refreshOffer(name) {
  const offer = offers[name];
  const turn = ++offer.asked;
  const answer = await listed(name);
  if (turn < offer.answered) return; // a later question was answered before
  offer.answered = turn;
  Object.assign(offer, answer);
  say(find("offers-problem"), Object.values(offers).map(({ problem }) => problem).filter(Boolean).join(" "));
  offer.render(offer.items);
}

function renderPresets(presets) {
  presets.sort((one, other) => Boolean(one.problem) - Boolean(other.problem)); // Those that can be played come first.
  show(find("preset-none"), presets.length === 0);
  refill(find("preset-list"), presets, () => presets.map(tile));
}

function renderRecent(recent) {
  show(find("recent"), recent.length > 0);
  refill(find("recent-list"), recent, () => recent.map(row));
}

function tile(preset) {
  const name = nameOf({ title: preset.title || preset.id });
  const more = icon("#i-more", `Details of ${name}`, "edit", preset.id);
  if (preset.problem) return make("li", { className: "broken" }, about("div", name, preset.problem), more);
  return make("li", {}, button(make("button", { type: "button" }, make("bdi", {}, name)), "play", preset.id), more);
}

function row(played) {
  const name = nameOf(played);
  const play = about("button", name, played.title ? played.url : "", { type: "button" });
  return make("li", {}, button(play, "play", played.id), icon("#i-keep", `Save ${name} as a preset`, "keep", played.id));
}

function button(element, what, id) {
  Object.assign(element.dataset, { do: what, id });
  return element;
}

/** A button that is an icon. */
function icon(symbol, name, what, id) {
  const element = find("icon").content.firstElementChild.cloneNode(true);
  element.querySelector("use").setAttribute("href", symbol);
  element.querySelector("span").textContent = name;
  return button(element, what, id);
}

/** A list of the box, and why it is not whole. */
async function listed(name) {
  try {
    const answer = await call("GET", name);
    return { items: answer[name], problem: answer.problem };
  } catch (problem) {
    if (problem.code === "storage_unavailable") return { items: [], problem: problem.message };
    throw problem;
  }
}
