"""The named builders of the daemon: each makes the parts of one room, starts nothing, and keeps what others need."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import structlog
from aiohttp import web

from agent import __version__
from agent.access.gate import Door
from agent.access.hooks import HookFile, Hooks
from agent.access.keys import KeyFile
from agent.casting.limits import Limits
from agent.casting.presets import Presets
from agent.casting.recent import Recent
from agent.casting.service import CastingService
from agent.casting.tracker import StreamTracker
from agent.config.loader import Settings
from agent.config.reload import Current, shown
from agent.discovery.advertiser import Advertiser
from agent.discovery.local_names import LocalNames
from agent.events.bus import EventBus
from agent.frontends.http.app import create_app
from agent.host.identity import Identity, identity
from agent.host.lock import only_agent
from agent.host.storage import Storage
from agent.media.names import look_up_name
from agent.media.policy import MediaChecks
from agent.media.redaction import redact
from agent.media.urls import MediaPolicy
from agent.persistence.entry_file import PRESETS_FILE, RECENT_FILE, EntryFile
from agent.persistence.saver import Keeper
from agent.player.confine import Confinement
from agent.player.engines import Engines
from agent.player.pool import PlayerPool
from agent.player.registry import ENGINES, EngineOptions, table_of
from agent.reporting.central.lookup import Lookup
from agent.reporting.central.state import View
from agent.reporting.reporter import Reporter
from agent.stage.chosen import ChosenScreen
from agent.stage.snapshots import Snapshots
from agent.stage.x11 import X11Stage
from agent.types import DeviceInfo
from agent.util.tasks import Supervisor
from cast_wire.kinds import EventKind

if TYPE_CHECKING:
    from agent.stage.idle import IdleScreen

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Platform:
    """What all rooms stand on: who this box is, its screen, and its long-lived tasks."""

    own: Identity
    device: DeviceInfo
    supervisor: Supervisor
    stage: X11Stage
    snapshots: Snapshots
    authority: Path
    """The file with the cookie of the display."""


def build_platform(settings: Settings, running: AsyncExitStack) -> Platform:
    """Raises ConfigError when another agent has the state directory, which is held until `running` ends."""
    running.enter_context(only_agent(settings.state.directory()))
    # The disk of the state may be full, read-only or worse: nobody visits this box, so it does what it still can.
    own = Identity(settings.device.id) if settings.device.id else identity(settings.state.directory())
    device = DeviceInfo(
        id=own.id,
        name=settings.device.name,
        version=__version__,
    )
    log.info("agent_launched", device_id=device.id, name=device.name, version=device.version)
    supervisor = Supervisor()
    authority = settings.state.runtime_directory() / "Xauthority"
    stage = X11Stage(
        display=settings.display.display,
        idle=settings.display.idle,
        supervisor=supervisor,
        chosen=ChosenScreen.of_this_installation(),
        authority=authority,
    )
    return Platform(own, device, supervisor, stage, Snapshots(stage), authority)


def build_players(settings: Settings, platform: Platform) -> Engines:
    """A pool for each engine."""
    stage = platform.stage

    def display() -> str | None:
        return stage.health.display if stage.health.available else None

    table = table_of(ENGINES, settings.player.engines)
    options = EngineOptions(settings.audio, _confinement_of(settings), table)
    pools = [
        PlayerPool(
            spec,
            command=spec.command(options),
            display=display,
            authority=platform.authority,
            open_window=stage.open_window,
            supervisor=platform.supervisor,
        )
        for spec in ENGINES
    ]
    return Engines(pools, table=table)


@dataclass(frozen=True, slots=True)
class Casting:
    """The sessions, what keeps them over a restart, and where the streams of others are looked up."""

    tracker: StreamTracker
    service: CastingService
    keeper: Keeper
    storage: Storage
    lookup: Lookup
    local_names: LocalNames
    bus: EventBus
    """What happens to the sessions and to the device."""


def build_casting(
    current: Current, platform: Platform, players: Engines, *, reporter: Callable[[], Reporter]
) -> Casting:
    """`reporter` is asked for no earlier than a session plays a stream of others."""
    settings, folder = current.settings, current.settings.state.directory()
    checks = MediaChecks(MediaPolicy(settings.player.allowed_schemes, settings.player.media_folders))
    local_names = LocalNames(settings.discovery.interfaces)
    lookup = Lookup(
        find_local=local_names.address,
        registered=lambda: reporter().registered(),
        problem=lambda: reporter().status.problem,
        agent_version=__version__,
    )
    bus = EventBus()
    tracker = StreamTracker(
        players=players,
        stage=platform.stage,
        limits=limits_of(settings),
        redact=redact,
        check=checks.check,
        look_up=look_up_name,
        locate=local_names.locate,
        streams=lookup,
        retry=settings.stream.retry,
        emit=bus.publish,
    )
    keeper = Keeper(tracker, folder=folder, restore=settings.stream.restore, supervisor=platform.supervisor)
    storage = Storage(folder, platform.own, not_written=lambda: keeper.not_written, supervisor=platform.supervisor)
    service = CastingService(
        tracker,
        policy=checks,
        default_quality=lambda: current.settings.player.quality,
        kept=keeper.kept,
        presets=Presets(
            EntryFile(folder / PRESETS_FILE),
            configured=lambda: [preset.model_dump(exclude_unset=True) for preset in current.settings.preset],
            policy=checks,
            emit=bus.publish,
        ),
        recent=Recent(
            EntryFile(folder / RECENT_FILE), enabled=lambda: current.settings.stream.recent, emit=bus.publish
        ),
    )
    return Casting(tracker, service, keeper, storage, lookup, local_names, bus)


def build_reporter(current: Current, platform: Platform, players: Engines, casting: Casting) -> Reporter:
    """The central API and the webhooks."""
    settings, device, tracker = current.settings, platform.device, casting.tracker

    def problems() -> tuple[str, ...]:
        display = platform.stage.health
        parts = (players.health, platform.supervisor.health, casting.storage.health)
        unseen = () if display.is_well else (display.message,)
        return (*unseen, *(health.message for health in parts if not health.available))

    return Reporter(
        folder=settings.state.directory(),
        runtime=settings.state.runtime_directory(),
        settings=settings.central,
        webhooks=lambda: current.settings.webhook,
        device=device,
        restores=settings.stream.restore,
        view=lambda: View(device.name, tracker.snapshot(), tracker.volume, problems()),
        find_local=casting.local_names.address,
        supervisor=platform.supervisor,
    )


def build_idle_screen(settings: Settings, platform: Platform, door: Door) -> IdleScreen | None:
    """What is seen while nothing is on; None when that is nothing of ours."""
    if settings.display.idle != "card":
        return None
    from agent.stage.idle import IdleScreen  # with its fonts and QR codes 2 MB of memory, for boxes that show it

    return IdleScreen(
        platform.stage, name=platform.device.name, pairing_url=door.pairing_url, supervisor=platform.supervisor
    )


@dataclass(frozen=True, slots=True)
class Frontends:
    """The HTTP application, who may use it, and how the network finds it."""

    app: web.Application
    door: Door
    advertiser: Advertiser


def build_frontends(
    current: Current, platform: Platform, players: Engines, casting: Casting, reporter: Reporter
) -> Frontends:
    """The gate tells the advertiser, and whoever follows the events, what a caller needs."""
    settings, supervisor = current.settings, platform.supervisor
    hooks = Hooks(HookFile(settings.state.directory()))
    door = Door(
        KeyFile(settings.state.directory()),
        settings=lambda: current.settings.api,
        supervisor=supervisor,
        uses=(hooks.uses,),
    )
    app = create_app(
        settings=lambda: current.settings.api,
        door=door,
        hooks=hooks,
        device=platform.device,
        casting=casting.service,
        bus=casting.bus,
        stage=platform.stage,
        snapshots=platform.snapshots,
        players=players,
        reporting=lambda: reporter.status,
        told=lambda: reporter.webhooks,
        supervisor=supervisor,
        storage=lambda: casting.storage.health,
        in_force=lambda: shown(current.settings),
    )
    advertiser = Advertiser(
        device=platform.device, settings=settings.discovery, auth=lambda: door.auth, supervisor=supervisor
    )

    def access_changed() -> None:
        advertiser.look_again()
        casting.bus.publish(EventKind.ACCESS_CHANGED, auth=door.auth)

    door.on_change = access_changed
    return Frontends(app, door, advertiser)


def limits_of(settings: Settings) -> Limits:
    """How long a stream may take to start, and to go on."""
    return Limits(settings.player.start_timeout, settings.player.stall_timeout)


def _confinement_of(settings: Settings) -> Confinement:
    """What players may reach."""
    return Confinement(
        folder=str(_players_folder(settings)),
        media_folders=tuple(map(str, settings.player.media_folders)),
    )


def _players_folder(settings: Settings) -> Path:
    """Where players keep shaders, and are confined: with the state, or in memory where that cannot be had."""
    folder = settings.state.directory() / "players"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError:
        return settings.state.runtime_directory() / "players"
    return folder
