// The calls to the box.

import { caller } from "./call.js";

export { Problem } from "./call.js";

export const { call, request } = caller({
  who: "box",
  program: "cast-agent",
  advice: "See whether it is switched on and in the same network.",
  answerMs: 20_000, // A start that waits for nothing answers within 3 s, a snapshot of a busy box within 10.
});
