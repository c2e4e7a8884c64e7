"""The local HTTP API as one aiohttp application."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Final

from aiohttp import web

from agent.access.gate import Gate
from agent.access.hooks import Hooks
from agent.casting.service import CastingService
from agent.config.settings import ApiSettings
from agent.events.bus import Event, EventBus
from agent.frontends.http import app_keys as parts
from agent.frontends.http.body import BODY_LIMIT
from agent.frontends.http.cache import CACHE
from agent.frontends.http.description import description
from agent.frontends.http.events import FEED, Feed, end_followers
from agent.frontends.http.guard import ACCESS, GATE, Access, guard
from agent.frontends.http.hooks import HOOKS
from agent.frontends.http.metrics import make_metrics
from agent.frontends.http.middleware import around_request
from agent.frontends.http.openapi import DESCRIPTION
from agent.frontends.http.operations import OPERATIONS, Handler, Operation
from agent.frontends.http.problems import PROBLEMS
from agent.frontends.http.snapshots import SNAPSHOTS
from agent.health import CameraHealth, DlnaStatus, EspHomeStatus, ReportingStatus, WebhookStatus
from agent.library.cache import VideoCache
from agent.player.base import PlayerSource
from agent.stage.base import Stage
from agent.stage.snapshots import Snapshots
from agent.types import DeviceInfo
from cast_http.limits import in_time, limit_body
from cast_http.server import ApiRunner, expect
from cast_util.health import Check
from cast_util.tasks import Supervisor
from cast_wire.kinds import SEEN_ON_SCREEN

SHUTDOWN_S: Final = 0.5
"""The time that answers under way may take at the end; the whole daemon has 5 s to stop."""


def create_app(
    *,
    settings: Callable[[], ApiSettings],
    gate: Gate,
    hooks: Hooks,
    device: DeviceInfo,
    casting: CastingService,
    cache: VideoCache,
    bus: EventBus,
    stage: Stage,
    snapshots: Snapshots,
    players: PlayerSource,
    reporting: Callable[[], ReportingStatus],
    told: Callable[[], tuple[WebhookStatus, ...]],
    supervisor: Supervisor,
    esphome: Callable[[], EspHomeStatus | None] = lambda: None,
    dlna: Callable[[], DlnaStatus | None] = lambda: None,
    cameras: Callable[[], tuple[CameraHealth, ...]] = tuple,
    storage: Callable[[], Check] = Check,
    in_force: Callable[[], Mapping[str, object]] = dict,
) -> web.Application:
    """The application, to be served by `runner_of`.

    It owns none of what it is given. What a reload may change comes as a function.
    """
    app = web.Application(middlewares=(around_request, guard), client_max_size=BODY_LIMIT)
    app[parts.SETTINGS] = settings
    app[GATE] = gate
    app[HOOKS] = hooks
    app[parts.DEVICE] = device
    app[parts.CASTING] = casting
    app[CACHE] = cache
    app[FEED] = Feed(bus)
    app.on_shutdown.append(end_followers)
    app[parts.STAGE] = stage
    app[parts.PLAYERS] = players
    app[parts.REPORTING] = reporting
    app[parts.TOLD] = told
    app[parts.ESPHOME] = esphome
    app[parts.DLNA] = dlna
    app[parts.CAMERAS] = cameras
    app[parts.TASKS] = lambda: supervisor.health
    app[parts.STORAGE] = storage
    app[parts.IN_FORCE] = in_force
    app[SNAPSHOTS] = snapshots
    bus.listen(partial(_expire, snapshots))
    make_metrics(app, bus, supervisor.start)
    describe: Callable[[], str] = description
    app[DESCRIPTION] = describe
    access: dict[web.AbstractRoute, Access] = {}
    for operation in OPERATIONS:
        for method in ("GET", "HEAD") if operation.method == "GET" else (operation.method,):
            route = app.router.add_route(method, operation.path, limited(operation), expect_handler=expect)
            access[route] = operation.access
    app[ACCESS] = access
    return app


def _expire(snapshots: Snapshots, event: Event) -> None:
    if event.kind in SEEN_ON_SCREEN:
        snapshots.expire()  # before clients hear of the change, and ask for a picture of it


def limited(operation: Operation) -> Handler:
    """The handler of the call, within the limits of the call."""

    async def handle(request: web.Request) -> web.StreamResponse:
        limit_body(request, operation)
        return await in_time(operation, operation.handler(request))

    return handle


def runner_of(app: web.Application) -> ApiRunner:
    """The runner that serves the application."""
    return ApiRunner(app, problems=PROBLEMS, shutdown_s=SHUTDOWN_S)
