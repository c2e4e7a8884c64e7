"""The words about streams."""

from __future__ import annotations

from enum import StrEnum


class StreamSource(StrEnum):
    """The source of a stream."""

    DEVICE = "device"
    """A box shows it."""
    PUBLISHER = "publisher"
    """A publisher sends it through MediaMTX."""


class StreamStatus(StrEnum):
    """The status of a stream: active, or ended for good."""

    ACTIVE = "active"
    ENDED = "ended"


class StreamEnd(StrEnum):
    """The reason why a stream ended."""

    STOPPED = "stopped"
    """Somebody asked for it."""
    UNPUBLISHED = "unpublished"
    """MediaMTX said that the publisher is gone."""
    LOST = "lost"
    """The stream was gone when MediaMTX was asked."""
    KEY_REVOKED = "key_revoked"
    DEVICE_REVOKED = "device_revoked"
    DEVICE_LOST = "device_lost"
    """Its box has not been heard of for too long."""
