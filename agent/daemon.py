"""The composition root: builds every part, starts them in order, stops them in reverse."""

from __future__ import annotations

import asyncio
import gc
import os
import socket
from collections.abc import Callable
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import structlog
from aiohttp import web

from agent import __version__
from agent.access.gate import Door
from agent.access.keys import KeyFile
from agent.casting.attempt import Limits
from agent.casting.service import CastingService
from agent.casting.tracker import StreamTracker
from agent.config.loader import Settings
from agent.config.reload import Current
from agent.discovery.advertiser import Advertiser
from agent.discovery.local_names import LocalNames
from agent.errors import ConfigError
from agent.events.bus import EventBus, EventKind
from agent.frontends.http.app import create_app
from agent.frontends.http.server import ApiRunner
from agent.host.identity import Identity, identity
from agent.host.lock import only_agent
from agent.host.log import configure
from agent.host.signals import Signals
from agent.host.storage import Storage
from agent.host.systemd import Notifier
from agent.media.names import look_up_name
from agent.media.policy import MediaChecks
from agent.media.redaction import redact
from agent.media.urls import MediaPolicy
from agent.persistence.saver import Keeper
from agent.player.confine import Confinement
from agent.player.engines import Engines
from agent.player.file_watch import identities, of_the_system
from agent.player.mpv.options import MPV_ADVICE, mpv_command, mpv_missing
from agent.player.mpv.player import MpvPlayer
from agent.player.pillow.command import ADVICE as PILLOW_ADVICE
from agent.player.pillow.command import SCHEMES as PILLOW_SCHEMES
from agent.player.pillow.command import pillow_command
from agent.player.pool import PlayerPool
from agent.player.respawn import Renewals
from agent.player.spawn import vlc_command
from agent.reporting.central.lookup import Lookup
from agent.reporting.central.state import View
from agent.reporting.reporter import Reporter
from agent.stage.chosen import ChosenScreen
from agent.stage.x11 import X11Stage
from agent.types import DeviceInfo, DisplayHealth
from agent.util.tasks import Supervisor
from agent.util.threads import in_thread

RELOAD_TIMEOUT_S = 5.0
"""For a file that lies on a disk."""

KEEP_TIMEOUT_S = 1.0
"""A slow SD card takes 0.3 s to write for good; what is kept is a second old at most even then."""

log = structlog.get_logger(__name__)


async def run(
    settings: Settings, *, load: Callable[[], Settings] | None = None, on_ready: Callable[[int], None] | None = None
) -> None:
    """Run until SIGTERM or SIGINT, and be out within 5 s then. SIGHUP takes over what `load` reads anew, as far as
    that can be done. `on_ready` is told the port once requests are answered.

    Raises ConfigError when the port cannot be had, or another agent has the state directory.
    """
    current = Current(settings, load or (lambda: settings))
    signals = Signals()
    async with AsyncExitStack() as running:
        systemd = Notifier()
        systemd.start()
        running.callback(systemd.close)
        agent = await signals.unless_told_to_stop(_start(current, running, systemd))
        if agent is not None:
            settle_memory()
            log.info("ready", port=agent.port)
            systemd.ready()
            if on_ready is not None:
                on_ready(agent.port)
            while await signals.told_to_reload():
                systemd.reloading()
                await signals.unless_told_to_stop(_reload(current, agent))
                systemd.ready()
        log.info("stopping")
        systemd.stopping()
    log.info("stopped")


@dataclass(frozen=True, slots=True)
class _Agent:
    """What runs, as far as a reload concerns it."""

    port: int
    tracker: StreamTracker
    door: Door
    reporter: Reporter


async def _reload(current: Current, agent: _Agent) -> None:
    try:
        async with asyncio.timeout(RELOAD_TIMEOUT_S):
            wanted = await in_thread(current.load, name="reload")
    except (ConfigError, TimeoutError) as error:
        reason = str(error) or "The configuration could not be read in time."
        log.error("reload_failed", reason=reason, hint="The settings from before stay in force.")
        return
    done = current.take(wanted)
    settings = current.settings
    configure(settings.log)
    agent.tracker.adjust(_limits(settings), retry=settings.stream.retry)
    agent.door.look()
    agent.reporter.look()
    log.info("reloaded", changed=done.changed)
    if done.needs_restart:
        log.warning("restart_needed", settings=done.needs_restart, hint="These are in force after a restart only.")


