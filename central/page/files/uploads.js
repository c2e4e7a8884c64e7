// The uploads: files that are dropped or chosen are sent one after the other.

import { ask, find, make, say, show } from "./dom.js";
import { forget, pending } from "./pending.js";
import { call } from "./server.js";
import { Transfer } from "./transfer.js";
import { EXTENSIONS, about, size, typeOf } from "./words.js";

const LIMIT = 200; // Files in the list: each is a row.

const rows = new Map(); // Each transfer, and each upload from before that waits for its file, with its row.
let name = null; // The key that is logged in.
let changed = () => {};

/** `sent` is called when a video is there to be shown, or has changed on the way. */
export function setUpUploads(sent) {
  changed = sent;
  find("files").accept = EXTENSIONS.map((extension) => `.${extension}`).join();
  find("files").addEventListener("change", (event) => {
    add(event.target.files);
    event.target.value = ""; // The same file can be chosen again.
  });
  const over = (event, on) => {
    if (!name || ![...(event.dataTransfer?.types ?? [])].includes("Files")) return false;
    event.preventDefault();
    find("drop").classList.toggle("over", on);
    return true;
  };
  document.addEventListener("dragover", (event) => over(event, true));
  document.addEventListener("dragleave", (event) => event.relatedTarget ?? over(event, false));
  document.addEventListener("drop", (event) => over(event, false) && add(event.dataTransfer.files));
}

/** Show the uploads of this key: those that were interrupted wait for their file. Null: nobody is logged in. */
export function showUploads(key) {
  if (key === name) return wake();
  for (const one of rows.keys()) drop(one);
  name = key;
  if (key) pending(key).forEach((before) => rows.set(before, interrupted(before)));
}

/** Return True if something is being sent. */
export const isSending = () => transfers().some((one) => one.state === "sending");

const transfers = () => [...rows.keys()].filter((one) => one instanceof Transfer);

function add(files) {
  const problems = [];
  for (const file of files) {
    const type = typeOf(file);
    if (!type) problems.push(`${file.name}: the library takes no files of this type.`);
    else if (!file.size) problems.push(`${file.name} is empty.`);
    else if (rows.size >= LIMIT) problems.push(`${file.name}: ${LIMIT} files are in the list. Add it when some of them are there.`);
    else if (!transfers().some((one) => one.state !== "sent" && one.file.name === file.name && one.file.size === file.size && one.file.lastModified === file.lastModified)) enqueue(file, type);
  }
  say(find("upload-problem"), problems.join(" "));
  next();
}

function enqueue(file, type) {
  const transfer = new Transfer(file, type, name, update);
  const before = [...rows.keys()].find((one) => !(one instanceof Transfer) && one.id === transfer.id);
  if (before) drop(before);
  rows.set(transfer, row(transfer));
  update(transfer);
}

/** Send the first file that waits, unless one is being sent. */
function next() {
  if (isSending()) return;
  const transfer = transfers().find((one) => one.state === "waiting");
  if (!transfer) return;
  transfer.run().then(() => {
    if (transfer.state === "sent") changed();
    next();
  });
  changed();
}

/** What stopped because nobody was logged in goes on. */
function wake() {
  for (const transfer of transfers()) if (transfer.state === "failed" && transfer.status === 401) again(transfer);
}

function again(transfer) {
  transfer.set("waiting");
  next();
}

function row(transfer) {
  const bar = make("progress", { max: transfer.file.size, value: 0, ariaLabel: `Upload of ${transfer.file.name}` });
  const text = make("small", { dir: "auto" });
  const button = (label, work) => {
    const made = make("button", { type: "button", className: "small", onclick: work }, label);
    made.append(make("span", { className: "hidden" }, ` ${transfer.file.name}`));
    return made;
  };
  const parts = {
    bar, text,
    pause: button("Pause", () => { transfer.halt(); next(); }),
    resume: button("Resume", () => again(transfer)),
    remove: button("Remove", () => remove(transfer)),
  };
  const about = make("div", { className: "about" }, make("strong", { dir: "auto" }, transfer.file.name), bar, text);
  parts.element = make("li", {}, about, parts.pause, parts.resume, parts.remove);
  find("upload-list").append(parts.element);
  return parts;
}

/** The row of an upload from before: a page cannot open a file by itself. */
function interrupted(before) {
  const about = make("div", { className: "about" }, make("strong", { dir: "auto" }, before.name), make("small", {}, "Was interrupted. Choose or drop the same file, and it goes on."));
  const pick = make("button", { type: "button", className: "small", onclick: () => find("files").click() }, "Choose", make("span", { className: "hidden" }, ` ${before.name}`));
  const remove = make("button", { type: "button", className: "small", onclick: () => abandon(before) }, "Remove", make("span", { className: "hidden" }, ` ${before.name}`));
  const element = make("li", {}, about, pick, remove);
  find("upload-list").append(element);
  return { element };
}

function update(transfer) {
  const parts = rows.get(transfer);
  if (!parts) return;
  const { state, sent, file, problem, speed } = transfer;
  parts.bar.value = sent;
  say(parts.text, problem || words(state, sent, file.size, speed));
  parts.element.classList.toggle("broken", state === "failed");
  parts.element.dataset.state = state;
  show(parts.bar, state === "sending" || state === "paused");
  show(parts.pause, state === "sending" || state === "waiting");
  show(parts.resume, state === "paused" || state === "failed");
  show(parts.remove, state !== "sending");
}

function words(state, sent, total, speed) {
  const part = `${Math.floor((sent / total) * 100)} % of ${size(total)}`;
  if (state === "waiting") return `Waits, ${size(total)}`;
  if (state === "paused") return `Paused at ${part}`;
  if (state === "sent") return "Is there; it is being checked.";
  return speed ? `${part}, ${size(speed)}/s, ${about((total - sent) / speed)} left` : part;
}

function drop(one) {
  if (one instanceof Transfer) one.halt();
  rows.get(one).element.remove();
  rows.delete(one);
}

async function remove(transfer) {
  if (transfer.state === "sent" || !transfer.id) return drop(transfer);
  if (await abandon(transfer)) find("files").focus();
}

/** Give up an upload that has begun. The server removes it now, or after a day where this key may not delete. */
async function abandon(one) {
  const answer = await ask({ heading: "Give up this upload?", text: "What was sent so far is lost.", yes: "Give up", no: "Keep" });
  if (answer !== "yes") return false;
  forget(one.id);
  drop(one);
  await call("DELETE", `api/v1/videos/${one.id}`).catch((problem) => {
    if (problem.status !== 403 && problem.status !== 404) say(find("upload-problem"), problem.message);
  });
  changed();
  return true;
}
