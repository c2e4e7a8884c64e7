// Watching over WebRTC: WHEP.

import { connect } from "./signalling.js";

/**
 * Show the stream of the endpoint at `url` in a `<video>`. The join code opens it where that is needed. `lost` is called
 * if the connection ends by itself. Resolves to a function that ends it.
 */
export function watch(video, url, code, lost) {
  const peer = new RTCPeerConnection();
  const stream = new MediaStream();
  for (const kind of ["video", "audio"]) peer.addTransceiver(kind, { direction: "recvonly" });
  peer.ontrack = ({ track }) => stream.addTrack(track);
  video.srcObject = stream;
  return connect(peer, url, code, lost);
}
