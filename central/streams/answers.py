"""A stream as callers see it."""

from __future__ import annotations

from typing import Final

from central.streams import models
from central.streams.tables import Stream
from central.streams.types import StreamEnd, StreamStatus
from central.streams.urls import PlayUrls

_AS_STORED: Final = models.Stream.model_fields.keys() - {"urls", "metadata", "updated_at", "end_reason"}


def answer_of(urls: PlayUrls, stream: Stream) -> models.Stream:
    """A stream in the form for callers, with its addresses while it is active."""
    is_active = stream.status == StreamStatus.ACTIVE
    found = urls.of(stream.path) if is_active and stream.path else {}
    return models.Stream(
        **{name: getattr(stream, name) for name in _AS_STORED},
        updated_at=stream.updated_at or stream.started_at,
        end_reason=None if is_active or stream.end_reason is None else StreamEnd(stream.end_reason),
        urls=models.Urls(**found) if found else None,
        metadata=stream.meta,
    )
