// What is on: its picture, its position, what is wrong with it, and what can be done.

import { call, request } from "./box.js";
import { describe, fill, find, make, about, refill, say, setIcon, show } from "./dom.js";
import { endOf, nameOf, stateOf } from "./text.js";
import { clock, spoken } from "./times.js";

const PICTURE_EVERY_MS = 1000;
const PICTURE_SOON_MS = 400; // After a change: what is on is shown first, and not all pages ask at the same moment.
const PICTURE_WIDTHS = [480, 960]; // 20 and 60 kB. Few, because pages that ask for the same one share it.

let status = null; // As the box told it last; null while there is no connection.
let ahead = 0; // Milliseconds by which the clock of the box is ahead of ours.
let dragging = null; // The slider under somebody's finger.

/** Show this status; null when the connection is lost. `act` runs a call and shows what went wrong with it. */
export function showNow(told, clockAhead = ahead) {
  const before = status;
  status = told;
  ahead = clockAhead;
  if (told) render();
  if (!told || told.on_screen !== before?.on_screen) picture.change(before ? Math.random() * PICTURE_SOON_MS : 0);
}

export function setUpControls(act) {
  const on = (id, work) => find(id).addEventListener("click", (event) => act(work, event.currentTarget));
  on("stop", () => call("POST", "stop", { session_id: status.stream.session_id }));
  on("pause", () => call("POST", status.stream.state === "paused" ? "resume" : "pause"));
  on("back", () => call("POST", "seek", { position: Math.max(0, position() - 10) }));
  on("forward", () => call("POST", "seek", { position: Math.min(position() + 30, status.stream.duration ?? Infinity) }));
  on("reload", () => call("POST", "reload"));
  on("mute", () => call("POST", "volume", { muted: !status.volume.muted }));
  on("power", () => call("POST", "screen", { on: !status.screen.on }));
  for (const button of document.querySelectorAll("[data-extend]")) {
    button.addEventListener("click", () => act(() => extend(Number(button.dataset.extend)), button));
  }
  slide(find("seek"), (value) => act(() => call("POST", "seek", { position: value })), renderTimes);
  slide(find("volume"), (value) => act(() => call("POST", "volume", { volume_level: value / 100, muted: false })), renderVolume, true);
  setInterval(() => status && renderTimes(), 500);
  find("waiting-list").addEventListener("click", (event) => {
    const button = event.target.closest("button[data-session]");
    if (button) act(() => call("POST", "stop", { session_id: button.dataset.session }), button);
  });
}

function extend(seconds) {
  const { session_id, expires_at } = status.stream;
  return call("POST", "start", { session_id, duration: (expires_at ? Math.max(0, untilEnd()) : 0) + seconds });
}

/** Tell where a slider is let go, and with `live` also on the way: one call at a time, the latest value last. */
function slide(slider, tell, render, live = false) {
  let wanted = null;
  let busy = false;
  async function next() {
    if (busy) return;
    busy = true;
    while (wanted !== null) {
      const value = wanted;
      wanted = null;
      await tell(value);
    }
    busy = false;
    if (dragging === slider && !slider.matches(":active")) dragging = null;
    if (status) render();
  }
  slider.addEventListener("input", () => {
    dragging = slider;
    fill(slider);
    render();
    if (live) { wanted = Number(slider.value); next(); }
  });
  slider.addEventListener("change", () => { wanted = Number(slider.value); next(); });
}

/** A screen that the box cannot switch (null) has no button. */
function renderScreen(isOn, isUsed) {
  show(find("power"), isOn !== null);
  say(find("power"), isOn ? `${isUsed ? "End all and switch" : "Switch"} the screen off` : "Switch the screen on");
}

function render() {
  const { stream, on_screen: onScreen } = status;
  const last = status.last;
  renderScreen(status.screen.on, Boolean(stream));
  say(find("title"), stream ? nameOf(stream) : "Nothing is on");
  say(find("state"), stream ? stateOf(stream, onScreen) : last ? `${endOf(last)}.` : "Put something on, here or from your home automation.");
  const error = stream ? stream.error : last?.reason === "failed" ? last.error : null;
  say(find("trouble-text"), error?.message ?? "");
  show(find("trouble"), Boolean(error));
  show(find("playback"), Boolean(stream));
  show(find("live"), stream?.stream_type === "live" && stream.state === "playing");
  say(find("empty-text"), !stream ? "" : stream.media_type === "audio" ? "Only sound" : "No picture yet");
  if (stream) renderStream(stream);
  renderTimes();
  renderVolume();
  const waiting = status.interrupted;
  show(find("waiting"), waiting.length > 0);
  refill(find("waiting-list"), waiting.map((one) => [one.session_id, nameOf(one)]), () => waiting.map((one) => {
    const button = make("button", { type: "button", className: "small" }, "End", make("span", { className: "hidden" }, ` ${nameOf(one)}`));
    button.dataset.session = one.session_id;
    return make("li", {}, about("div", nameOf(one), one.position ? `Goes on at ${clock(one.position)}` : "Comes back when what is on ends"), button);
  }));
}

