// The page: what is shown when, and what happens when something is asked for.

import { refreshHealth, refreshSession, refreshSettings, showName } from "./about.js";
import { call } from "./box.js";
import { refreshOffers, setUpCasting, showChoice } from "./cast.js";
import { find, say, show } from "./dom.js";
import { explainRefusal, offerPairing, setUpEntry, takePairingToken } from "./entry.js";
import { follow } from "./live.js";
import { setUpControls, showNow } from "./now.js";

const LOOK_AGAIN_MS = 60_000; // For what no event tells, such as a disk that is full.

const OFFERS = { presets_changed: "presets", recent_changed: "recent" };
const OFFERS_WITHIN_MS = 800;

let connect = null;
let status = null;
let looking = 0;
const offersDue = new Set(); // The lists that will be fetched in a moment.

/** Run a call for a button. True when it was done; what went wrong is told by `complain`. */
async function act(work, button = null, complain = notify) {
  button?.setAttribute("aria-busy", "true");
  try {
    await work();
    show(find("notice"), false);
    return true;
  } catch (problem) {
    if (problem.status === 401) connect();
    complain(problem.message, problem);
    return false;
  } finally {
    button?.removeAttribute("aria-busy");
  }
}

function notify(text) {
  say(find("notice-text"), text);
  show(find("notice"), true);
}

function connection(state, text) {
  document.body.dataset.connection = state;
  say(find("connection"), text);
}

function lost(problem) {
  status = null;
  clearTimeout(looking);
  showNow(null);
  if (problem || document.body.dataset.connection !== "connecting") {
    connection("connecting", problem?.code === "unreachable" ? "No answer; trying again…" : "Connecting…");
  }
}

/** Show the newest of what was told; what is shown does not wait for what is asked for then. */
function changed(messages, ahead) {
  const told = messages.map(({ event, data }) => event === "snapshot" ? data : data.status).filter(Boolean).at(-1);
  if (!told) return;
  const happened = (...kinds) => messages.some(({ event }) => kinds.includes(event));
  const first = status === null;
  status = told;
  show(find("entry"), false);
  show(find("remote"), true);
  showName(status.device);
  showChoice(status.stream);
  showNow(status, ahead);
  if (first) connection("live", "Connected");
  if (first) lookAtBox();
  else if (happened("display_changed", "access_changed")) look();
  if (first) refreshOffers().catch(failed);
  else messages.map(({ event }) => OFFERS[event]).filter(Boolean).forEach(offerSoon);
}

/** Fetch a list in a moment: each start changes one, and what is on matters more while all pages ask at once. */
function offerSoon(name) {
  if (!offersDue.size) setTimeout(fetchOffers, OFFERS_WITHIN_MS * (0.5 + Math.random() / 2));
  offersDue.add(name);
}

function fetchOffers() {
  const names = [...offersDue];
  offersDue.clear();
  if (status) refreshOffers(names).catch(failed);
}

/** See how the box is, and again in a while. */
async function look() {
  try {
    const seen = status;
    const now = await call("GET", "status");
    if (status === seen) { // else an event has told what is newer
      status = now;
      showNow(status);
    }
  } catch (problem) {
    failed(problem);
  }
  await lookAtBox();
}

/** The same where the status is new. */
async function lookAtBox() {
  clearTimeout(looking);
  if (!status) return;
  looking = setTimeout(look, LOOK_AGAIN_MS);
  try {
    const [well] = await Promise.all([refreshHealth(status), refreshSession(), refreshSettings()]);
    if (status) connection("live", well ? "Connected" : "Needs attention");
  } catch (problem) {
    failed(problem);
  }
}

/** A question in passing that was not answered: the line itself finds out whether the box is gone. */
function failed(problem) {
  if (status) console.warn(problem.message);
}

function refused(problem) {
  document.querySelectorAll("dialog[open]").forEach((dialog) => dialog.close());
  connection("refused", "Not signed in");
  explainRefusal(problem);
}

find("notice-close").addEventListener("click", () => show(find("notice"), false));
find("sign-out").addEventListener("click", (event) => act(signOut, event.currentTarget));
setUpControls(act);
setUpCasting(act);
setUpEntry(enter);

async function signOut() {
  await call("DELETE", "session");
  connect();
}

function enter() {
  show(find("entry"), false);
  show(find("remote"), true);
  if (connect) connect();
  else connect = follow({ lost, changed, refused });
}

if (takePairingToken()) {
  connection("refused", "Not paired");
  offerPairing();
} else {
  enter();
}
window.addEventListener("hashchange", () => takePairingToken() && offerPairing());
