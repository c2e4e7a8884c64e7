// The line to the box: server-sent events, read with fetch, which tells the status of a refusal and lets the page hear
// the heartbeats; EventSource does neither.

import { Problem, request } from "./box.js";

const SILENCE_MS = 20_000; // The box is heard every 15 s at the latest.
const LOOK_EVERY_MS = 500; // With the first pause the true state is there within 1 s of waking.
const PAUSES_MS = [300, 1000, 2000, 4000, 8000]; // The last one repeats.

/**
 * Follow the box while the page is visible.
 *
 * `lost(problem)`: what was known is not true any more. `changed(messages, ahead)`: events that came together, the first
 * of a connection with the whole state. `refused(problem)`: the box lets this page not in; `connect` tries again. Returns
 * `connect`.
 */
export function follow({ lost, changed, refused }) {
  let line = null;
  let failures = 0;
  let later = 0;

  function disconnect() {
    clearTimeout(later);
    line?.abort();
    line = null;
  }

  function connect() {
    disconnect();
    lost(null);
    if (document.visibilityState === "hidden") return;
    const mine = new AbortController();
    line = mine;
    listen(mine, (messages, ahead) => {
      if (line !== mine) return;
      failures = 0;
      const closed = messages.find((message) => message.event === "closed");
      if (closed) throw new Problem(401, closed.data.code, closed.data.detail);
      changed(messages, ahead);
    }).catch((problem) => {
      if (line !== mine) return;
      disconnect();
      if (problem.status === 401 || problem.status === 403) {
        refused(problem);
        return;
      }
      lost(problem);
      later = setTimeout(connect, PAUSES_MS[Math.min(failures++, PAUSES_MS.length - 1)]);
    });
  }

  // A page that is not seen lets go of its line: what is painted first when it is seen again is "Connecting".
  document.addEventListener("visibilitychange", connect);
  window.addEventListener("online", connect);
  window.addEventListener("pageshow", (event) => event.persisted && connect());
  connect();
  return connect;
}

/** Pass on the messages of one connection; throws when it ends, or is silent for too long. */
async function listen(line, heard) {
  let heardAt = Date.now(); // This clock goes on while the device sleeps, and timers do not.
  const silence = setInterval(() => Date.now() - heardAt > SILENCE_MS && line.abort(), LOOK_EVERY_MS);
  try {
    const answer = await request("GET", "events", undefined, { signal: line.signal, headers: { Accept: "text/event-stream" } });
    const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
    const clock = Date.parse(answer.headers.get("Date") ?? "");
    const ahead = Number.isNaN(clock) ? 0 : clock + 500 - Date.now(); // It is told in whole seconds.
    for (let rest = ""; ;) {
      const { value, done } = await reader.read();
      if (done) throw new Error("The box has ended the connection.");
      heardAt = Date.now();
      const blocks = (rest + value.replaceAll("\r", "")).split("\n\n");
      rest = blocks.pop();
      const messages = blocks.map(parsed).filter(Boolean);
      if (messages.length) heard(messages, ahead);
    }
  } finally {
    clearInterval(silence);
  }
}

/** The event and the data of one block; null for a heartbeat. */
function parsed(block) {
  const lines = block.split("\n").map((line) => line.match(/^(event|data): ?(.*)$/)).filter(Boolean);
  const all = (name) => lines.filter((line) => line[1] === name).map((line) => line[2]).join("\n");
  return all("data") ? { event: all("event") || "message", data: JSON.parse(all("data")) } : null;
}
