// A chart of the views of each day, and the same as a table.

import { make } from "./dom.js";
import { count } from "./words.js";
import { clock } from "./times.js";

const WIDTH = 600;
const HEIGHT = 140;
const DAY_MS = 24 * 3600 * 1000;

function drawn(tag, attributes, ...children) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

/** A figure of what was shown from one day to another; `days` are those that have views. */
export function chart({ from, to, by_day: days }) {
  const first = Date.parse(from);
  const number = (Date.parse(to) - first) / DAY_MS + 1;
  const most = Math.max(1, ...days.map((day) => day.views));
  const step = WIDTH / number;
  const bars = days.map(({ day, views }) => {
    const height = (views / most) * HEIGHT;
    const x = ((Date.parse(day) - first) / DAY_MS) * step;
    return drawn("rect", { x, y: HEIGHT - height, width: Math.max(1, step * 0.8), height, rx: Math.min(3, step / 4) }, drawn("title", {}, `${day}: ${count(views, "views")}`));
  });
  const label = `The views of each day from ${from} to ${to}, at most ${most}. The table below has the numbers.`;
  const picture = drawn("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT + 1}`, role: "img", "aria-label": label, preserveAspectRatio: "none" }, drawn("path", { class: "ground", d: `M0 ${HEIGHT}.5H${WIDTH}` }), ...bars);
  const ends = make("p", { className: "ends", ariaHidden: "true" }, ...[from, `at most ${count(most, "views")} a day`, to].map((text) => make("span", {}, text)));
  const rows = days.map(({ day, views, completed, seconds }) => [day, views, completed, clock(seconds)]);
  const figure = make("figure", { className: "chart" }, picture, ends);
  return rows.length ? [figure, make("details", {}, make("summary", {}, "As a table"), table("Views by day", ["Day", "Views", "To the end", "Time"], rows))] : [figure];
}

/** A table; the first column names its row. */
export function table(caption, heads, rows) {
  const row = ([name, ...cells]) => make("tr", {}, make("th", { scope: "row", dir: "auto" }, String(name)), ...cells.map((cell) => make("td", {}, String(cell))));
  const head = make("tr", {}, ...heads.map((text) => make("th", { scope: "col" }, text)));
  const whole = make("table", {}, make("caption", {}, caption), make("thead", {}, head), make("tbody", {}, ...rows.map(row)));
  return make("div", { className: "table", tabIndex: 0, role: "region", ariaLabel: caption }, whole);
}
