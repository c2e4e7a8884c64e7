// What WHIP (RFC 9725) and WHEP have in common: one offer with all candidates, one answer, and a session to be deleted.

const GATHERING_MS = 2000; // A candidate that takes longer is none of a network that is here.
const ANSWER_MS = 10_000;
const WRONG = {
  401: "The media server does not accept the key, or another publisher is there.",
  404: "The stream is not on.",
};

/**
 * Connect `peer` with the endpoint at `url`. `lost` is called once if the connection ends by itself. Resolves, once it is
 * there, to a function that ends it.
 */
export async function connect(peer, url, token, lost) {
  let session = null;
  const end = () => {
    peer.onconnectionstatechange = null;
    peer.close();
    if (session) fetch(session, { method: "DELETE", keepalive: true }).catch(() => {}); // It ends without, too, only later.
    session = null;
  };
  try {
    await peer.setLocalDescription();
    await gathered(peer);
    const answer = await post(url, token, peer.localDescription.sdp);
    session = answer.headers.get("Location") && new URL(answer.headers.get("Location"), url);
    await peer.setRemoteDescription({ type: "answer", sdp: await answer.text() });
    await connected(peer);
  } catch (error) {
    end();
    throw error;
  }
  peer.onconnectionstatechange = () => {
    if (!["failed", "closed"].includes(peer.connectionState)) return;
    end();
    lost();
  };
  return end;
}

async function post(url, token, offer) {
  const headers = { "Content-Type": "application/sdp", ...(token ? { Authorization: `Bearer ${token}` } : {}) };
  const answer = await fetch(url, { method: "POST", headers, body: offer, signal: AbortSignal.timeout(ANSWER_MS) }).catch(() => {
    throw new Error("The media server does not answer at its address for WebRTC.");
  });
  if (answer.status === 201) return answer;
  throw new Error(WRONG[answer.status] ?? `The media server refused the connection (${answer.status}).`);
}

const gathered = (peer) => when(peer, "icegatheringstatechange", () => peer.iceGatheringState === "complete", GATHERING_MS);

async function connected(peer) {
  await when(peer, "connectionstatechange", () => ["connected", "failed", "closed"].includes(peer.connectionState), ANSWER_MS);
  if (peer.connectionState === "connected") return;
  throw new Error("The media server answers, but no picture gets through. See whether its UDP port can be reached.");
}

/** Wait for an event after which something is so, and no longer than that. */
function when(target, kind, isSo, most) {
  return new Promise((resolve) => {
    const look = () => {
      if (!isSo()) return;
      clearTimeout(timer);
      target.removeEventListener(kind, look);
      resolve();
    };
    const timer = setTimeout(() => {
      target.removeEventListener(kind, look);
      resolve();
    }, most);
    target.addEventListener(kind, look);
    look();
  });
}
