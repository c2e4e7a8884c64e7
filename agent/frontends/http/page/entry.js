// Getting in: by a pairing link, by a key, or by what to run on the box.

import { call } from "./box.js";
import { find, say, show } from "./dom.js";

const TOKEN = "#";
let token = "";

/** Take the token out of the address, so that it is neither in the history nor in a bookmark. */
export function takePairingToken() {
  if (!location.pathname.endsWith("/pair")) return false;
  token = location.hash.startsWith(TOKEN) ? location.hash.slice(TOKEN.length) : "";
  history.replaceState(null, "", "./");
  return true;
}

export function setUpEntry(entered) {
  const enter = async (button, work) => {
    say(find("entry-problem"), "");
    button.disabled = true;
    try {
      await work();
      entered();
    } catch (problem) {
      say(find("entry-problem"), problem.message);
    } finally {
      button.disabled = false;
    }
  };
  find("key-form").addEventListener("submit", (event) => {
    event.preventDefault();
    const key = find("key").value.trim();
    if (!key) return find("key").focus();
    enter(event.submitter, async () => {
      await call("POST", "session", { key });
      find("key").value = "";
    });
  });
  find("pair").addEventListener("click", (event) => enter(event.currentTarget, () => call("POST", "pair", { token })));
  find("again").addEventListener("click", entered);
}

/** Ask whether this device is to be paired. */
export function offerPairing() {
  if (!token) {
    enterBy("This link is not whole", "Run cast-agent pair on the box again, and open the link that it prints as it is.", ["again"]);
    return;
  }
  enterBy(`Pair this device with ${location.hostname}?`, "It gets a key of its own and then stays signed in. The key can be revoked on the box: cast-agent key list shows it.", ["pair"]);
}

/** Say why the page is not let in, and how it can be. */
export function explainRefusal(problem) {
  if (problem.code === "unauthorized") {
    enterBy("This box asks for a key", "Type a key of the box once, or pair this device.", ["key-form", "entry-how"]);
  } else if (problem.code === "protected_mode") {
    enterBy("This box answers only itself", "It has no keys yet, so nobody in the network may use it. Pair this device to be the first. From then on everyone needs a key.", ["entry-how", "again"]);
  } else {
    enterBy("This page is not let in", problem.message, ["again"]);
  }
}

function enterBy(heading, text, parts) {
  say(find("entry-problem"), "");
  say(find("entry-heading"), heading);
  say(find("entry-text"), text);
  for (const id of ["key-form", "pair", "entry-how", "again"]) show(find(id), parts.includes(id));
  show(find("remote"), false);
  show(find("entry"), true);
  find("entry-heading").focus();
}
