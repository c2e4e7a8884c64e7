"""The sessions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from agent import __version__
from agent.builders.platform import Platform, confinement_of, readable_folders
from agent.casting.limits import Limits
from agent.casting.parts import SessionParts
from agent.casting.presets import Presets
from agent.casting.recent import Recent
from agent.casting.service import CastingService
from agent.casting.tracker import StreamTracker
from agent.config.library import FOLDER
from agent.config.loader import Settings
from agent.config.reload import Current
from agent.discovery.local_names import LocalNames
from agent.events.bus import EventBus
from agent.host.storage import Storage
from agent.library.cache import VideoCache
from agent.media.doors import knock_at
from agent.media.names import look_up_name
from agent.media.policy import MediaChecks
from agent.media.redaction import redact
from agent.media.urls import MediaPolicy
from agent.persistence.entry_file import LIBRARY_FILE, PRESETS_FILE, RECENT_FILE, EntryFile
from agent.persistence.saver import Saver
from agent.player.camera.keeper import ReadyCameras
from agent.player.engines import Engines
from agent.player.registry import missing_for_ready
from agent.reporting.central.download import Downloads
from agent.reporting.central.lookup import Lookup
from agent.reporting.reporter import Reporter


@dataclass(frozen=True, slots=True)
class Casting:
    """The sessions, what keeps them over a restart, where the streams of others are looked up, and the videos that are
    kept here."""

    tracker: StreamTracker
    service: CastingService
    saver: Saver
    storage: Storage
    lookup: Lookup
    cache: VideoCache
    cameras: ReadyCameras
    local_names: LocalNames
    bus: EventBus
    """The events of the sessions and of the device."""


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
    cache = VideoCache(
        lookup,
        file=EntryFile(folder / LIBRARY_FILE),
        folder=folder / FOLDER,
        download=Downloads(agent_version=__version__, find_local=local_names.address).pieces,
        limit=settings.library.cache,
        sessions=lambda: tracker.snapshot().sessions,
        supervisor=platform.supervisor,
    )
    cameras = ReadyCameras(
        confinement=confinement_of(settings),
        locate=local_names.locate,
        supervisor=platform.supervisor,
        player_missing=missing_for_ready,
    )
    playable = MediaChecks(MediaPolicy(settings.player.allowed_schemes, readable_folders(settings)))
    bus = EventBus()
    tracker = StreamTracker(
        SessionParts(
            players,
            platform.stage,
            redact,
            check=playable.check,
            look_up=look_up_name,
            locate=local_names.locate,
            knock_at=knock_at,
            cameras=cameras,
            logins=lambda: current.settings.login,
            web=lambda: current.settings.web,
            streams=cache,
        ),
        limits=limits_of(settings),
        retry=settings.stream.retry,
        emit=bus.publish,
    )
    saver = Saver(
        tracker,
        platform.stage.power,
        bus=bus,
        folder=folder,
        restore=settings.stream.restore,
        supervisor=platform.supervisor,
    )
    storage = Storage(folder, platform.own, not_written=lambda: saver.not_written, supervisor=platform.supervisor)
    service = _service(current, platform, tracker, saver, bus, policy=checks)
    return Casting(tracker, service, saver, storage, lookup, cache, cameras, local_names, bus)


def _service(
    current: Current, platform: Platform, tracker: StreamTracker, saver: Saver, bus: EventBus, *, policy: MediaChecks
) -> CastingService:
    folder = current.settings.state.directory()
    return CastingService(
        tracker,
        policy=policy,
        default_quality=lambda: current.settings.player.quality,
        kept=saver.kept,
        presets=Presets(
            EntryFile(folder / PRESETS_FILE),
            configured=lambda: [preset.model_dump(exclude_unset=True) for preset in current.settings.preset],
            policy=policy,
            emit=bus.publish,
        ),
        recent=Recent(
            EntryFile(folder / RECENT_FILE), enabled=lambda: current.settings.stream.recent, emit=bus.publish
        ),
        screen=platform.stage.power,
    )


def limits_of(settings: Settings) -> Limits:
    """The limits on how long a stream may take to start, and to resume."""
    return Limits(settings.player.start_timeout, settings.player.stall_timeout)
