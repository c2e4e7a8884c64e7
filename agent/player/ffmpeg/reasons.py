"""The reasons why mpv could not play a source: its log lines, made into a code and a sentence for a person.

The wordings are those of FFmpeg 5 (libavformat rtsp.c, tcp.c, http.c) and mpv 0.35 (player/loadfile.c, video/decode).
They are said again in the words of libVLC, so that people read the same sentences whatever the engine is.
"""

from __future__ import annotations

import os
import re
import socket
import ssl
from collections.abc import Iterable
from urllib.parse import urlsplit

from agent.player import reasons as shared
from agent.types import ErrorCode, Failure

_ANSWER = re.compile(r"method \w+ failed: (\d{3})|HTTP error (\d{3})|Server returned (\d{3})")
_RESOLVE = re.compile(r"Failed to resolve hostname (\S+): ")
_TLS = re.compile(r"^tls: ", re.MULTILINE)
_TRANSPORT = re.compile(r"failed: 461|Nonmatching transport|Protocol not supported")
_NOT_FOLLOWED = re.compile(r"Protocol '(\w+)' not on whitelist")
_DECODER = re.compile(r"Failed to initialize a (?:video |audio )?decoder for codec '(\w*)'")


def explain(lines: Iterable[str], url: str) -> Failure | None:
    """The most telling reason in these log lines (oldest first), or None when they hold none."""
    text = "\n".join(lines)
    if transport_refused([text]):
        return Failure(
            ErrorCode.MEDIA_UNSUPPORTED,
            "The camera sends over neither TCP nor UDP: check its RTSP settings.",
        )
    if m := _NOT_FOLLOWED.search(text):
        return Failure(
            ErrorCode.MEDIA_FORBIDDEN,
            f"The stream leads to another kind of address ({m[1]}), which is not followed from here: "
            "use the address that it leads to.",
        )
    if m := _ANSWER.search(text):
        return shared.explain([f"HTTP {next(g for g in m.groups() if g)} error"], url)
    if m := _RESOLVE.search(text):
        return shared.explain([f"cannot resolve {m[1]} : ", text], url)
    if m := _DECODER.search(text):
        return Failure(ErrorCode.MEDIA_DECODE, f"This mpv has no decoder for {m[1] or 'this kind of video'}.")
    if _TLS.search(text):
        return shared.explain(["TLS handshake", text], url)
    return shared.explain([text], url)


def no_connection(error: Exception, url: str) -> Failure:
    """The failure of a connection of our own; `error` is an OSError (those of TLS are, too)."""
    lines = [str(error)]
    if isinstance(error, ssl.SSLError):
        lines.append("TLS handshake")
    elif isinstance(error, socket.gaierror):
        lines.append(f"cannot resolve {urlsplit(url).hostname} : ")
    elif isinstance(error, OSError) and error.errno:
        lines.append(os.strerror(error.errno))
    return shared.explain(lines, url) or not_opened(url)


def refused(url: str, *, unknown_digest: str) -> Failure:
    """The failure of a password that was refused; `unknown_digest` is the algorithm that alone would have done, or
    empty."""
    if unknown_digest:
        return shared.method_unknown(url, unknown_digest)
    failure = shared.explain(["HTTP 401 error"], url)
    assert failure is not None, "libVLC's reasons know it"
    return failure


def password_refused(lines: Iterable[str]) -> bool:
    """Return True if a server answered 401."""
    return any((m := _ANSWER.search(line)) and "401" in m.groups() for line in lines)


def transport_refused(lines: Iterable[str]) -> bool:
    """Return True if an RTSP server refuses the requested transport."""
    return any(_TRANSPORT.search(line) for line in lines)


def undecodable(lines: Iterable[str]) -> bool:
    """Return True if a track cannot be decoded."""
    return any(_DECODER.search(line) for line in lines)


def not_opened(url: str) -> Failure:
    """The failure of media that could not be opened, and the log does not say why."""
    if url.startswith("rtsp"):
        silence = shared.explain(["Connection timed out"], url)
        assert silence is not None, "libVLC's reasons know it"
        return silence
    return shared.nothing_shown(url)


def nothing_to_play(url: str) -> Failure:
    """The failure of media that was opened, and holds neither pictures nor sound that can be decoded."""
    return Failure(
        ErrorCode.MEDIA_UNSUPPORTED,
        "The stream holds no video or sound in a format that mpv knows. Of a camera, choose H.264 or H.265.",
    )


def nothing_shown(url: str) -> Failure:
    """The failure of media that "played" to its end, with nothing to see or hear."""
    return shared.nothing_shown(url)


def broke_off(url: str, *, position: float, duration: float) -> Failure:
    """The failure of media that ended well before its end."""
    return shared.broke_off(url, position=position, duration=duration)
