"""The table of all calls of a service: what each takes, answers and lets in. The router and the OpenAPI document are
made of it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from pydantic import BaseModel, ConfigDict

HandlerT = TypeVar("HandlerT")
AccessT = TypeVar("AccessT")


class NoQuery(BaseModel):
    """No query parameters."""

    model_config = ConfigDict(frozen=True, extra="forbid")


@dataclass(frozen=True, slots=True)
class Link:
    """Another call, which takes members of a good answer."""

    call: str
    """Its name."""
    parameters: Mapping[str, str] = field(default_factory=dict)
    """The place of each parameter and of its value: `path.id` or `header.If-Match`, and a member of the answer."""
    body: Mapping[str, str] = field(default_factory=dict)
    """The same for members of its body."""


@dataclass(frozen=True, slots=True)
class Operation(Generic[HandlerT, AccessT]):
    """One method of one path."""

    method: str
    path: str
    """The path as the router takes it: names in braces, with a pattern where they have one."""
    handler: HandlerT
    access: AccessT
    """The callers that may make the call."""
    summary: str
    answers: Mapping[int, type[BaseModel] | str | None]
    """The model of each good status, or a media type; None where there is no body, or one that is not JSON."""
    errors: tuple[int, ...] = ()
    """Statuses of problems, beside those that follow from the rest."""
    body: type[BaseModel] | None = None
    body_required: bool = True
    form: bool = False
    """The body may also be a form."""
    upload: str = ""
    """The media type of a body that is no JSON, which the handler reads as it comes."""
    query: type[BaseModel] = NoQuery
    body_limit: int | None = None
    """Bytes of a body, or of one message over a WebSocket; None: as many as everywhere."""
    timeout_s: float | None = None
    """Seconds until there is a reply; None: the service bounds what it waits for. What is sent as it comes may take
    longer."""
    headers: tuple[Mapping[str, Any], ...] = ()
    """The headers that it takes, as OpenAPI describes parameters."""
    links: tuple[Link, ...] = ()
    """The uses of its good answers in other calls."""
    other_type: str = ""
    """A media type that good answers have, instead of that of the model, for a caller that asks for it: by `Accept`, or
    with the second word of the type as the query parameter `format`."""

    alias: str = ""
    """The name, where the handler serves more than one call."""

    @property
    def name(self) -> str:
        """Unique among the calls of a service."""
        name: str = self.alias or self.handler.__name__  # type: ignore[attr-defined]
        return name

    @property
    def template(self) -> str:
        """The path as OpenAPI has it: names in braces, without patterns."""
        return re.sub(r"{(\w+):[^}]*}", r"{\1}", self.path)
