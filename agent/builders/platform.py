"""The base of all rooms, and the players."""

from __future__ import annotations

from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from pathlib import Path

import structlog

from agent import __version__
from agent.config.loader import Settings
from agent.host.decoders import Decoders
from agent.host.identity import Identity, identity
from agent.host.lock import only_agent
from agent.host.trust import prepare_pins
from agent.player.confine import Confinement
from agent.player.engines import Engines
from agent.player.pool import PlayerPool
from agent.player.registry import ENGINES, EngineOptions, table_of
from agent.stage.chosen import ChosenScreen
from agent.stage.snapshots import Snapshots
from agent.stage.x11 import X11Stage
from agent.types import DeviceInfo
from cast_util.tasks import Supervisor

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Platform:
    """The base of all rooms: the identity of this box, its screen, and its long-lived tasks."""

    own: Identity
    device: DeviceInfo
    supervisor: Supervisor
    stage: X11Stage
    snapshots: Snapshots
    authority: Path
    """The file with the cookie of the display."""
    decoders: Decoders


def build_platform(settings: Settings, running: AsyncExitStack) -> Platform:
    """Build the platform, and hold the state directory until `running` ends. Raises ConfigError if another agent holds
    it."""
    running.enter_context(only_agent(settings.state.directory()))
    # The disk of the state may be full, read-only or dead. The box is unattended, so it does what it still can.
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
    return Platform(own, device, supervisor, stage, Snapshots(stage), authority, Decoders())


def build_players(settings: Settings, platform: Platform) -> Engines:
    """A pool for each engine."""
    stage = platform.stage

    def display() -> str | None:
        return stage.health.display if stage.health.available else None

    table = table_of(ENGINES, settings.player.engines)
    pins = tuple(settings.web.pins.values())
    if pins:
        prepare_pins()
    options = EngineOptions(settings.audio, settings.player.output, confinement_of(settings), table, pins)
    pools = [
        PlayerPool(
            spec,
            command=spec.command(options),
            display=display,
            authority=platform.authority,
            open_window=stage.open_window,
            adopt=stage.adopt,
            supervisor=platform.supervisor,
        )
        for spec in ENGINES
    ]
    return Engines(pools, table=table)


def confinement_of(settings: Settings) -> Confinement:
    """The files and networks that players may reach. Makes the folder of kept videos: what is not there yet cannot be
    granted."""
    kept = settings.library.folder(settings.state.directory())
    if kept is not None:
        with suppress(OSError):  # the health of the cache says so
            kept.mkdir(mode=0o700, parents=True, exist_ok=True)
    return Confinement(
        folder=str(_players_folder(settings)),
        media_folders=tuple(map(str, settings.player.media_folders)),
        kept="" if kept is None else str(kept),
    )


def readable_folders(settings: Settings) -> tuple[Path, ...]:
    """The folders whose files sessions may play: the media folders, and that of kept videos."""
    kept = settings.library.folder(settings.state.directory())
    return settings.player.media_folders if kept is None else (*settings.player.media_folders, kept)


def _players_folder(settings: Settings) -> Path:
    """The folder for the players' shaders and confinement: beside the state, or in memory if the state directory cannot
    be used."""
    folder = settings.state.directory() / "players"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError:
        return settings.state.runtime_directory() / "players"
    return folder
