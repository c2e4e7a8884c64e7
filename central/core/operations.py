"""The rows of the table of calls: what a call takes, answers and lets in."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, Generic, TypeVar

from cast_http.operations import Operation as BaseOperation
from central.core.replies import AnyReply
from central.core.types import Caller

ServiceT = TypeVar("ServiceT")
BodyT = TypeVar("BodyT")
QueryT = TypeVar("QueryT")


class Access(StrEnum):
    """The callers that may make a call."""

    OPEN = "open"
    """Anybody."""
    LOCAL = "local"
    """Access for this machine itself, and admins."""
    MEDIAMTX = "mediamtx"
    """Access for this machine, the configured addresses of MediaMTX, and anyone with the shared secret."""
    ENROL = "enrol"
    """Enrolment tokens and admins."""
    DEVICE = "device"
    """Boxes and admins; how far a box reaches is for the service to say."""
    UPLOAD = "upload"
    """Upload keys and admins; what an upload key reaches is for the service to say."""
    ADMIN = "admin"


@dataclass(frozen=True, slots=True)
class Call(Generic[ServiceT, BodyT, QueryT]):
    """One call, read and checked."""

    service: ServiceT
    """The service of the feature that has the call."""
    caller: Caller
    address: str
    """The address of the client, as far as it is known."""
    is_secure: bool
    """The client called by https, as far as that is known."""
    path: Mapping[str, str]
    body: BodyT
    query: QueryT


Handler = Callable[[Call[Any, Any, Any]], Awaitable[AnyReply]]


@dataclass(frozen=True, slots=True)
class Operation(BaseOperation[Handler, Access]):
    """One method of one path."""

    raw: bool = False
    """The handler gets the JSON as it came, because it answers for each of its parts; `body` is for the document."""
    quiet: bool = False
    """Answers 204, and what it did only to who prefers that (RFC 7240: `Prefer: return=representation`)."""
    shared: bool = False
    """Callers who ask the same while it is being looked up get the same answer of the next look."""


PREFER: Final[dict[str, Any]] = {
    "name": "Prefer",
    "in": "header",
    "required": False,
    "deprecated": True,
    "description": "What was answered before 0.2: 200 with a body instead of 204.",
    "schema": {"type": "string", "enum": ["return=representation"]},
}
