"""The composition root: has every part built, starts them in order, stops them in reverse."""

from __future__ import annotations

import asyncio
import gc
import os
import socket
from collections.abc import Callable
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import structlog
from aiohttp import web

from agent.access.gate import Gate
from agent.builders.casting import Casting, build_casting, limits_of
from agent.builders.frontends import Frontends, build_esphome, build_frontends, build_idle_screen
from agent.builders.platform import Platform, build_platform, build_players, readable_folders
from agent.builders.reporting import build_reporter
from agent.casting.foresight import Foresight
from agent.casting.service import CastingService
from agent.casting.tracker import StreamTracker
from agent.config.loader import Settings
from agent.config.reload import Current
from agent.discovery.interfaces import lan_url
from agent.errors import ConfigError
from agent.frontends.http.app import runner_of
from agent.health import DisplayHealth
from agent.host.log import configure
from agent.host.signals import Signals, stop_this_process
from agent.host.systemd import status_line
from agent.player.engines import Engines
from agent.player.file_watch import identities, of_the_system
from agent.player.respawn import Respawn
from agent.reporting.reporter import Reporter
from agent.util.threads import in_thread
from cast_util.notify import Notifier
from cast_wire.kinds import EventKind

RELOAD_TIMEOUT_S = 5.0
"""The longest wait for a file that lies on a disk."""

KEEP_TIMEOUT_S = 1.0
"""A slow SD card takes 0.3 s to write for good; what is kept is a second old at most even then."""

if TYPE_CHECKING:
    from agent.stage.idle import IdleScreen

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
            log.info("agent_started", port=agent.port)
            systemd.ready()
            if on_ready is not None:
                on_ready(agent.port)
            while await signals.told_to_reload():
                systemd.reloading()
                await signals.unless_told_to_stop(_reload(current, agent))
                systemd.ready()
        log.info("agent_stop_requested")
        systemd.stopping()
    log.info("agent_stopped")


@dataclass(frozen=True, slots=True)
class _Agent:
    """The parts of the running agent that a reload affects."""

    port: int
    tracker: StreamTracker
    gate: Gate
    reporter: Reporter
    casting: CastingService


async def _reload(current: Current, agent: _Agent) -> None:
    try:
        async with asyncio.timeout(RELOAD_TIMEOUT_S):
            wanted = await in_thread(current.load, name="reload")
    except (ConfigError, TimeoutError, RuntimeError) as error:  # out of threads: that passes
        reason = str(error) or "The configuration could not be read in time."
        log.error("settings_reload_failed", reason=reason, hint="The settings from before stay in force.")
        return
    done = current.take(wanted)
    settings = current.settings
    configure(settings.log)
    agent.tracker.adjust(limits_of(settings), retry=settings.stream.retry)
    agent.gate.look()
    agent.reporter.look()
    await agent.casting.presets.look()
    await agent.casting.recent.look()
    log.info("settings_reloaded", changed=done.changed)
    if done.needs_restart:
        log.warning("restart_required", settings=done.needs_restart, hint="These are in force after a restart only.")


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
    platform = build_platform(settings, running)
    players = build_players(settings, platform)
    casting = build_casting(current, platform, players, reporter=lambda: reporter)
    reporter = build_reporter(current, platform, players, casting)
    frontends = build_frontends(current, platform, players, casting, reporter)
    stage, storage, tracker, saver = platform.stage, casting.storage, casting.tracker, casting.saver
    respawn = Respawn(players, supervisor=platform.supervisor)
    idle_screen = build_idle_screen(settings, platform, frontends.gate)

    def display_changed(health: DisplayHealth) -> None:
        tracker.display_changed()
        casting.bus.publish(EventKind.DISPLAY_CHANGED, available=health.available)

    stage.on_change = display_changed
    stage.power.on_change = lambda: casting.bus.publish(EventKind.SCREEN_CHANGED, on=stage.power.is_on)

    # Each is to be stopped also when a signal comes while it starts.
    running.push_async_callback(frontends.advertiser.stop)
    running.push_async_callback(storage.stop)
    storage.start()
    running.push_async_callback(stage.stop)
    await stage.start()
    showing = platform.supervisor.start(lambda: _show(platform, casting, respawn, systemd, idle_screen), name="status")
    running.callback(showing.cancel)
    running.push_async_callback(players.stop)
    running.push_async_callback(respawn.stop)
    respawn.watch(lambda: of_the_system(os.environ))
    if folders := tuple(map(str, readable_folders(settings))):
        respawn.watch(lambda: identities(folders), name="media-folders")  # apart, because a dead disk hangs
    await players.start()
    running.push_async_callback(reporter.stop)
    running.push_async_callback(casting.lookup.close)
    running.push_async_callback(casting.cache.stop)
    running.push_async_callback(tracker.close)
    running.push_async_callback(saver.stop)
    await reporter.find_out()  # before anything is on, so that nothing is seen that is not in the journal
    await saver.start()  # before the first request: what comes back must not meet what is new
    reporter.start()
    casting.cache.start(casting.bus)
    await casting.service.presets.look()
    _start_followers(platform, casting, players, running)
    frontends.app.on_shutdown.append(lambda _app: _end_casting(casting))
    frontends.gate.start()
    running.push_async_callback(frontends.gate.stop)
    restart = stop_this_process if systemd.is_told else None
    parts = (settings, platform, players, casting, reporter, restart)
    # Not before: what comes back after a power cut need not wait for it.
    frontends.esphome = await in_thread(lambda: build_esphome(*parts), name="esphome")
    listening = await _listen(frontends.app, settings, running)
    port = int(listening[0][1])
    await _start_other_faces(frontends, port, running)
    frontends.advertiser.start(listening)
    if idle_screen is not None:
        running.push_async_callback(idle_screen.stop)
        idle_screen.start(lambda: lan_url(settings.api.host, port, settings.discovery.interfaces))
    running.callback(frontends.advertiser.withdraw)  # the goodbyes begin first, and are said while all else ends
    running.callback(reporter.farewell)
    return _Agent(port, tracker, frontends.gate, reporter, casting.service)


