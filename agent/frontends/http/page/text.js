// Names and states in words.

/** The name of a stream: its title, else the last part of its address. */
export function nameOf(stream) {
  if (stream.title) return stream.title;
  if (!stream.url) return stream.code ? `Stream ${stream.code}` : "Stream";
  try {
    const url = new URL(stream.url);
    const last = url.pathname.split("/").filter(Boolean).pop();
    return last ? decodeURIComponent(last) : url.host;
  } catch {
    return stream.url;
  }
}

/** What a stream does, in a few words. */
export function stateOf(stream, onScreen) {
  if (stream.error && stream.retry_at) return "Reconnecting";
  if (stream.session_state === "waiting") return "Waiting";
  if (onScreen && onScreen !== stream.session_id) return "Opening; the picture from before stays on until then";
  if (stream.session_state === "pending" || stream.session_state === "starting") return "Opening";
  const words = { idle: "Opening", loading: "Opening", buffering: "Buffering", playing: "Playing", paused: "Paused" };
  return words[stream.state] ?? stream.state;
}

/** How the stream that was on last has ended. */
export function endOf(last) {
  const words = { finished: "ended", stopped: "was stopped", replaced: "was replaced", expired: "ended: its time was over", failed: "failed", shutdown: "ended with the agent" };
  return `${nameOf(last)} ${words[last.reason] ?? "ended"}`;
}
