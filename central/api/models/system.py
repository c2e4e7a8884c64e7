"""Models about the service itself."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from central.api.models.base import Answer


class Check(Answer):
    status: Literal["available", "unavailable", "unconfigured", "unknown"]
    detail: str | None = Field(default=None, description="What does not work, and what to do about it.")


class Health(Answer):
    status: Literal["healthy", "degraded"]
    version: str
    database: Check
    mediamtx: Check
