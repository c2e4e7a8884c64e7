"""What the API is given, as the API needs it, and the keys under which the app holds it."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final, Protocol

from aiohttp import web

from agent.player.base import PlayerSource
from agent.stage.base import Stage
from agent.types import DeviceInfo, Quality, SessionId, SessionSnapshot, StartRequest, TrackerSnapshot


class Settings(Protocol):
    """The [api] section, as far as the app itself needs it."""

    @property
    def auth(self) -> str:
        """`keys`, or `none` when everybody on the network may call."""

    @property
    def allowed_hosts(self) -> Collection[str]:
        """Names beside the box's own that a `Host` header may carry."""


class Tracker(Protocol):
    """Who owns what is on."""

    def start(self, request: StartRequest) -> SessionId:
        """Accept a start, at once. Raises PlayerUnavailableError."""

    async def first_frame(self, session_id: SessionId, timeout_s: float) -> SessionSnapshot | None:
        """The session at its first frame; None when the time is over.

        Raises MediaError, PlayerTimeoutError or PlayerUnavailableError when it failed, ReplacedError when a newer
        start took its place, InvalidTransitionError when it was stopped before.
        """

    async def stop(self, session_id: SessionId | None = None) -> tuple[SessionSnapshot, ...]:
        """End one session, or what is on; answers with what it ended."""

    def snapshot(self) -> TrackerSnapshot: ...


class Policy(Protocol):
    """What may be played."""

    def check(self, url: str) -> str:
        """The URL to play; may block for a `file` URL. Raises InvalidRequestError with the field `url`."""


SETTINGS: Final = web.AppKey[Settings]("settings")
DEVICE: Final = web.AppKey[DeviceInfo]("device")
TRACKER: Final = web.AppKey[Tracker]("tracker")
STAGE: Final = web.AppKey[Stage]("stage")
PLAYERS: Final = web.AppKey[PlayerSource]("players")
POLICY: Final = web.AppKey[Policy]("policy")
DEFAULT_QUALITY: Final = web.AppKey[Quality]("default_quality")

REQUEST_ID: Final = web.RequestKey[str]("request_id")
"""The id of a request, ours or the caller's."""
SESSION_ID: Final = web.RequestKey[SessionId]("session_id")
"""The session that it started; its problems and its log line name it."""
