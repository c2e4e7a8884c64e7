"""Where viewers find what is published, as the public address of MediaMTX has it."""

from __future__ import annotations

from urllib.parse import urlsplit


class PlayUrls:
    """Where viewers find what is published to a path."""

    def __init__(self, *, public: str | None, hls: str | None, webrtc: str | None, rtsp: str | None) -> None:
        """`public` is scheme and host, with MediaMTX's usual ports; the others are whole, for where that is not so."""
        self._hls = hls or _with_port(public, 8888)
        self._webrtc = webrtc or _with_port(public, 8889)
        self._rtsp = rtsp or _with_port(public, 8554, scheme="rtsp")

    def of(self, path: str) -> dict[str, str]:
        """The addresses for HLS, WebRTC (WHEP) and RTSP that are known."""
        urls = {}
        if self._hls:
            urls["hls"] = f"{self._hls}/{path}/index.m3u8"
        if self._webrtc:
            urls["webrtc"] = f"{self._webrtc}/{path}/whep"
        if self._rtsp:
            urls["rtsp"] = f"{self._rtsp}/{path}"
        return urls


def _with_port(public: str | None, port: int, *, scheme: str | None = None) -> str | None:
    if public is None:
        return None
    parts = urlsplit(public)
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    base = f"{scheme or parts.scheme}://{host}:{port}"
    return base if scheme else base + parts.path