function renderStream(stream) {
  const paused = stream.state === "paused";
  setIcon(find("pause"), paused ? "#i-play" : "#i-pause");
  say(find("pause-text"), paused ? "Resume" : "Pause");
  const can = (what) => stream.capabilities[what] === "available";
  const isPage = stream.media_type === "web"; // It cannot be paused; once it has painted, it can be reloaded.
  show(find("pause"), !isPage);
  find("pause").disabled = !can("pause");
  show(find("reload"), isPage);
  find("reload").disabled = !can("snapshot");
  const seeks = can("seek") && stream.position !== null;
  show(find("back"), seeks);
  show(find("forward"), seeks);
  show(find("progress"), stream.position !== null && stream.duration !== null);
  find("seek").disabled = !seeks;
}

function renderTimes() {
  const stream = status.stream;
  if (!stream) return;
  const slider = find("seek");
  if (stream.duration !== null && stream.position !== null) {
    const max = String(Math.ceil(stream.duration));
    if (slider.max !== max) slider.max = max; // Even the same one would have the page laid out again.
    const at = dragging === slider ? Number(slider.value) : Math.floor(position()); // The page is drawn once a second.
    if (dragging !== slider) slider.value = at;
    fill(slider);
    describe(slider, `${spoken(at)} of ${spoken(stream.duration)}`);
    say(find("position"), clock(at));
    say(find("length"), `−${clock(stream.duration - at)}`);
  }
  const left = stream.expires_at ? untilEnd() : null;
  say(find("time-left"), left === null ? "No time limit" : `Ends in ${clock(left)}`);
  const retry = stream.error && stream.retry_at ? (Date.parse(stream.retry_at) - Date.now() - ahead) / 1000 : 0;
  if (retry > 1) say(find("state"), `Reconnecting in ${Math.ceil(retry)} s`);
}

function renderVolume() {
  const slider = find("volume");
  const { volume_level: level, muted } = status.volume;
  if (dragging !== slider) slider.value = Math.round(level * 100);
  fill(slider);
  const text = muted && dragging !== slider ? "Muted" : `${slider.value} %`;
  describe(slider, text);
  say(find("volume-text"), text);
  const mute = find("mute");
  if (mute.ariaPressed !== String(muted)) mute.ariaPressed = String(muted);
  setIcon(mute, muted ? "#i-silent" : "#i-loud");
}

/** Seconds into the media, now. */
function position() {
  const { position: told, position_updated_at: at, state, duration } = status.stream;
  if (state !== "playing" || !at) return told ?? 0;
  const since = Math.max(0, (Date.now() + ahead - Date.parse(at)) / 1000);
  return Math.min(told + since, duration ?? Infinity);
}

const untilEnd = () => (Date.parse(status.stream.expires_at) - Date.now() - ahead) / 1000;

/** The picture of the screen, fetched again and again while something is on and somebody looks. */
const picture = {
  timer: 0,
  shown: "",
  tag: null, // Of the picture that is shown.
  busy: false,
  stale: false, // Something has changed since the picture was asked for.
  /** The screen shows something else: ask for a picture of it. */
  change(afterMs) {
    clearTimeout(this.timer);
    this.stale = true;
    if (!status) say(find("empty-text"), "Connecting…");
    if (!status?.on_screen) this.drop();
    else if (!this.busy) this.timer = setTimeout(() => this.fetch(), afterMs);
  },
  async fetch() {
    this.busy = true;
    this.stale = false;
    try {
      const needed = find("screen").clientWidth * devicePixelRatio;
      const width = PICTURE_WIDTHS.find((one) => one >= needed) ?? PICTURE_WIDTHS.at(-1);
      const answer = await request("GET", `snapshot?format=jpeg&width=${width}&max_age=1`); // Others may have asked for it.
      const [blob, tag] = [await answer.blob(), answer.headers.get("ETag")];
      if (status?.on_screen && (!tag || tag !== this.tag)) this.put(URL.createObjectURL(blob), tag);
    } catch {
      this.drop(); // What is wrong with the screen is told by its health, in words.
    }
    this.busy = false;
    const moves = status?.on_screen && document.visibilityState === "visible";
    if (moves) this.timer = setTimeout(() => this.fetch(), this.stale ? 0 : PICTURE_EVERY_MS);
  },
  put(address, tag) {
    this.tag = tag;
    find("picture").src = address;
    show(find("picture"), true);
    show(find("empty"), false);
    if (this.shown) URL.revokeObjectURL(this.shown);
    this.shown = address;
  },
  drop() {
    show(find("picture"), false);
    show(find("empty"), true);
    find("picture").removeAttribute("src");
    this.tag = null;
    if (this.shown) URL.revokeObjectURL(this.shown);
    this.shown = "";
  },
};
