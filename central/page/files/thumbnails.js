// The pictures over the length of a film, which are one sheet of the server: fetched when somebody looks for them.

import { make } from "./dom.js";
import { below } from "./server.js";

export const COUNT = 100;
const COLUMNS = 10; // And as many rows.

/** A picture of the film behind that path, and a function that has it show the one of this number, from 0 on. */
export function thumbnail(path) {
  const sheet = make("img", { src: below(path) });
  const element = make("canvas", { ariaHidden: "true" });
  let wanted = 0;
  const draw = () => {
    if (!sheet.naturalWidth) return; // It is on its way, or the video has just been deleted.
    const [width, height] = [sheet.naturalWidth / COLUMNS, sheet.naturalHeight / COLUMNS];
    Object.assign(element, { width, height });
    element.getContext("2d").drawImage(sheet, (wanted % COLUMNS) * width, Math.floor(wanted / COLUMNS) * height, width, height, 0, 0, width, height);
  };
  sheet.addEventListener("load", draw);
  const showAt = (number) => {
    wanted = Math.min(COUNT - 1, Math.max(0, Math.floor(number)));
    draw();
  };
  return { element, showAt };
}
