// The calls to the central API.

import { caller } from "./call.js";

export { Problem } from "./call.js";

export const { call } = caller({
  who: "server",
  program: "cast-central",
  advice: "The page tries again.",
  answerMs: 30_000, // A reservation waits for a disk, a list for a database that is busy.
});

/** A path of the service, as its answers have it, seen from the page: it may be below a path of a proxy. */
export const below = (path) => path.replace(/^\//, "");
