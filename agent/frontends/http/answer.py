"""The base of all answers. Times are RFC 3339 in UTC, lengths of time are seconds rounded to milliseconds."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

from pydantic import BaseModel, ConfigDict, PlainSerializer


def rfc3339(moment: datetime) -> str:
    """The moment in UTC, to the millisecond."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _milliseconds(seconds: float) -> float:
    return round(seconds, 3)


Moment = Annotated[datetime, PlainSerializer(rfc3339, return_type=str)]
Seconds = Annotated[float, PlainSerializer(_milliseconds, return_type=float)]


class Answer(BaseModel):
    """The base of all answers."""

    model_config = ConfigDict(frozen=True, from_attributes=True)
