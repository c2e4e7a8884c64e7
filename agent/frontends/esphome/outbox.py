"""The messages that one client has not been sent yet, within bounds."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterator
from typing import Final

from google.protobuf.message import Message

MESSAGES_LIMIT: Final = 2048
"""The limit for unsent messages: the lists of a box have some 30, a picture of the screen up to four."""

BYTES_LIMIT: Final = 4 * 1024 * 1024
"""Twenty pictures of the screen, of which there is one a second at most."""

PART_BYTES: Final = 64 * 1024
"""Bytes that are handed to the socket at once, approximately."""


class Outbox:
    """Messages in order, and the latest state of each entity, which go after those."""

    def __init__(self) -> None:
        self._messages: deque[Message] = deque()
        self._states: dict[int, Message] = {}
        self._bytes = 0
        self._news = asyncio.Event()

    def put(self, message: Message) -> bool:
        """Return False when that is too much: the client does not read."""
        self._messages.append(message)
        self._bytes += message.ByteSize()
        self._news.set()
        return len(self._messages) <= MESSAGES_LIMIT and self._bytes <= BYTES_LIMIT

    def put_state(self, key: int, message: Message) -> None:
        """Replace the pending message with the same key, if there is one."""
        self._states[key] = message
        self._news.set()

    async def wait(self) -> None:
        """Wait until there is something to send."""
        await self._news.wait()

    def take(self) -> Iterator[Message]:
        """The next messages to send, about PART_BYTES of them."""
        size = 0
        while size < PART_BYTES:
            if self._messages:
                message = self._messages.popleft()
                self._bytes -= message.ByteSize()
            elif self._states:
                message = self._states.pop(next(iter(self._states)))
            else:
                self._news.clear()
                return
            size += message.ByteSize()
            yield message
