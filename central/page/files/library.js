// The list of the library: what is there, and what is being made of it.

import { find, make, onButton, refill, say, show } from "./dom.js";
import { below, call } from "./server.js";
import { COUNT, thumbnail } from "./thumbnails.js";
import { MAKING, STATES, facts } from "./words.js";

const PAGE = 24; // Videos of one page: two, three or four in a row leave no gap.
const JOBS = 200; // The most that the server tells at once.
const TYPED_MS = 300; // After the last letter of a search.

const cards = new Map(); // What is shown, by the id of the video.
const tags = new Set(); // Those that were seen: they are offered.
let cursors = [null]; // Of the page that is shown, and of those before it.
let next = null;
let asked = 0;
let known = [];

/** `refresh` has the view fetched again, `open(video, jobs)` shows a video. */
export function setUpLibrary(refresh, open) {
  find("state").append(...Object.entries(STATES).map(([state, text]) => make("option", { value: state }, text)));
  const first = () => {
    cursors = [null];
    refresh();
  };
  let typing = 0;
  find("filter").addEventListener("submit", (event) => event.preventDefault());
  find("filter").addEventListener("input", () => {
    clearTimeout(typing);
    typing = setTimeout(first, TYPED_MS);
  });
  const turn = (work) => () => {
    work();
    refresh();
    find("shelf").scrollIntoView();
  };
  find("older").addEventListener("click", turn(() => cursors.push(next)));
  find("newer").addEventListener("click", turn(() => cursors.pop()));
  onButton("videos", { open: (id) => open(known.find((video) => video.id === id)) });
}

/** Fetch the page that is shown. True if something in it changes by itself. */
export async function refreshLibrary() {
  const turn = ++asked;
  const [page, ...active] = await Promise.all([call("GET", `api/v1/videos?${query()}`), jobs("running"), jobs("queued")]);
  if (turn !== asked) return true; // Another page has been asked for meanwhile.
  known = page.items;
  next = page.next_cursor;
  const making = new Map(active.flat().map((job) => [job.video_id, job]).reverse()); // The running ones win.
  showCards(known, making);
  show(find("newer"), cursors.length > 1);
  show(find("older"), next !== null);
  say(find("shelf-state"), known.length ? "" : isFiltered() ? "No video is like that." : "There is nothing in the library yet.");
  for (const tag of known.flatMap((video) => video.tags)) tags.add(tag);
  refill(find("tags"), [...tags], () => [...tags].sort().map((value) => make("option", { value })));
  return known.some((video) => ["checking", "transcoding"].includes(video.state) || making.has(video.id));
}

const jobs = async (state) => (await call("GET", `api/v1/jobs?state=${state}&limit=${JOBS}`)).items;

const filters = () => ({ q: find("search").value.trim(), state: find("state").value, tag: find("tag").value.trim().toLowerCase() });
const isFiltered = () => Object.values(filters()).some(Boolean);

function query() {
  const fields = { limit: PAGE, cursor: cursors.at(-1), ...filters() };
  return new URLSearchParams(Object.entries(fields).filter(([, value]) => value));
}

/** Change what has changed in place, so that the focus stays where it is. */
function showCards(videos, making) {
  for (const [id, card] of cards) {
    if (videos.some((video) => video.id === id)) continue;
    card.element.remove();
    cards.delete(id);
  }
  videos.forEach((video, place) => {
    if (!cards.has(video.id)) cards.set(video.id, made(video));
    const card = cards.get(video.id);
    fill(card, video, making.get(video.id));
    const list = find("videos");
    if (list.children[place] !== card.element) list.insertBefore(card.element, list.children[place] ?? null);
  });
}

function made({ id }) {
  const card = {
    picture: make("div", { className: "poster" }),
    title: make("button", { type: "button", dir: "auto" }),
    facts: make("small", {}),
    state: make("small", { className: "state" }),
    bar: make("progress", { max: 1 }),
    problem: make("p", { className: "problem", dir: "auto" }),
    tags: make("p", { className: "tags" }),
  };
  Object.assign(card.title.dataset, { do: "open", id });
  let shown = null;
  const about = make("div", { className: "about" }, make("h3", {}, card.title), card.facts, card.state, card.bar, card.problem, card.tags);
  card.element = make("li", {}, card.picture, about);
  card.element.addEventListener("pointermove", ({ pointerType, clientX }) => {
    if (pointerType !== "mouse" || !card.thumbnails) return; // Whoever has none finds a slider in the dialog.
    if (!shown) card.picture.append((shown = thumbnail(card.thumbnails)).element);
    const { left, width } = card.picture.getBoundingClientRect();
    shown.showAt(((clientX - left) / width) * COUNT);
  });
  card.element.addEventListener("pointerleave", () => {
    shown?.element.remove();
    shown = null;
  });
  return card;
}

function fill(card, video, job) {
  card.thumbnails = video.thumbnails;
  say(card.title, video.title);
  say(card.facts, facts(video));
  const { state, size, received } = video;
  const progress = state === "uploading" ? received / size : state === "checking" || !job ? null : job.progress;
  const part = progress === null ? "" : `, ${Math.floor(progress * 100)} %`;
  const making = state === "ready" && job ? `; ${MAKING[job.kind] ?? `${job.kind} is`} being made${part}` : part;
  say(card.state, STATES[state] + making);
  card.element.dataset.state = state;
  show(card.bar, state === "checking" || progress !== null);
  card.bar.ariaLabel = `${STATES[state]}: ${video.title}`;
  if (progress === null) card.bar.removeAttribute("value");
  else card.bar.value = progress;
  say(card.problem, video.problem ?? "");
  refill(card.tags, video.tags, () => video.tags.map((tag) => make("bdi", {}, tag)));
  refill(card.picture, video.poster, () => [video.poster ? make("img", { src: below(video.poster), alt: "", loading: "lazy" }) : document.querySelector("header .mark").cloneNode(true)]);
}