async def _start_other_faces(frontends: Frontends, port: int, running: AsyncExitStack) -> None:
    """Start the faces other than HTTP, which listens on `port`."""
    if frontends.esphome is not None:
        running.push_async_callback(frontends.esphome.stop)
        await frontends.esphome.start(port, frontends.advertiser.look_again)
    if frontends.dlna is not None:
        running.push_async_callback(frontends.dlna.stop)
        frontends.dlna.start(port)


async def _show(
    platform: Platform,
    casting: Casting,
    respawn: Respawn,
    systemd: Notifier,
    idle_screen: IdleScreen | None,
) -> None:
    """Report the current session, and the display, to those who need only the current state."""
    follower = casting.bus.subscribe()
    try:
        while True:
            snapshot = casting.tracker.snapshot()
            systemd.show(status_line(snapshot, platform.stage.health))
            if idle_screen is not None:
                idle_screen.follow(snapshot)
            if (await follower.next()).kind is EventKind.DISPLAY_CHANGED:
                respawn.display_changed()
                if idle_screen is not None:
                    idle_screen.display_changed()
    finally:
        follower.close()


def _start_followers(platform: Platform, casting: Casting, players: Engines, running: AsyncExitStack) -> None:
    """Start what finds out facts: about each stream, so that later starts are quicker, and about this machine."""
    recent = casting.service.recent
    recent.listen(casting.bus, casting.tracker.saved)
    cameras = casting.cameras
    foresight = Foresight(casting.service.presets, recent, players=players, keep_ready=cameras.keep)
    for work, name in (
        (recent.follow, "recent"),
        (lambda: foresight.follow(casting.bus), "foresight"),
        (cameras.run, "cameras"),
        (platform.decoders.look, "decoders"),
    ):
        running.callback(platform.supervisor.start(work, name=name).cancel)


async def _end_casting(casting: Casting) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(KEEP_TIMEOUT_S):
            await casting.saver.stop()  # before the tracker ends everything: what is on now is what is wanted
    await casting.tracker.close()  # ends all waits for a first frame


async def _listen(app: web.Application, settings: Settings, running: AsyncExitStack) -> list[Any]:
    """The addresses of the sockets."""
    runner = runner_of(app)
    await runner.setup()
    running.push_async_callback(runner.cleanup)
    host, port = settings.api.host, settings.api.port
    # IPv4 does not reach the sockets that asyncio makes of "::"; a user who writes "::" wants all of the network.
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
