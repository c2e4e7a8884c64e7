// The views of all videos.

import { chart, table } from "./chart.js";
import { find, refill, say } from "./dom.js";
import { call } from "./server.js";
import { clock } from "./times.js";
import { views } from "./words.js";

const VIDEOS = 50; // The most viewed ones; the CSV has all.
const DAY_MS = 24 * 3600 * 1000;

/** The query for the last days, today with them. */
export const lastDays = (number) => `from=${new Date(Date.now() - (number - 1) * DAY_MS).toISOString().slice(0, 10)}`;

let asked = 0;

export function setUpStatistics(refresh) {
  find("days").addEventListener("change", refresh);
}

/** Fetch them. False: nothing in them changes by itself. */
export async function refreshStatistics() {
  const days = lastDays(find("days").value);
  const turn = ++asked;
  const found = await call("GET", `api/v1/analytics?${days}&limit=${VIDEOS}`);
  if (turn !== asked) return true; // Other days have been asked for meanwhile.
  find("statistics-csv").href = `api/v1/analytics?${days}&format=csv`;
  say(find("statistics-total"), views(found.total));
  refill(find("statistics-chart"), [found.from, found.to, found.by_day], () => chart(found));
  const rows = found.videos.map(({ title, video_id: id, views, completed, seconds }) => [title ?? id, views, completed, clock(seconds)]);
  refill(find("statistics-videos"), rows, () => rows.length ? [table("The most viewed", ["Video", "Views", "To the end", "Time"], rows)] : []);
  return false;
}
