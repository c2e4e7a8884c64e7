// Publishing over WebRTC: WHIP, RFC 9725.

import { connect } from "./signalling.js";

/**
 * Send what a camera sees and a microphone hears to the endpoint at `url`, with the stream key. `lost` is called if the
 * connection ends by itself. Resolves to a function that ends it.
 */
export function publish(stream, url, key, lost) {
  const peer = new RTCPeerConnection();
  for (const track of stream.getTracks()) {
    const transceiver = peer.addTransceiver(track, { direction: "sendonly", streams: [stream] });
    if (track.kind === "video") transceiver.setCodecPreferences(codecs());
  }
  return connect(peer, url, key, lost);
}

/** H.264 first: the media server can record it, and send it over HLS. Neither is so with VP8, the usual first. */
function codecs() {
  const all = RTCRtpSender.getCapabilities("video").codecs;
  const isFirst = ({ mimeType }) => mimeType.toLowerCase() === "video/h264";
  return [...all.filter(isFirst), ...all.filter((codec) => !isFirst(codec))];
}
