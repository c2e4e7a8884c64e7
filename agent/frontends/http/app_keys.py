"""The dependencies of the API, and the keys under which the application holds them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from aiohttp import web

from agent.casting.service import CastingService
from agent.config.settings import ApiSettings
from agent.health import CameraHealth, DlnaStatus, EspHomeStatus, ReportingStatus, WebhookStatus
from agent.player.base import PlayerSource
from agent.stage.base import Stage
from agent.types import DeviceInfo, SessionId
from cast_util.health import Check

SETTINGS: Final = web.AppKey[Callable[[], ApiSettings]]("settings")
IN_FORCE: Final = web.AppKey[Callable[[], Mapping[str, object]]]("in_force")
"""The settings that are in force and may be shown, by `section.key`."""
DEVICE: Final = web.AppKey[DeviceInfo]("device")
CASTING: Final = web.AppKey[CastingService]("casting")
STAGE: Final = web.AppKey[Stage]("stage")
PLAYERS: Final = web.AppKey[PlayerSource]("players")
REPORTING: Final = web.AppKey[Callable[[], ReportingStatus]]("reporting")
TOLD: Final = web.AppKey[Callable[[], tuple[WebhookStatus, ...]]]("told")
"""The receivers of webhooks."""
ESPHOME: Final = web.AppKey[Callable[[], EspHomeStatus | None]]("esphome")
"""The reachability of the box for Home Assistant; None when it is disabled."""
DLNA: Final = web.AppKey[Callable[[], DlnaStatus | None]]("dlna")
"""The reachability of the box for DLNA controllers; None when it is disabled."""
CAMERAS: Final = web.AppKey[Callable[[], tuple[CameraHealth, ...]]]("cameras")
"""The cameras that are to be kept ready."""
TASKS: Final = web.AppKey[Callable[[], Check]]("tasks")
"""The check that the long-lived tasks of the agent run."""
STORAGE: Final = web.AppKey[Callable[[], Check]]("storage")
"""The check that state can be stored, to outlive a restart."""

REQUEST_ID: Final = web.RequestKey[str]("request_id")
"""The id of a request, ours or the caller's."""
CALLER: Final = web.RequestKey[str]("caller")
"""The name of the key that it brought."""
SESSION_ID: Final = web.RequestKey[SessionId]("session_id")
"""The session that it started or is about; its problems and its log line name it."""
