"""What the API is given, as the API needs it, and the keys under which the app holds it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final, Protocol

from aiohttp import web

from agent.access.gate import Settings
from agent.player.base import PlayerSource
from agent.stage.base import Stage
from agent.types import (
    Check,
    DeviceInfo,
    Quality,
    ReportingStatus,
    SessionChange,
    SessionId,
    SessionSnapshot,
    StartRequest,
    TrackerSnapshot,
    WebhookStatus,
)


class Volume(Protocol):
    """How loud the device is."""

    @property
    def level(self) -> float:
        """0.0-1.0."""

    @property
    def muted(self) -> bool: ...


class Tracker(Protocol):
    """Who owns what is on."""

    def start(self, request: StartRequest) -> SessionId:
        """Accept a start, at once. Raises PlayerUnavailableError."""

    def change(self, session_id: SessionId, change: SessionChange) -> SessionSnapshot:
        """Change a session without touching its picture.

        Raises SessionNotFoundError, and InvalidTransitionError for another url.
        """

    async def first_frame(self, session_id: SessionId, timeout_s: float) -> SessionSnapshot | None:
        """The session at its first frame; None when the time is over.

        Raises MediaError, PlayerTimeoutError or PlayerUnavailableError when it failed, ReplacedError when a newer
        start took its place, InvalidTransitionError when it was stopped before, SessionNotFoundError.
        """

    async def located(self, session_id: SessionId, timeout_s: float) -> bool:
        """Whether it is known where the stream is that the session is to join; False when the time is over.

        Raises as `first_frame` does, and StreamNotFoundError, CentralUnavailableError or NotSupportedError.
        """

    async def stop(
        self, session_id: SessionId | None = None, *, everything: bool = False
    ) -> tuple[SessionSnapshot, ...]:
        """End one session, or what is on, or everything; answers with what it ended."""

    async def pause(self, on: bool) -> SessionSnapshot:
        """Pause what is on, or let it go on.

        Raises InvalidTransitionError, also when its player dies meanwhile, and PlayerTimeoutError when that hangs.
        """

    async def seek(self, position: float) -> SessionSnapshot:
        """Go on at `position` seconds. Raises as `pause` does."""

    async def set_volume(self, level: float | None, muted: bool | None) -> Volume:
        """Set the volume of the device; None leaves it as it is. Raises PlayerTimeoutError, PlayerUnavailableError."""

    @property
    def volume(self) -> Volume: ...

    def snapshot(self) -> TrackerSnapshot: ...


class Policy(Protocol):
    """What may be played."""

    async def check(self, url: str) -> str:
        """The URL to play; waits for nothing but a file. Raises InvalidRequestError with the field `url`."""


SETTINGS: Final = web.AppKey[Callable[[], Settings]]("settings")
DEVICE: Final = web.AppKey[DeviceInfo]("device")
TRACKER: Final = web.AppKey[Tracker]("tracker")
STAGE: Final = web.AppKey[Stage]("stage")
PLAYERS: Final = web.AppKey[PlayerSource]("players")
POLICY: Final = web.AppKey[Policy]("policy")
KEPT: Final = web.AppKey[Callable[[], Awaitable[None]]]("kept")
"""Returns when what has changed so far would outlive a crash; bounded."""
REPORTING: Final = web.AppKey[Callable[[], ReportingStatus]]("reporting")
TOLD: Final = web.AppKey[Callable[[], tuple[WebhookStatus, ...]]]("told")
"""Those who are told what happens by webhooks."""
TASKS: Final = web.AppKey[Callable[[], Check]]("tasks")
"""Whether the long-lived tasks of the agent run."""
STORAGE: Final = web.AppKey[Callable[[], Check]]("storage")
"""Whether what must outlive a restart can be kept."""
DEFAULT_QUALITY: Final = web.AppKey[Callable[[], Quality]]("default_quality")

REQUEST_ID: Final = web.RequestKey[str]("request_id")
"""The id of a request, ours or the caller's."""
CALLER: Final = web.RequestKey[str]("caller")
"""The name of the key that it brought."""
SESSION_ID: Final = web.RequestKey[SessionId]("session_id")
"""The session that it started or is about; its problems and its log line name it."""
