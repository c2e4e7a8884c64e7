"""The words about those who publish."""

from __future__ import annotations

from enum import StrEnum


class KeyStatus(StrEnum):
    """The status of a stream key."""

    ACTIVE = "active"
    REVOKED = "revoked"
    EXPIRED = "expired"
