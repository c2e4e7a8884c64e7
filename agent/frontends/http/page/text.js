// Times and states in words.

/** `1:02:03` or `2:03` from seconds. */
export function clock(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  const [h, m, s] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  return h ? `${h}:${pad(m)}:${pad(s)}` : `${m}:${pad(s)}`;
}

/** `1 hour 2 minutes` from seconds, for people who listen. */
export function spoken(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  const parts = [[Math.floor(whole / 3600), "hour"], [Math.floor(whole / 60) % 60, "minute"], [whole % 60, "second"]];
  const said = parts.filter(([count]) => count).map(([count, unit]) => `${count} ${unit}${count === 1 ? "" : "s"}`);
  return said.join(" ") || "0 seconds";
}

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

const pad = (number) => String(number).padStart(2, "0");
