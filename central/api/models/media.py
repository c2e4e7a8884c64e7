"""Models of the calls of MediaMTX."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from central.api.models.base import Answer


class AuthBody(BaseModel):
    """What MediaMTX asks; fields that a newer one adds are ignored."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    user: Annotated[str, Field(max_length=4096)] = ""
    password: Annotated[str, Field(max_length=4096)] = ""
    token: Annotated[str, Field(max_length=4096)] = ""
    ip: Annotated[str, Field(max_length=100)] = ""
    action: Literal["publish", "read", "playback", "api", "metrics", "pprof"]
    path: Annotated[str, Field(max_length=1000)] = ""
    protocol: Annotated[str, Field(max_length=32)] = ""
    id: Annotated[str, Field(max_length=64)] | None = None
    query: Annotated[str, Field(max_length=8192)] = ""


class WebhookBody(BaseModel):
    """What MediaMTX's hooks tell."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    path: Annotated[str, Field(min_length=1, max_length=1000)]
    source_type: Annotated[str, Field(max_length=32)] = ""
    source_id: Annotated[str, Field(max_length=64)] = ""
    query: Annotated[str, Field(max_length=8192)] = ""


class Allowed(Answer):
    status: Literal["allowed"] = "allowed"


class Ready(Answer):
    stream_id: str
    code: str


class NotReady(Answer):
    ended: bool = Field(
        description="Its stream has ended by this. False: it waits for its publisher (`grace_until`), or it had ended "
        "before, or the path is another's by now."
    )
    grace_until: datetime | None = Field(description="Until when the stream waits for its publisher, if it does.")
