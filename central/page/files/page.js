// The page: who is logged in, which view is shown, and when it is fetched again.

import { find, make, say, show } from "./dom.js";
import { refreshLibrary, setUpLibrary } from "./library.js";
import { refreshLive, setUpLive } from "./live.js";
import { call } from "./server.js";
import { refreshStatistics, setUpStatistics } from "./statistics.js";
import { isSending, setUpUploads, showUploads } from "./uploads.js";
import { openVideo, refreshVideo, setUpVideo } from "./video.js";

/**
 * The views, by the id of their `<main class="view">` in index.html, which is also the part of the address behind the #.
 * A new one is a line here, an element there, and modules of its own. `refresh` fetches what the view shows, and returns
 * true while something in it changes by itself; `admin`: only an admin key may see it.
 */
const VIEWS = {
  library: { name: "Library", refresh: refreshLibrary },
  live: { name: "Live", refresh: refreshLive, admin: true },
  statistics: { name: "Statistics", refresh: refreshStatistics, admin: true },
};

const SOON_MS = 2000; // While something changes.
const LATER_MS = 15_000;

let session = null;
let timer = 0;

const mayShow = (id) => Boolean(session && id in VIEWS && (!VIEWS[id].admin || session.role === "admin"));
const current = () => [location.hash.slice(1), "library"].find(mayShow);

/** Run a call for a button. What went wrong is told by `complain`. */
async function act(work, button = null, complain = notify) {
  if (button?.ariaBusy === "true") return;
  button?.setAttribute("aria-busy", "true");
  try {
    complain("");
    await work();
  } catch (problem) {
    if (problem.status === 401) enter();
    else complain(problem.message, problem);
  } finally {
    button?.removeAttribute("aria-busy");
  }
}

function notify(text) {
  say(find("notice-text"), text);
  show(find("notice"), text !== "");
}

/** Fetch the view that is shown, and again in a while. A page that nobody sees asks for nothing. */
async function refresh() {
  clearTimeout(timer);
  if (!session || document.hidden) return;
  let pause = LATER_MS;
  try {
    const changes = await Promise.all([VIEWS[current()].refresh(), refreshVideo()]);
    if (changes.some(Boolean) || isSending()) pause = SOON_MS;
    notify("");
  } catch (problem) {
    if (problem.status === 401) return enter();
    notify(problem.message);
    pause = SOON_MS;
  }
  clearTimeout(timer);
  timer = setTimeout(refresh, pause);
}

function navigate() {
  for (const view of document.querySelectorAll(".view")) show(view, view.id === current());
  for (const link of find("nav").children) {
    if (link.hash.slice(1) === current()) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  refresh();
}

/** Ask who is logged in, and show the page to them. */
async function enter() {
  clearTimeout(timer);
  try {
    session = await call("GET", "api/v1/session");
  } catch (problem) {
    if (problem.status === 401 || problem.status === 403) return refused();
    notify(problem.message);
    timer = setTimeout(enter, SOON_MS);
    return;
  }
  notify("");
  say(find("session-name"), session.name);
  find("nav").replaceChildren(...Object.keys(VIEWS).filter(mayShow).map((id) => make("a", { href: `#${id}` }, VIEWS[id].name)));
  for (const id of ["nav", "session"]) show(find(id), true);
  show(find("entry"), false);
  showUploads(session.name);
  navigate();
}

/** Nobody is logged in, or not any more. */
function refused() {
  session = null;
  document.querySelectorAll("dialog[open]").forEach((dialog) => dialog.close());
  for (const id of ["nav", "session", "notice"]) show(find(id), false);
  for (const view of document.querySelectorAll(".view")) show(view, false);
  show(find("entry"), true);
  find("entry-heading").focus();
}

find("key-form").addEventListener("submit", (event) => {
  event.preventDefault();
  const key = find("key").value.trim();
  if (!key) return find("key").focus();
  logIn(key, event.submitter);
});

async function logIn(key, button) {
  button.ariaBusy = "true";
  say(find("entry-problem"), "");
  try {
    await call("POST", "api/v1/session", { key });
    find("key").value = "";
    await enter();
  } catch (problem) {
    say(find("entry-problem"), problem.message);
    find("key").focus();
  } finally {
    button.ariaBusy = null;
  }
}

find("log-out").addEventListener("click", (event) => act(async () => {
  await call("DELETE", "api/v1/session");
  showUploads(null);
  refused();
}, event.currentTarget));
find("notice-close").addEventListener("click", () => notify(""));
window.addEventListener("hashchange", () => session && navigate());
document.addEventListener("visibilitychange", refresh);
setUpUploads(refresh);
setUpLibrary(refresh, (video) => { openVideo(video, session.role); refresh(); });
setUpLive(act, refresh);
setUpStatistics(refresh);
setUpVideo(act, refresh);
enter();
