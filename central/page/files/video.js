// The dialog of one video: what it is, what was made of it, how often it was shown, and what can be done with it.

import { chart, table } from "./chart.js";
import { about, ask, describe, fill as fillSlider, find, make, onButton, refill, say, show } from "./dom.js";
import { call } from "./server.js";
import { lastDays } from "./statistics.js";
import { COUNT, thumbnail } from "./thumbnails.js";
import { clock, spoken } from "./times.js";
import { STATES, TO_MAKE, facts, size, views } from "./words.js";

const KINDS = ["1080p", "720p", "480p", "poster", "thumbnails"];
const DAYS = 30;
const BOXES = 200; // The most that the server tells at once; the CSV has all.

const dialog = find("video");
const form = find("video-form");
const fields = [...form.querySelectorAll("input")];
const slider = find("video-position");
let shown = null;
let isAdmin = false;
let frame = null;
let asked = 0;

/** `act` runs a call and passes on what went wrong; `refresh` has the list fetched again. */
export function setUpVideo(act, refresh) {
  const run = (work, button) => act(work, button, complain);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    run(save, find("video-save"));
  });
  slider.addEventListener("input", look);
  find("video-close").addEventListener("click", () => dialog.close());
  find("video-delete").addEventListener("click", (event) => run(remove, event.currentTarget));
  find("video-statistics").addEventListener("toggle", (event) => event.target.open && run(showStatistics, null));
  onButton("made-more", { make: (kind, button) => run(() => order(kind), button) });
  onButton("made-list", { cancel: (id, button) => run(() => cancel(id), button) });
  dialog.addEventListener("close", refresh);
}

/** Show a video to the holder of a key with this role. */
export async function openVideo(video, role) {
  shown = video;
  asked += 1;
  isAdmin = role === "admin";
  complain("");
  find("video-statistics").open = false;
  for (const id of ["video-chart", "video-boxes"]) refill(find(id), null, () => []);
  say(find("video-total"), "");
  for (const input of fields) input.defaultValue = typed(input.name);
  form.reset();
  slider.value = 0;
  fill([]);
  dialog.showModal();
  find("video-heading").focus();
}

/** Fetch what the dialog shows, if it is open. True if something in it changes by itself. */
export async function refreshVideo() {
  if (!dialog.open) return false;
  const turn = ++asked;
  const [video, jobs] = await Promise.all([call("GET", path()), call("GET", `api/v1/jobs?video_id=${shown.id}`)]);
  if (turn !== asked) return true; // Something has been ordered meanwhile, or another video opened.
  shown = video;
  fill(jobs.items);
  return jobs.items.some(isActive) || ["checking", "transcoding"].includes(video.state);
}

function fill(jobs) {
  const { title, state, problem, type, video_codec: picture, audio_codec: sound, made_by: by, created_at: at, renditions, thumbnails } = shown;
  say(find("video-heading"), title);
  say(find("video-state"), [STATES[state], problem].filter(Boolean).join(". "));
  const told = { What: facts(shown), Type: type, Codecs: [picture, sound].filter(Boolean).join(", ") || null, By: by, Since: new Date(at).toLocaleString("en"), Id: shown.id };
  const known = Object.entries(told).filter(([, value]) => value);
  refill(find("video-facts"), known, () => known.flatMap(([name, value]) => [make("dt", {}, name), make("dd", { dir: "auto" }, value)]));
  for (const input of fields) input.readOnly = !isAdmin;
  for (const id of ["video-save", "video-delete", "video-statistics"]) show(find(id), isAdmin);
  refill(find("video-picture"), thumbnails, () => {
    frame = thumbnails ? thumbnail(thumbnails) : null;
    return frame ? [frame.element] : [];
  });
  show(find("video-look"), Boolean(thumbnails));
  look();
  fillMade(jobs, new Set([...renditions.map((each) => each.kind), ...Object.keys(TO_MAKE).filter((kind) => shown[kind])]));
}

