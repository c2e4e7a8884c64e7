"""The health of the parts of the agent, as each reports it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True, slots=True)
class DisplayHealth:
    """The state of the screen, and what to do if there is none."""

    available: bool
    display: str | None = None
    """The X display in use, such as `:0`."""
    width: int = 0
    height: int = 0
    message: str = ""
    """A sentence for a person; says what to do when the display is not available, or what is on is covered."""
    depth: int = 24
    """Bits of colour in a pixel."""
    covered: bool = False
    """Windows of other programs hide all of what is shown."""

    @property
    def is_well(self) -> bool:
        """Return True if the picture is visible, as far as that is known."""
        return self.available and not self.covered


@dataclass(frozen=True, slots=True)
class PlayerHealth:
    """The state of the players, and what to do if a start would get none."""

    available: bool
    spare_ready: bool = False
    engine: str = ""
    version: str = ""
    features: dict[str, bool | str] = field(default_factory=dict)
    """What the engine says of itself, such as `rtsp`."""
    message: str = ""
    plays: tuple[str, ...] = ()
    """The schemes and kinds of media that the table gives to the engine."""
    engines: Mapping[str, PlayerHealth] = field(default_factory=dict)
    """The same of each engine, by name; empty in that of one engine."""


@dataclass(frozen=True, slots=True)
class ReportingStatus:
    """How it goes with reporting to a central API."""

    enabled: bool = False
    """Whether there is one for this box."""
    connected: bool = False
    """Whether the last call to it was answered."""
    last_success: datetime | None = None
    """When one was answered for the last time in this run, UTC."""
    queued: int = 0
    """Events that it does not have yet."""
    dropped: int = 0
    """Events that it will never have."""
    url: str | None = None
    device_id: str | None = None
    """The id of this box at the central API."""
    stream_id: str | None = None
    """The id of this box's stream there."""
    code: str | None = None
    """The code by which others join that stream."""
    problem: str | None = None
    """A sentence that says what is wrong and what to do; None when all is well."""


@dataclass(frozen=True, slots=True)
class WebhookStatus:
    """How it goes with one webhook."""

    url: str
    """Scheme and host alone: the rest may be a secret."""
    connected: bool = False
    """Whether the last call was answered well."""
    last_success: datetime | None = None
    """When one was for the last time in this run, UTC."""
    queued: int = 0
    """Events that wait for it."""
    dropped: int = 0
    """Events that it will never get."""
    disabled: bool = False
    """The receiver wants no more of them."""
    problem: str | None = None
    """A sentence that says what is wrong and what to do; None when all is well."""


@dataclass(frozen=True, slots=True)
class DlnaStatus:
    """How DLNA controllers reach this box."""

    port: int | None = None
    """The port; None if it could not be opened."""
    subscribers: tuple[str, ...] = ()
    """The addresses of those that are told what changes."""
    problem: str | None = None
    """A sentence that says what is wrong and what to do; None when all is well."""


@dataclass(frozen=True, slots=True)
class EspHomeStatus:
    """How Home Assistant reaches this box."""

    name: str
    """The node name: `living-room`."""
    port: int | None = None
    """The port; None if it could not be opened."""
    has_key: bool = False
    """Somebody has added the box, or its key was shown to be typed."""
    window_s: float = 0.0
    """Seconds for which the first one who comes may add the box yet; 0.0 when nobody may."""
    clients: tuple[str, ...] = ()
    """Who is connected, as they call themselves."""
    problem: str | None = None
    """A sentence that says what is wrong and what to do; None when all is well."""
