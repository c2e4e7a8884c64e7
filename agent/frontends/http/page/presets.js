// The dialog in which a preset is made, changed and deleted.

import { Problem, call } from "./box.js";
import { ask, find, say, show } from "./dom.js";

let editing = null; // The preset as the box told it last; null for a new one.
let base = {}; // What a new one gets beside what is typed.

const form = find("preset-form");
const inputs = [...form.querySelectorAll("input[name]")];

/**
 * `act` runs a call and passes on what went wrong. After a change `refresh` has the list fetched, and `focus(id)` goes to
 * the preset in it; null after a deletion.
 */
export function setUpPresets(act, refresh, focus) {
  const run = async (work, button) => {
    if (button.ariaBusy === "true") return; // pressed twice
    complain("");
    let outcome = {};
    await act(async () => {
      outcome = await work();
      if (outcome.done) await refresh(); // first, so that nobody edits what was there before
    }, button, complain);
    if (!outcome.done) return;
    find("preset").close();
    focus(outcome.id);
  };
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    run(save, find("preset-save"));
  });
  form.addEventListener("input", () => {
    complain("");
    offerKinds();
  });
  find("preset-delete").addEventListener("click", (event) => run(remove, event.currentTarget));
  find("preset-cancel").addEventListener("click", () => find("preset").close());
}

/** Show a preset; it can be changed unless it is one of the configuration or broken. */
export function editPreset(preset) {
  editing = preset;
  base = {};
  const fixed = preset.source === "configuration";
  const why = fixed ? "It is part of the configuration of the box. Change it there, and run systemctl reload cast-agent." : "";
  const advice = preset.problem && !fixed ? "Delete it, and add it again." : "";
  open(nameOf(preset), [preset.problem, why, advice, plays(preset)].filter(Boolean).join(" "), preset);
  find("preset-fields").disabled = fixed || Boolean(preset.problem);
  show(find("preset-fields"), !preset.problem);
  show(find("preset-delete"), !fixed);
  show(find("preset-save"), !fixed && !preset.problem);
}

/** Ask for a new preset. `shown` is in the fields already; `from` names what the box takes the address of. */
export function newPreset(shown = {}, from = null) {
  editing = null;
  base = from ? { ...from, title: shown.title } : {};
  open("New preset", plays(shown), shown);
  find("preset-fields").disabled = false;
  show(find("preset-fields"), true);
  show(find("preset-delete"), false);
  show(find("preset-save"), true);
}

function open(heading, note, shown) {
  say(find("preset-heading"), heading);
  say(find("preset-note"), note);
  say(find("preset-cancel"), "Cancel");
  complain("");
  fill(shown);
  find("preset").showModal();
  find(shown.title ? "preset-heading" : "preset-title").focus();
}

/** Put these values into the fields, as those that have not been changed. */
function fill(preset) {
  const joins = Boolean(plays(preset));
  show(find("preset-address"), !joins);
  find("preset-address").querySelector("input").required = !joins;
  for (const input of inputs) {
    if (isTicked(input)) input.defaultChecked = ticked(input, preset);
    else input.defaultValue = typed(input, preset[input.name]);
  }
  form.reset();
  offerKinds();
}

/** Ask what is at the address, unless it is that of what was played: the box knows it, and what is there. */
function offerKinds() {
  const { url } = form.elements;
  const isKnown = (base.recent || base.session_id) && url.value === url.defaultValue;
  show(find("preset-kind"), !find("preset-address").hidden && !isKnown);
}

const isTicked = (input) => input.type === "checkbox" || input.type === "radio";
const ticked = (input, preset) => input.type === "radio" ? input.value === (preset[input.name] ?? "") : preset[input.name] ?? false;

/** A value as it is in its field. */
const typed = (input, value) => value === undefined || value === null ? "" : String(input.type === "number" ? Number((value * scale(input)).toFixed(3)) : value);
const scale = (input) => Number(input.dataset.scale ?? 1);

/** What was changed in the fields; null for what was emptied. */
function changes() {
  const changed = inputs.filter((input) => isTicked(input) ? input.checked !== input.defaultChecked : input.value !== input.defaultValue);
  const fields = Object.fromEntries(changed.filter(isAsked).map((input) => [input.name, read(input)]));
  return fields.as === null ? { ...fields, page: null } : fields; // A stream has nothing that only a page has.
}

