// Live streams: what there is, publishing from the camera of this device, and watching.

import { about, ask, find, make, onButton, refill, say, show } from "./dom.js";
import { call } from "./server.js";
import { watch } from "./whep.js";
import { publish } from "./whip.js";

const SHOWN = 50; // Of each state: nobody looks through more.
const STATES = ["live", "waiting"]; // Those that have ended are over.
const REFUSED = {
  NotAllowedError: "The browser does not let this page use the camera. Allow it in the settings of this page.",
  NotFoundError: "This device has no camera, or no microphone.",
  NotReadableError: "Another program uses the camera.",
};

const picture = find("live-picture");
let known = [];
let asked = 0;
let made = null; // The one that was made last: its key and its addresses are told once.
let line = null; // What this page sends or watches, and how that ends.

/** `act` runs a call and passes on what went wrong; `refresh` has the view fetched again. */
export function setUpLive(act, refresh) {
  const run = (work, button) => act(async () => {
    await work();
    refresh();
  }, button, complain);
  find("live-form").addEventListener("submit", (event) => {
    event.preventDefault();
    run(add, find("live-add"));
  });
  find("live-send").addEventListener("click", (event) => run(send, event.currentTarget));
  find("live-end").addEventListener("click", () => run(async () => hangUp(""), null));
  onButton("lives", {
    watch: (id, button) => run(() => view(of(id)), button),
    stop: (id, button) => run(() => call("POST", `api/v1/live/${id}/stop`), button),
    delete: (id, button) => run(() => remove(of(id)), button),
  });
  window.addEventListener("pagehide", () => hangUp(""));
}

/** Fetch what the view shows. True if something in it changes by itself. */
export async function refreshLive() {
  const turn = ++asked;
  const pages = await Promise.all(STATES.map((state) => call("GET", `api/v1/live?state=${state}&limit=${SHOWN}`)));
  if (turn !== asked) return true; // Something has been changed meanwhile.
  known = pages.flatMap((page) => page.items);
  refill(find("lives"), known, () => known.map(row));
  say(find("lives-state"), known.length ? "" : "There is no live stream.");
  return known.length > 0;
}

const of = (id) => known.find((live) => live.id === id);

function row(live) {
  const isOn = live.state === "live";
  const words = [isOn ? (live.interrupted_at ? "Its publisher is away" : "Live") : "Waits for its publisher", isOn && `code ${live.code}`, live.record && "is recorded"];
  const wanted = { watch: isOn && live.urls.webrtc && "Watch", stop: isOn && "Stop", delete: "Delete" };
  const buttons = Object.entries(wanted).filter(([, text]) => text).map(([what, text]) => {
    const button = make("button", { type: "button", className: "small", ariaLabel: `${text} ${live.title}` }, text);
    Object.assign(button.dataset, { do: what, id: live.id });
    return button;
  });
  return make("li", {}, about("div", live.title, words.filter(Boolean).join(" · ")), ...buttons);
}

async function add() {
  made = await call("POST", "api/v1/live", { title: find("live-title").value, record: find("live-record").checked });
  find("live-form").reset();
  const told = Object.entries({ ...made.publish, key: made.key_value }).filter(([, value]) => value);
  refill(find("live-addresses"), told, () => told.flatMap(([name, value]) => [make("dt", {}, name === "key" ? "Stream key" : name.toUpperCase()), make("dd", {}, make("code", {}, value))]));
  say(find("live-made-heading"), made.title);
  show(find("live-send"), Boolean(made.publish.whip));
  show(find("live-made"), true);
  find("live-made-heading").focus();
}

async function remove(live) {
  const text = `“${live.title}” ends for all who watch, and nobody can publish it any more. Recordings stay.`;
  if (await ask({ heading: "Delete this live stream?", text, yes: "Delete", no: "Keep" }) !== "yes") return;
  if (line?.id === live.id) hangUp("");
  if (made?.id === live.id) show(find("live-made"), false);
  await call("DELETE", `api/v1/live/${live.id}`);
}

/** Publish what the camera of this device sees. */
async function send() {
  const camera = await open();
  const close = () => camera.getTracks().forEach((track) => track.stop());
  await put(made, "Sent from this device", close, () => {
    picture.srcObject = camera;
    return publish(camera, made.publish.whip, made.key_value, () => hangUp("The connection has ended."));
  });
}

async function open() {
  if (!navigator.mediaDevices) throw new Error("Browsers give a page the camera over https only. Open this page with https.");
  try {
    return await navigator.mediaDevices.getUserMedia({ audio: true, video: { width: { ideal: 1280 }, height: { ideal: 720 } } });
  } catch (error) {
    throw new Error(REFUSED[error.name] ?? `The camera cannot be used: ${error.message}`);
  }
}

const view = (live) => put(live, "Watched here", () => {}, () => watch(picture, live.urls.webrtc, live.code, () => hangUp("The stream has ended.")));

/** Show a stream on the stage, instead of the one before. `close` gives back what it used. */
async function put(live, words, close, connect) {
  hangUp("");
  const mine = { id: live.id, end: close };
  line = mine;
  say(find("live-stage-heading"), live.title);
  say(find("live-stage-state"), "Is being connected.");
  show(find("live-stage"), true);
  try {
    const end = await connect();
    mine.end = () => {
      end();
      close();
    };
    if (line !== mine) return mine.end(); // It was ended meanwhile.
    say(find("live-stage-state"), words);
  } catch (error) {
    if (line === mine) hangUp("");
    throw error;
  }
}

/** End what this page sends or watches, and say why. */
function hangUp(text) {
  line?.end();
  line = null;
  picture.srcObject = null;
  show(find("live-stage"), false);
  complain(text);
}

const complain = (text) => say(find("live-problem"), text);
