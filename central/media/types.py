"""The words about those who publish."""

from __future__ import annotations

from enum import StrEnum


class KeyStatus(StrEnum):
    """Whether a stream key lets somebody in."""

    ACTIVE = "active"
    REVOKED = "revoked"
    EXPIRED = "expired"
