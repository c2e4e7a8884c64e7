"""Models of log-ins."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from central.core.models import Answer, Body
from central.core.types import Role


class SessionBody(Body):
    key: Annotated[str, Field(min_length=1, max_length=200)]
    """An admin key, an upload key or the secret of the API."""


class Session(Answer):
    """The caller, as whom the page is logged in."""

    name: str
    """The name of the key."""
    role: Literal[Role.ADMIN, Role.UPLOADER]
