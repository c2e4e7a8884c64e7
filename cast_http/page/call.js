// Calls to a service of ours. Addresses are relative, so a page also works below a path of a proxy.

/** What the service answered instead of doing what it was asked; the message says what to do, `body` is all of it. */
export class Problem extends Error {
  constructor(status, code, detail, body = {}) {
    super(detail);
    this.status = status;
    this.code = code;
    this.body = body;
  }
}

/**
 * The calls to one service. `who` it is and `program` are for sentences, `advice` says what to do when it does not
 * answer within `answerMs`. `call` answers JSON, `request` the answer as it is; both throw Problem.
 */
export function caller({ who, program, advice, answerMs }) {
  const strange = (status) => new Problem(status, "strange", `The answer (${status}) is not from a ${program}. See whether a proxy stands between.`);

  async function request(method, path, body, { signal = AbortSignal.timeout(answerMs), headers = {} } = {}) {
    let answer;
    try {
      answer = await fetch(path, { method, headers, signal, body: body === undefined ? undefined : JSON.stringify(body), cache: method === "GET" ? "no-cache" : "default" });
    } catch (error) {
      throw new Problem(0, error.name === "AbortError" ? "aborted" : "unreachable", `The ${who} does not answer. ${advice}`);
    }
    if (answer.ok) return answer;
    const problem = await answer.json().catch(() => { throw strange(answer.status); });
    throw new Problem(answer.status, problem.code ?? "", problem.detail ?? `The ${who} refused that (${answer.status}).`, problem);
  }

  async function call(method, path, body, options) {
    const answer = await request(method, path, body, options);
    if (answer.status === 204) return null;
    return answer.json().catch(() => { throw strange(answer.status); });
  }

  return { call, request };
}
