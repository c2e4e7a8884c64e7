"""The addresses at which viewers find published streams, under the public address of MediaMTX."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import parse_qsl, urlsplit

from central.core.secrets import TOKEN_PATTERN

HIDDEN: Final = "***"
"""The replacement of a secret in an address."""

NO_VIEWERS: Final = "Viewers get no addresses of what is published: set mediamtx.public_url."
"""The hint for when no public address is known."""

# A box hides all of these, and more, before it tells an address: it would not get a stream otherwise.
_SECRET_NAME: Final = re.compile(
    r"auth|authorization|hmac|pass|sig|(.*[_.-])?(key|apikey|accesskey|streamkey|jwt|passphrase|passwd|pwd|credentials?)"
    r"|.*(password|secret|signature|token)",
    re.IGNORECASE,
)


def holds_secret(url: str) -> bool:
    """Return True if an address holds a user name, a password, or a token in its query. Raises ValueError if it is no
    address."""
    parts = urlsplit(url)
    if parts.username or parts.password or TOKEN_PATTERN.search(url):
        return True
    asked = parse_qsl(f"{parts.query}&{parts.fragment}")
    return any(value != HIDDEN and _SECRET_NAME.fullmatch(name[:100]) for name, value in asked)


class PlayUrls:
    """The addresses at which viewers find a published path."""

    def __init__(self, *, public: str | None, hls: str | None, webrtc: str | None, rtsp: str | None) -> None:
        """`public` is scheme and host, with MediaMTX's usual ports; the others are whole, for where that is not so."""
        self._hls = hls or with_port(public, 8888)
        self._webrtc = webrtc or with_port(public, 8889)
        self._rtsp = rtsp or with_port(public, 8554, scheme="rtsp")

    @property
    def are_known(self) -> bool:
        """Return True if viewers can be told any address."""
        return bool(self._hls or self._webrtc or self._rtsp)

    @property
    def origins(self) -> tuple[str, ...]:
        """The origin with which a page negotiates WebRTC; none if that is not known."""
        if self._webrtc is None:
            return ()
        parts = urlsplit(self._webrtc)
        return (f"{parts.scheme}://{parts.netloc}",)

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


def with_port(public: str | None, port: int, *, scheme: str | None = None) -> str | None:
    """The public address with this port, and with this scheme where one is named. None without an address."""
    if public is None:
        return None
    parts = urlsplit(public)
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    base = f"{scheme or parts.scheme}://{host}:{port}"
    return base if scheme else base + parts.path
