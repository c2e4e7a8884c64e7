"""The completeness of the bodies that a web server has announced. A length of the media itself is only a claim: the
last line of a subtitle may be long after the last picture."""

from __future__ import annotations

import re

_ANSWER = re.compile(r"incoming response:\s+HTTP/\S+ 20[06]\b")
_REFUSED_SEEK = "cannot seek (to offset"
"""Logged (access/http/access.c) when the last answer was the whole body instead of the part that was asked for: none of
it is read, and the answer before goes on."""
_LENGTH = re.compile(r"^Content-Length:\s*(\d+)\s*$", re.IGNORECASE | re.MULTILINE)


class Body:
    """The answers that libVLC got for one media, according to its log."""

    def __init__(self) -> None:
        self._announced: int | None = None
        self._before: int | None = None
        """The same without the last answer."""

    def read(self, line: str) -> None:
        """Take in one line of the log."""
        if line.startswith(_REFUSED_SEEK):
            self._announced = self._before
        if not _ANSWER.match(line):
            return
        length = _LENGTH.search(line)
        self._before, before = self._announced, self._announced or 0
        # A chunked body, or one that ends with the connection, is never known to be whole.
        self._announced = before + (int(length[1]) if length else 2**62)

    def is_whole(self, read_bytes: int) -> bool:
        """Return True if so many bytes are certainly all of them. After a jump, which leaves the rest of an answer
        unread, that is unknown, and this is False."""
        return self._announced is not None and read_bytes >= self._announced