def _limits(settings: Settings) -> Limits:
    return Limits(settings.player.start_timeout, settings.player.stall_timeout)


def settle_memory() -> None:
    """Have the garbage of each stream collected soon: reference cycles (asyncio's transports, exceptions with their
    frames), of which some 5 KiB outlive the collections of what is young; Python otherwise keeps those for hundreds
    of streams. What is there for good is set aside, so that a full collection takes 1 ms; without that, 18.
    """
    gc.collect()
    gc.freeze()
    # Python waits with a full collection until a quarter as many objects are new as the last one has left, and that
    # one counted what is now set aside. This one leaves next to nothing.
    gc.collect()
    gc.set_threshold(700, 3, 3)


async def _start(current: Current, running: AsyncExitStack, systemd: Notifier) -> _Agent:
    settings = current.settings
    running.enter_context(only_agent(settings.state.directory()))
    # The disk of the state may be full, read-only or worse: nobody visits this box, so it does what it still can.
    own = Identity(settings.device.id) if settings.device.id else identity(settings.state.directory())
    device = DeviceInfo(
        id=own.id,
        name=settings.device.name,
        version=__version__,
    )
    log.info("starting", device_id=device.id, name=device.name, version=device.version)

    supervisor = Supervisor()
    authority = settings.state.runtime_directory() / "Xauthority"
    stage = X11Stage(
        display=settings.display.display,
        idle=settings.display.idle,
        supervisor=supervisor,
        chosen=ChosenScreen.of_this_installation(),
        authority=authority,
    )

    def display() -> str | None:
        return stage.health.display if stage.health.available else None

    confinement = Confinement(
        folder=str(_players_folder(settings)),
        media_folders=tuple(map(str, settings.player.media_folders)),
    )
    vlc = PlayerPool(
        engine="vlc",
        command=vlc_command(
            audio_output=settings.audio.output,
            audio_device=settings.audio.device,
            confinement=confinement,
            languages=settings.audio.languages,
            shows_pictures=settings.player.engines["image"] == "vlc",
            plays_live_fmp4=lambda: bool(mpv_missing()),  # with a picture that is grey at times: better than none
        ),
        display=display,
        authority=authority,
        open_window=stage.open_window,
        supervisor=supervisor,
    )
    mpv = PlayerPool(
        engine="mpv",
        kind=MpvPlayer,
        command=mpv_command(
            audio_output=settings.audio.output,
            audio_device=settings.audio.device,
            confinement=confinement,
            languages=settings.audio.languages,
        ),
        display=display,
        authority=authority,
        open_window=stage.open_window,
        on_demand=True,  # 35 MB that a box without cameras need not spend
        missing=mpv_missing,
        advice=MPV_ADVICE,
        supervisor=supervisor,
    )
    pillow = PlayerPool(
        engine="pillow",
        command=pillow_command(confinement=confinement),
        display=display,
        authority=authority,
        open_window=stage.open_window,
        on_demand=True,
        advice=PILLOW_ADVICE,
        supervisor=supervisor,
    )
    players = Engines(
        {"vlc": vlc, "pillow": pillow, "mpv": mpv},
        table=settings.player.engines,
        schemes={"pillow": PILLOW_SCHEMES},
    )
    checks = MediaChecks(MediaPolicy(settings.player.allowed_schemes, settings.player.media_folders))
    local_names = LocalNames(settings.discovery.interfaces)
    lookup = Lookup(
        find_local=local_names.address,
        registered=lambda: reporter.registered(),
        problem=lambda: reporter.status.problem,
        agent_version=__version__,
    )
    bus = EventBus()
    tracker = StreamTracker(
        players=players,
        stage=stage,
        limits=_limits(settings),
        redact=redact,
        check=checks.check,
        look_up=look_up_name,
        locate=local_names.locate,
        streams=lookup,
        retry=settings.stream.retry,
        emit=bus.publish,
    )
    keeper = Keeper(tracker, folder=settings.state.directory(), restore=settings.stream.restore, supervisor=supervisor)

    storage = Storage(settings.state.directory(), own, not_written=lambda: keeper.not_written, supervisor=supervisor)

    def problems() -> tuple[str, ...]:
        display = stage.health
        parts = (players.health, supervisor.health, storage.health)
        unseen = () if display.is_well else (display.message,)
        return (*unseen, *(health.message for health in parts if not health.available))

    reporter = Reporter(
        folder=settings.state.directory(),
        runtime=settings.state.runtime_directory(),
        settings=settings.central,
        webhooks=lambda: current.settings.webhook,
        device=device,
        restores=settings.stream.restore,
        view=lambda: View(device.name, tracker.snapshot(), tracker.volume, problems()),
        find_local=local_names.address,
        supervisor=supervisor,
    )

    def changed() -> None:
        keeper.changed()
        snapshot = tracker.snapshot()
        systemd.show(snapshot, stage.health)
        reporter.changed(snapshot)

    tracker.changed = changed
    door = Door(KeyFile(settings.state.directory()), settings=lambda: current.settings.api, supervisor=supervisor)
    app = create_app(
        settings=lambda: current.settings.api,
        door=door,
        device=device,
        casting=CastingService(
            tracker, policy=checks, default_quality=lambda: current.settings.player.quality, kept=keeper.kept
        ),
        bus=bus,
        stage=stage,
        players=players,
        reporting=lambda: reporter.status,
        told=lambda: reporter.webhooks,
        tasks=lambda: supervisor.health,
        storage=lambda: storage.health,
    )

    advertiser = Advertiser(device=device, settings=settings.discovery, auth=lambda: door.auth, supervisor=supervisor)

    def access_changed() -> None:
        advertiser.look_again()
        bus.publish(EventKind.ACCESS_CHANGED, auth=door.auth)

    door.on_change = access_changed
    running.push_async_callback(advertiser.stop)

    renewals = Renewals(players, supervisor=supervisor)

    def display_changed(health: DisplayHealth) -> None:
        systemd.show(tracker.snapshot(), health)
        renewals.display_changed(health)
        bus.publish(EventKind.DISPLAY_CHANGED, available=health.available)

    stage.on_change = display_changed
    # Each is to be stopped also when a signal comes while it starts.
    running.push_async_callback(storage.stop)
    storage.start()
    running.push_async_callback(stage.stop)
    await stage.start()
    running.push_async_callback(players.stop)
    running.push_async_callback(renewals.stop)
    renewals.watch(lambda: of_the_system(os.environ))
    if confinement.media_folders:
        renewals.watch(
            lambda: identities(confinement.media_folders), name="media-folders"
        )  # apart, because a dead disk hangs
    await players.start()
    running.push_async_callback(reporter.stop)
    running.push_async_callback(lookup.close)
    running.push_async_callback(tracker.close)
    running.push_async_callback(keeper.stop)
    systemd.show(tracker.snapshot(), stage.health)
    await reporter.find_out()  # before anything is on, so that nothing is seen that is not in the journal
    await keeper.start()  # before the first request: what comes back must not meet what is new
    reporter.start()

    async def end_casting(_app: web.Application) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(KEEP_TIMEOUT_S):
                await keeper.stop()  # before the tracker ends everything: what is on now is what is wanted
        await tracker.close()  # answers whoever waits for a first frame

    app.on_shutdown.append(end_casting)
    door.start()
    running.push_async_callback(door.stop)
    listening = await _listen(app, settings, running)
    advertiser.start(listening)
    running.callback(advertiser.withdraw)  # the goodbyes begin first, and are said while all else ends
    running.callback(reporter.farewell)
    return _Agent(int(listening[0][1]), tracker, door, reporter)


def _players_folder(settings: Settings) -> Path:
    """Where players keep shaders, and are confined: with the state, or in memory where that cannot be had."""
    folder = settings.state.directory() / "players"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError:
        return settings.state.runtime_directory() / "players"
    return folder


async def _listen(app: web.Application, settings: Settings, running: AsyncExitStack) -> list[Any]:
    """The addresses of the sockets."""
    runner = ApiRunner(app)
    await runner.setup()
    running.push_async_callback(runner.cleanup)
    host, port = settings.api.host, settings.api.port
    # asyncio makes sockets of "::" that IPv4 does not reach; who writes "::" wants all of the network.
    for each in ("0.0.0.0", "::") if host == "::" else (host,):
        try:
            await web.TCPSite(runner, each, port).start()
        except (OSError, socket.gaierror) as e:
            raise ConfigError(
                f"Cannot listen on {each} port {port}: {e.strerror or e}. "
                "Is another cast-agent running? Otherwise change [api] host or port."
            ) from e
        port = int(runner.addresses[0][1])
    return runner.addresses
