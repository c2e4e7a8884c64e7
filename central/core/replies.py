"""The replies to a call: a model or text, a file, a stream of bytes, server-sent events, or a WebSocket."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from pydantic import BaseModel


@dataclass(frozen=True, slots=True)
class Reply:
    """A model, text of another type, or nothing (204)."""

    model: BaseModel | Mapping[str, Any] | None = None
    """A mapping is sent as it is: that takes less time for long lists. A test compares it with the model."""
    status: int = 200
    text: str = ""
    content_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)
    tag: str = ""
    """The entity tag of the text: a caller that has it already is answered 304."""


@dataclass(frozen=True, slots=True)
class FileReply:
    """A file of this machine, or the range of it that was asked for."""

    path: Path
    content_type: str
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class StreamReply:
    """Bytes as they come. What goes wrong on the way cuts the connection, so that nobody takes a part for the whole."""

    chunks: AsyncGenerator[bytes, None]
    content_type: str
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ServerEvent:
    """One event of a stream of them."""

    data: str
    kind: str | None = None
    id: str | None = None


@dataclass(frozen=True, slots=True)
class EventsReply:
    """Server-sent events, until there are no more or the caller has gone."""

    events: AsyncGenerator[ServerEvent, None]


class Socket(Protocol):
    """A WebSocket, as a handler talks over it."""

    async def send(self, text: str) -> None:
        """Send a text. Raises ConnectionError if the caller has gone or does not read."""

    def __aiter__(self) -> AsyncIterator[str]:
        """The texts that the caller sends, until it hangs up."""


@dataclass(frozen=True, slots=True)
class SocketReply:
    """A WebSocket; closed when `talk` returns."""

    talk: Callable[[Socket], Awaitable[None]]


LiveReply = FileReply | StreamReply | EventsReply | SocketReply
"""A reply that is sent as its data comes. It ends when the service stops, and when the caller loses access."""

AnyReply = Reply | LiveReply
