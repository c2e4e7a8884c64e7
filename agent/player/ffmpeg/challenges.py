"""The password challenges of an RTSP server, as far as FFmpeg can answer them.

FFmpeg before 8 knows Basic and the MD5 digest. Of several challenges it takes the last digest, and where that is of
another algorithm (SHA-256) it says nothing, so that a right password looks like a wrong one.
"""

from __future__ import annotations

import re

_CHALLENGE = re.compile(rb"^WWW-Authenticate:\s*(\w+)\s*(.*?)\s*$", re.IGNORECASE)
_ALGORITHM = re.compile(rb'\balgorithm\s*=\s*"?([\w-]+)', re.IGNORECASE)
_LENGTH = re.compile(rb"^Content-Length:\s*(\d+)\s*$", re.IGNORECASE | re.MULTILINE)

_HEAD_AT_MOST = 16 * 1024
"""Bytes. What is longer is no answer of RTSP, and goes on as it is."""


class Challenges:
    """Passes on what a server says on one connection; of its refusals only what FFmpeg can meet, if that is any."""

    def __init__(self) -> None:
        self.refused = False
        """True if the server asked for a password."""
        self.mended = False
        """True if a challenge that FFmpeg does not know was left out."""
        self.unknown = ""
        """The algorithm of a digest, where there was nothing else."""
        self._held = b""
        self._body_left = 0
        self._looks = True

    def pass_on(self, data: bytes) -> bytes:
        """The part of the data, and of the data held back before, to pass to the player now."""
        if not self._looks:
            return data
        self._held += data
        out = b""
        while self._held and self._looks:
            if self._body_left:
                body, self._held = self._held[: self._body_left], self._held[self._body_left :]
                self._body_left -= len(body)
                out += body
                continue
            head, end, rest = self._held.partition(b"\r\n\r\n")
            if not end and len(head) < _HEAD_AT_MOST:
                return out
            if not head.startswith(b"RTSP/") or b"application/sdp" in head.lower():
                self._looks = False  # the stream is described, so the password was right
                return out + self._held
            out += self._mend(head) + end
            self._held, self._body_left = rest, int(m[1]) if (m := _LENGTH.search(head)) else 0
        return out

    def _mend(self, head: bytes) -> bytes:
        first, *lines = head.split(b"\r\n")
        if first.split(b" ")[1:2] != [b"401"]:
            return head
        self.refused = True
        unknown = {line: name for line in lines if (name := _unknown_algorithm(line))}
        if any(_CHALLENGE.match(line) for line in lines if line not in unknown):
            lines = [line for line in lines if line not in unknown]
            self.mended = self.mended or bool(unknown)
        elif unknown:
            self.unknown = next(iter(unknown.values()))
        return b"\r\n".join([first, *lines])


def _unknown_algorithm(line: bytes) -> str:
    """The digest algorithm that this header asks for; empty if FFmpeg supports it."""
    challenge = _CHALLENGE.match(line)
    if challenge is None or challenge[1].lower() != b"digest" or not (m := _ALGORITHM.search(challenge[2])):
        return ""
    algorithm = m[1].decode().upper()
    return "" if algorithm.startswith("MD5") else algorithm
