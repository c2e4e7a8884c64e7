"""The settings of boxes."""

from __future__ import annotations

from pydantic import Field

from cast_util.settings import Section


class DeviceSettings(Section):
    """The boxes."""

    heartbeat: float = Field(default=60.0, ge=1, le=3600, description="seconds, from 1 to 3600")
    lost: float = Field(default=24.0, ge=0.1, le=24 * 365, description="hours, from 0.1 to 8760")
    """The time that a box may be away before its stream ends."""
    quota: float = Field(default=50.0, ge=8, le=1_000_000, description="MiB a day, from 8 to 1000000")
    """The amount of data of one box that is stored: its events and streams. Anything beyond it is refused until there
    is room again."""
