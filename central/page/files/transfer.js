// One file on its way to the library: reserved, sent in the parts that the server plans, completed.

import { Problem, below, call } from "./server.js";
import { forget, keep, pendingFor } from "./pending.js";

const SILENCE_MS = 30_000; // The server gives up a connection that is silent for that long, too.
const PAUSES_MS = [1000, 2000, 4000, 8000, 15_000]; // The last one repeats.
const SMOOTHING = 0.2; // The part that a new measurement has in the speed that is shown.
const LOOK_MS = 500; // Between two measurements of the speed.

/** Failures that go by: no connection, a server that restarts or is busy, another connection that is not yet given up. */
const passes = (problem) => problem.status === 0 || problem.status === 408 || problem.status === 429 || problem.status === 502 || problem.status === 503 || problem.status === 504 || problem.code === "upload_in_use" || problem.code === "wrong_offset";

export class Transfer {
  /** `changed` is called when there is something new to be shown; `name` is the key whose upload it is. */
  constructor(file, type, name, changed) {
    Object.assign(this, { file, type, name, changed, state: "waiting", sent: 0, speed: 0, problem: "", id: pendingFor(name, file)?.id ?? null });
    this.resumed = this.id !== null;
    this.flights = new Map(); // The bytes sent so far of each part under way.
  }

  /** Send until all is there, it is paused, or it fails for good. Throws nothing. */
  async run() {
    this.stop = new AbortController();
    this.set("sending");
    for (let failures = 0; this.state === "sending"; ) {
      const before = this.sent;
      try {
        await this.send();
        forget(this.id);
        this.set("sent");
      } catch (problem) {
        if (this.stop.signal.aborted) return;
        if (problem.code === "video_not_found" || problem.code === "wrong_state") {
          forget(this.id);
          this.id = null; // The next try begins anew: at once where the server had removed what was kept from before.
          if (this.resumed) continue;
        }
        if (!(problem instanceof Problem) || !passes(problem)) return this.fail(problem);
        failures = this.sent > before ? 0 : failures;
        this.set("sending", `${problem.message} ${Math.floor((this.sent / this.file.size) * 100)} % is there.`);
        await this.pause(PAUSES_MS[Math.min(failures++, PAUSES_MS.length - 1)]);
      }
    }
  }

  /** Let go of the connection. What was sent stays, and `run` goes on there. */
  halt() {
    this.set("paused");
    this.stop?.abort();
  }

  /** `status` tells what may be tried again: 401 after a log-in. */
  fail(problem) {
    this.status = problem.status;
    this.set("failed", problem.message);
  }

  set(state, problem = "") {
    Object.assign(this, { state, problem, speed: 0, at: undefined });
    this.changed(this);
  }

  async send() {
    if (!this.id) {
      this.resumed = false;
      const { name, size } = this.file;
      const title = name.replace(/\.[^.]+$/, "").slice(0, 200) || name.slice(0, 200);
      this.id = (await call("POST", "api/v1/videos", { title, type: this.type, size })).id;
      keep(this.name, this.file, this.id);
    }
    const path = `api/v1/videos/${this.id}`;
    for (;;) {
      const plan = await this.plan(path);
      if (!plan) return;
      this.resumed = false;
      this.done = plan.received;
      this.flights.clear();
      this.measure();
      if (!plan.parts.length) break;
      const parts = plan.parts[Symbol.iterator]();
      const sender = async () => { for (const part of parts) await this.put(part); };
      await Promise.all(Array.from({ length: plan.at_once }, sender));
    }
    await call("POST", `${path}/complete`);
  }

  /** What is still to be sent; null when all of it has been taken, because the answer to `complete` was lost. */
  async plan(path) {
    try {
      return await call("GET", `${path}/upload`);
    } catch (problem) {
      if (problem.code !== "wrong_state") throw problem;
      if ((await call("GET", path)).state === "failed") throw problem;
      return null;
    }
  }

  /** Send one part. XMLHttpRequest, because fetch does not tell how much of a body has been sent. */
  put({ number, offset, size, url }) {
    return new Promise((done, fail) => {
      const request = new XMLHttpRequest();
      let silence = 0;
      const heard = () => {
        clearTimeout(silence);
        silence = setTimeout(() => request.abort(), SILENCE_MS);
      };
      const lost = () => fail(new Problem(0, "unreachable", "The connection was lost; trying again."));
      const halt = () => request.abort();
      request.upload.addEventListener("progress", (event) => {
        heard();
        this.problem = ""; // It goes on.
        this.flights.set(number, event.loaded);
        this.measure();
      });
      request.addEventListener("load", () => {
        if (request.status >= 200 && request.status < 300) {
          this.flights.set(number, size);
          done();
        } else {
          fail(refusal(request));
        }
      });
      for (const end of ["error", "abort"]) request.addEventListener(end, lost);
      request.addEventListener("loadend", () => {
        clearTimeout(silence);
        this.stop.signal.removeEventListener("abort", halt);
      });
      this.stop.signal.addEventListener("abort", halt);
      request.open("PUT", below(url));
      heard();
      request.send(this.file.slice(offset, offset + size));
    });
  }

  /** Note how much is there, and how quickly it grows. */
  measure() {
    const now = performance.now();
    this.sent = this.done + [...this.flights.values()].reduce((sum, bytes) => sum + bytes, 0);
    if (!(now - this.at < LOOK_MS)) {
      const speed = ((this.sent - this.was) / (now - this.at)) * 1000;
      if (speed >= 0) this.speed = this.speed ? this.speed + SMOOTHING * (speed - this.speed) : speed;
      Object.assign(this, { at: now, was: this.sent });
    }
    this.changed(this);
  }

  /** Wait, or until the browser is online again or the upload is paused. */
  pause(ms) {
    return new Promise((over) => {
      const events = [[window, "online"], [this.stop.signal, "abort"]];
      const end = () => {
        clearTimeout(timer);
        for (const [target, name] of events) target.removeEventListener(name, end);
        over();
      };
      const timer = setTimeout(end, ms);
      for (const [target, name] of events) target.addEventListener(name, end);
    });
  }
}

function refusal(request) {
  try {
    const { code, detail } = JSON.parse(request.responseText);
    return new Problem(request.status, code, detail);
  } catch {
    return new Problem(request.status, "strange", `The storage refused a part (${request.status}).`);
  }
}