/** Show the picture at the position of the slider. */
function look() {
  const seconds = (slider.value / COUNT) * (shown.duration ?? 0);
  say(find("video-time"), clock(seconds));
  describe(slider, spoken(seconds));
  fillSlider(slider);
  frame?.showAt(Number(slider.value));
}

/** The renditions, the jobs that are not done, and what can be asked for. */
function fillMade(jobs, kinds) {
  const latest = new Map(jobs.toReversed().map((job) => [job.kind, job]));
  const open = [...latest.values()].filter((job) => job.state !== "done" && !kinds.has(job.kind));
  const rows = [
    ...shown.renditions.map(({ kind, width, height, size: bytes }) => ({ kind, text: `${width} × ${height} · ${size(bytes)}` })),
    ...open.map((job) => ({ kind: job.kind, id: isActive(job) ? job.id : null, text: jobWords(job) })),
  ];
  const focused = dialog.contains(document.activeElement) ? document.activeElement : null;
  refill(find("made-list"), rows, () => rows.map(({ kind, id, text }) => make("li", {}, about("div", kind, text), ...(id ? [button("Cancel", kind, "cancel", id)] : []))));
  const wanted = shown.state === "ready" && shown.type.startsWith("video/") ? KINDS.filter((kind) => !kinds.has(kind) && !open.some((job) => job.kind === kind && isActive(job))) : [];
  refill(find("made-more"), wanted, () => wanted.map((kind) => button("Make", kind, "make", kind)));
  show(find("video-made"), rows.length + wanted.length > 0);
  if (focused && !focused.isConnected) find("video-heading").focus();
}

function button(verb, kind, what, id) {
  const made = make("button", { type: "button", className: "small" }, `${verb} ${TO_MAKE[kind] ?? kind}`);
  Object.assign(made.dataset, { do: what, id });
  return made;
}

const isActive = (job) => job.state === "queued" || job.state === "running";

function jobWords(job) {
  if (job.state === "running") return `Is being made, ${Math.floor(job.progress * 100)} %`;
  if (job.state === "queued") return ["Waits for its turn.", job.problem].filter(Boolean).join(" ");
  return job.problem ?? job.state;
}

async function order(kind) {
  await call("POST", `${path()}/jobs`, { kind });
  await refreshVideo();
}

async function cancel(id) {
  await call("DELETE", `api/v1/jobs/${id}`);
  await refreshVideo();
}

/** What a field begins with. */
const typed = (name) => name === "tags" ? shown.tags.join(", ") : shown[name];

async function save() {
  const changed = fields.filter((input) => input.value !== input.defaultValue);
  const body = Object.fromEntries(changed.map(({ name, value }) => [name, name === "tags" ? value.split(",").map((tag) => tag.trim()).filter(Boolean) : value]));
  if (changed.length) await call("PATCH", path(), body);
  dialog.close();
}

async function remove() {
  const text = `“${shown.title}” will be gone for all screens. Its statistics stay.`;
  if (await ask({ heading: "Delete this video?", text, yes: "Delete", no: "Keep" }) !== "yes") return;
  await call("DELETE", path());
  dialog.close();
}

async function showStatistics() {
  const days = lastDays(DAYS);
  const found = await call("GET", `${path()}/stats?${days}&limit=${BOXES}`);
  find("video-csv").href = `${path()}/stats?${days}&format=csv`;
  say(find("video-total"), `${views(found.total)} These are the last ${DAYS} days.`);
  refill(find("video-chart"), found, () => chart(found));
  const rows = found.by_box.map(({ device_id: box, views, completed, seconds }) => [box, views, completed, clock(seconds)]);
  refill(find("video-boxes"), rows, () => rows.length ? [table("Views by screen", ["Screen", "Views", "To the end", "Time"], rows)] : []);
}

function complain(text, problem) {
  say(find("video-problem"), text);
  const wrong = new Set(problem?.body?.errors?.map((error) => error.field.split(".")[0]));
  for (const input of fields) input.setAttribute("aria-invalid", String(wrong.has(input.name)));
  fields.find((input) => wrong.has(input.name))?.focus();
}

const path = () => `api/v1/videos/${shown.id}`;
