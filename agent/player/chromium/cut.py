"""Messages of megabytes, such as of a page that sends a file: only what must be answered is read of them."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
from typing import Any, Final

from agent.player.chromium.cdp import END

TAIL_BYTES: Final = 4096
"""Bytes at the end of such a message: enough for the request that asks for a password, and for its session."""

_WAITS: Final = re.compile(rb'\{"method":"(Fetch\.(?:requestPaused|authRequired))","params":\{"requestId":"([^"]+)"')
"""The beginning of a message that holds a request of the page until it is answered."""

_REQUEST: Final = re.compile(rb',"request":\{"url":"((?:[^"\\]|\\.)*)","method":"[^"]*","headers":')
_CHALLENGE: Final = re.compile(rb'"authChallenge":(\{[^{}]*\})')
_SESSION: Final = re.compile(rb'"sessionId":"([^"]+)"\}\0?\Z')


async def tail_of(reader: asyncio.StreamReader, head: bytes) -> bytes:
    """Read the rest of a message that begins with `head`; its last TAIL_BYTES, or nothing where it has no end."""
    tail = head
    while True:
        try:
            return (tail + await reader.readuntil(END))[-TAIL_BYTES:]
        except asyncio.LimitOverrunError as e:
            tail = (tail + await reader.readexactly(e.consumed))[-TAIL_BYTES:]
        except asyncio.IncompleteReadError:
            return b""


def waiting(head: bytes, tail: bytes) -> tuple[str, dict[str, Any], str] | None:
    """The event that must be answered, what is known of it, and its session; None for any other message. `head` is the
    beginning of the message, `tail` its last TAIL_BYTES."""
    begins, session = _WAITS.match(head), _SESSION.search(tail)
    if begins is None or session is None:
        return None
    about: dict[str, Any] = {"requestId": begins[2].decode()}
    if request := _REQUEST.match(head, begins.end()):
        with contextlib.suppress(ValueError):  # headers that are as long
            headers, _ = json.JSONDecoder().raw_decode(head[request.end() :].decode(errors="replace"))
            about["request"] = {"url": json.loads(b'"%s"' % request[1]), "headers": headers}
    if challenge := _CHALLENGE.search(tail):
        with contextlib.suppress(ValueError):  # a realm with a brace in it
            about["authChallenge"] = json.loads(challenge[1])
    return begins[1].decode(), about, session[1].decode()