/** Not what is hidden, nor of two radio buttons the one that is not chosen. */
const isAsked = (input) => !input.closest("[hidden]") && (input.type !== "radio" || input.checked);

function read(input) {
  if (input.type === "checkbox") return input.checked;
  const text = input.value.trim();
  if (!text) return null;
  return input.type === "number" ? Number(text) / scale(input) : text;
}

/** Save what was typed; a change by somebody else is shown first. */
async function save() {
  const changed = changes();
  if (editing && !Object.keys(changed).length) return { done: true, id: editing.id };
  for (;;) {
    try {
      const preset = editing ? await call("PATCH", path(), changed, match()) : await call("POST", "presets", added(changed));
      return { done: true, id: preset.id };
    } catch (problem) {
      if (editing && problem.code === "preset_not_found") throw deleted();
      if (problem.code !== "preset_conflict") throw problem;
      const { preset } = problem.body;
      const answer = await ask({ heading: "Somebody else has changed this preset", text: differences(preset), yes: "Save mine", no: "Show theirs" });
      if (answer) editing = preset;
      if (answer === "no") fill(preset);
      if (answer !== "yes") return {};
    }
  }
}

/** The body of a new preset. An address that is typed takes the place of that of what was played. */
function added(changed) {
  if (!("url" in changed)) return { ...base, ...changed };
  const { recent, session_id, ...rest } = base;
  return { ...rest, as: form.elements.as.value || null, ...changed };
}

/** The preset becomes a new one, with all that it had. */
function deleted() {
  const { id, etag, source, problem, ...fields } = editing;
  base = fields;
  editing = null;
  show(find("preset-delete"), false);
  const secret = fields.url?.includes("***") ? " Type the whole address first: the box does not know what *** stood for any more." : "";
  return new Problem(404, "deleted", `Somebody else has deleted this preset. Save it to keep it as a new one.${secret}`);
}

async function remove() {
  let text = `“${nameOf(editing)}” will be gone for everyone who uses this box.`;
  for (;;) {
    const answer = await ask({ heading: "Delete this preset?", text, yes: "Delete", no: "Keep" });
    if (answer !== "yes") return {};
    try {
      await call("DELETE", path(), undefined, match());
      return { done: true, id: null };
    } catch (problem) {
      if (problem.code === "preset_not_found") return { done: true, id: null };
      if (problem.code !== "preset_conflict") throw problem;
      text = `Somebody else has changed it. ${differences(problem.body.preset)}`;
      editing = problem.body.preset;
      fill(editing);
    }
  }
}

/** What a preset has that was not in the fields when they were filled, in words. */
function differences(preset) {
  const different = inputs.filter((input) => isTicked(input) ? input.defaultChecked !== ticked(input, preset) : input.defaultValue !== typed(input, preset[input.name]));
  const words = different.filter((input) => input.type !== "radio" || ticked(input, preset)).map((input) => {
    const label = input.labels[0].textContent.trim();
    if (input.type === "radio") return label;
    return `${label}: ${input.type === "checkbox" ? (preset[input.name] ? "yes" : "no") : typed(input, preset[input.name]) || "none"}`;
  });
  return words.length ? `It is now: ${words.join("; ")}.` : "What differs is not among these fields.";
}

function complain(text, problem) {
  say(find("preset-problem"), text);
  const wrong = new Set(problem?.body?.errors?.map((error) => error.field));
  for (const input of inputs) if (input.type !== "radio") input.setAttribute("aria-invalid", String(wrong.has(input.name)));
  inputs.find((input) => wrong.has(input.name))?.focus();
}

const path = () => `presets/${encodeURIComponent(editing.id)}`;
const match = () => ({ headers: { "If-Match": `"${editing.etag}"` } });
const nameOf = (preset) => preset.title || preset.id;

/** What a preset plays that has no address. */
function plays({ code, stream_id: stream, video_id: video }) {
  if (video) return `Plays the video ${video} of the central API.`;
  return code || stream ? `Plays the stream ${code || stream} of the central API.` : "";
}
