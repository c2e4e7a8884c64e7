// The calls to the box. Addresses are relative, so the page also works below a path of a proxy.

const ANSWER_MS = 20_000; // A start that waits for nothing answers within 3 s, a snapshot of a busy box within 10.

/** What the box answered instead of doing what it was asked; the message says what to do, `body` is all of it. */
export class Problem extends Error {
  constructor(status, code, detail, body = {}) {
    super(detail);
    this.status = status;
    this.code = code;
    this.body = body;
  }
}

/** The answer to a call as JSON. Throws Problem, also when there is no answer. */
export async function call(method, path, body, options) {
  const answer = await request(method, path, body, options);
  return answer.json().catch(() => { throw strange(answer.status); });
}

/** The answer to a call as it is. */
export async function request(method, path, body, { signal = AbortSignal.timeout(ANSWER_MS), headers = {} } = {}) {
  let answer;
  try {
    answer = await fetch(path, { method, headers, signal, body: body === undefined ? undefined : JSON.stringify(body), cache: method === "GET" ? "no-cache" : "default" });
  } catch (error) {
    throw new Problem(0, error.name === "AbortError" ? "aborted" : "unreachable", "The box does not answer. See whether it is switched on and in the same network.");
  }
  if (answer.ok) return answer;
  const problem = await answer.json().catch(() => { throw strange(answer.status); });
  throw new Problem(answer.status, problem.code ?? "", problem.detail ?? `The box refused that (${answer.status}).`, problem);
}

const strange = (status) => new Problem(status, "strange", `The answer (${status}) is not from a cast-agent. See whether a proxy stands between.`);
