"""A served API: with scripted rooms behind it that can be told to fail, or with the real tracker."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

from aiohttp import ClientSession, web

from agent.access.gate import Gate
from agent.access.hooks import HookFile, Hooks
from agent.access.keys import KeyFile
from agent.casting.entries import NotKept
from agent.casting.limits import Limits
from agent.casting.parts import SessionParts
from agent.casting.presets import Presets
from agent.casting.recent import Recent
from agent.casting.saved import Saved, Volume
from agent.casting.service import CastingService, Tracker
from agent.casting.tracker import StreamTracker
from agent.config.loader import Settings
from agent.config.reload import shown
from agent.config.settings import ApiSettings
from agent.errors import AgentError, PlayerUnavailableError
from agent.events.bus import EventBus
from agent.frontends.http.app import create_app, runner_of
from agent.health import DisplayHealth, PlayerHealth, ReportingStatus, WebhookStatus
from agent.library.cache import VideoCache
from agent.media.policy import MediaChecks
from agent.media.redaction import redact
from agent.media.urls import MediaPolicy
from agent.persistence.entry_file import EntryFile
from agent.player.base import Player, PlayerSource, Totals
from agent.snapshot import SessionSnapshot, TrackerSnapshot
from agent.stage.base import WHOLE, ImageFormat, Layer, Place, Stage, Window
from agent.stage.snapshots import Snapshots
from agent.types import (
    Capability,
    DeviceInfo,
    MediaType,
    PlayerState,
    Quality,
    SessionChange,
    SessionId,
    SessionState,
    StartRequest,
)
from cast_util.tasks import Supervisor
from tests.support.fakes import FakePlayers, FakeScreen, FakeStage
from tests.support.library import video_cache

ENTRIES = ("presets", "recent")
NO_KEYS = Path("/nonexistent")


@dataclass
class ScriptedTracker:
    """Accepts starts and remembers them; the test decides when a first frame comes and what `state` is."""

    refusal: Exception | None = None
    """Raised by everything that asks it to do something."""
    lookup: Exception | None = None
    """Raised to who waits for a stream to be looked up."""
    state: TrackerSnapshot = field(default_factory=TrackerSnapshot)
    requests: list[StartRequest] = field(default_factory=list)
    changes: list[tuple[SessionId, SessionChange]] = field(default_factory=list)
    stops: list[SessionId | None] = field(default_factory=list)
    """One for each stop; see `everything`."""
    everything: list[bool] = field(default_factory=list)
    controls: list[tuple[object, ...]] = field(default_factory=list)
    """Name and arguments of each pause, seek and set_volume."""
    volume: Volume = field(default_factory=Volume)
    waiting: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when somebody waits for a first frame."""
    waited: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when somebody has waited to the end, without being cancelled."""
    outcome: asyncio.Future[SessionSnapshot] = field(default_factory=asyncio.Future)

    def start(self, request: StartRequest) -> SessionId:
        if self.refusal is not None:
            raise self.refusal
        self.requests.append(request)
        session = session_snapshot(url=request.url, title=request.title, quality=request.quality)
        self.state = TrackerSnapshot(stream=session, on_screen=self.state.on_screen, last=self.state.last)
        return session.session_id

    def change(self, session_id: SessionId, change: SessionChange) -> SessionSnapshot:
        if self.refusal is not None:
            raise self.refusal
        self.changes.append((session_id, change))
        return session_snapshot(session_id=session_id)

    def saved(self) -> tuple[Saved, ...]:
        return ()

    async def first_frame(self, session_id: SessionId, timeout_s: float) -> SessionSnapshot | None:
        self.waiting.set()
        try:
            async with asyncio.timeout(timeout_s):
                snapshot = await asyncio.shield(self.outcome)
        except TimeoutError:
            return None
        self.waited.set()
        return snapshot

    async def located(self, session_id: SessionId, timeout_s: float) -> bool:
        if self.lookup is not None:
            raise self.lookup
        return True

    async def stop(
        self, session_id: SessionId | None = None, *, everything: bool = False, picture_stays_s: float = 0.0
    ) -> tuple[SessionSnapshot, ...]:
        self.stops.append(session_id)
        self.everything.append(everything)
        stream = self.state.stream
        if stream is None or session_id not in (None, stream.session_id):
            return ()
        self.state = TrackerSnapshot(last=stream)
        return (stream,)

    def keep_picture(self, seconds: float) -> None:
        """There is no screen."""

    async def pause(self, on: bool) -> SessionSnapshot:
        return self._controlled("pause", on)

    def reload(self) -> SessionSnapshot:
        return self._controlled("reload", True)

    async def seek(self, position: float) -> SessionSnapshot:
        return replace(self._controlled("seek", position), position=position)

    async def set_volume(self, level: float | None, muted: bool | None) -> Volume:
        if self.refusal is not None:
            raise self.refusal
        self.controls.append(("set_volume", level, muted))
        return self.volume

    def _controlled(self, *control: object) -> SessionSnapshot:
        if self.refusal is not None:
            raise self.refusal
        self.controls.append(control)
        assert self.state.stream is not None, "the test puts something on"
        return self.state.stream

    black_s = 0.0

    def snapshot(self) -> TrackerSnapshot:
        return self.state


@dataclass
class ScriptedStage:
    """A screen that shows one picture, or is not there."""

    health: DisplayHealth = field(
        default_factory=lambda: DisplayHealth(True, display=":0", width=1920, height=1080, message="1920x1080")
    )

    has_picture = False

    async def open_window(self, *, layer: Layer = Layer.STREAM, place: Place = WHOLE) -> Window:
        raise NotImplementedError

    async def snapshot(self, image_format: ImageFormat = "png", *, width: int | None = None) -> bytes:
        if not self.health.available:
            raise PlayerUnavailableError(self.health.message)
        return b"picture as " + image_format.encode()


@dataclass
class ScriptedPlayers:
    """A source of players that says how it is."""

    health: PlayerHealth = field(
        default_factory=lambda: PlayerHealth(
            True,
            spare_ready=True,
            engine="vlc",
            version="3.0.24",
            features={"rtsp": False},
            engines={
                "vlc": PlayerHealth(
                    True, spare_ready=True, version="3.0.24", features={"rtsp": False}, plays=("http",)
                ),
                "mpv": PlayerHealth(False, message="mpv is not installed.", plays=("rtsp",)),
            },
        )
    )

    totals: Mapping[str, Totals] = field(default_factory=dict)

    def check(self, url: str, *, kind: MediaType | None = None) -> None:
        raise NotImplementedError

    @property
    def for_ready(self) -> str | None:
        raise NotImplementedError

    async def take(self, url: str, *, engine: str | None = None, kind: MediaType | None = None) -> Player:
        raise NotImplementedError

    def has_room(self, url: str, *, kind: MediaType | None = None) -> bool:
        return True

    def expect(self, url: str, *, kind: MediaType | None = None, ready: bool = False) -> None:
        """Do nothing: nothing is kept ready."""

    def others(self, url: str, error: AgentError, *, kind: MediaType | None = None) -> Mapping[str, str]:
        raise NotImplementedError


@dataclass
class Client:
    """The API on a real socket, and a client for it."""

    client: ClientSession
    host: str
    port: int

    async def raw(self, data: bytes, *, finish: bool = False) -> bytes:
        """Send bytes as they are and give back all that comes until the server closes, 5 s at most."""
        reader, writer = await asyncio.open_connection(self.host, self.port)
        try:
            writer.write(data)
            if finish:
                writer.write_eof()
            async with asyncio.timeout(5):
                return await reader.read()
        finally:
            writer.close()


@dataclass
class Served(Client):
    """Behind it are scripted rooms."""

    tracker: ScriptedTracker
    stage: ScriptedStage
    players: ScriptedPlayers


@dataclass
class Tracked(Client):
    """Behind it is the real tracker, with players and a stage that obey at once: the host of a URL says what its
    stream does, see `tests.support.fakes`."""

    tracker: StreamTracker
    stage: FakeStage
    players: FakePlayers
    screen: FakeScreen


class Rooms:
    """The real tracker and casting service, with players and a stage that obey at once; their presets are in `folder`,
    or in memory without one, and those of the configuration are `configured`."""

    def __init__(self, *, folder: Path | None = None, configured: Sequence[Mapping[str, object]] = ()) -> None:
        self.players = FakePlayers()
        self.stage = FakeStage(self.players)
        self.bus = EventBus()
        self.tracker = StreamTracker(
            SessionParts(self.players, self.stage, redact),
            limits=Limits(start_timeout=5.0, stall_timeout=5.0),
            seed=7,
            emit=self.bus.publish,
        )
        self.screen = FakeScreen(self.bus.publish)
        policy = MediaChecks(MediaPolicy())
        presets, recent = (NotKept() if folder is None else EntryFile(folder / f"{name}.json") for name in ENTRIES)
        self.casting = CastingService(
            self.tracker,
            policy=policy,
            presets=Presets(presets, configured=lambda: configured, policy=policy, emit=self.bus.publish),
            recent=Recent(recent, emit=self.bus.publish),
            screen=self.screen,
        )


@asynccontextmanager
async def served(
    *,
    host: str = "127.0.0.1",
    settings: ApiSettings | None = None,
    folder: Path | None = None,
    supervisor: Supervisor | None = None,
    bus: EventBus | None = None,
) -> AsyncIterator[Served]:
    """Serve the API with scripted rooms on a free port of `host`; its client calls it there. Its keys are in
    `folder`; without one there are none."""
    tracker, stage, players = ScriptedTracker(), ScriptedStage(), ScriptedPlayers()
    try:
        async with served_by(
            tracker, stage, players, host=host, settings=settings, folder=folder, supervisor=supervisor, bus=bus
        ) as (
            client,
            port,
        ):
            yield Served(client, host, port, tracker, stage, players)
    finally:
        tracker.outcome.cancel()


@asynccontextmanager
async def tracked(
    *, folder: Path | None = None, port: int = 0, configured: Sequence[Mapping[str, object]] = ()
) -> AsyncIterator[Tracked]:
    """Serve the API with the real tracker; at the end everything is stopped. Its keys and presets are in `folder`,
    those of the configuration are `configured`."""
    rooms = Rooms(folder=folder, configured=configured)
    tracker, casting = rooms.tracker, rooms.casting
    await casting.presets.look()
    casting.recent.listen(rooms.bus, tracker.saved)
    noting = asyncio.create_task(casting.recent.follow())
    served_with = served_by(
        tracker, rooms.stage, rooms.players, folder=folder, bus=rooms.bus, port=port, casting=casting
    )
    try:
        async with served_with as (client, port):
            yield Tracked(client, "127.0.0.1", port, tracker, rooms.stage, rooms.players, rooms.screen)
    finally:
        noting.cancel()
        await tracker.close()


async def nothing_to_keep() -> None:
    """Do nothing: there is no disk here."""


@asynccontextmanager
async def served_by(
    tracker: Tracker,
    stage: Stage,
    players: PlayerSource,
    *,
    host: str = "127.0.0.1",
    settings: ApiSettings | None = None,
    kept: Callable[[], Awaitable[None]] = nothing_to_keep,
    reporting: Callable[[], ReportingStatus] = ReportingStatus,
    told: Callable[[], tuple[WebhookStatus, ...]] = tuple,
    folder: Path | None = None,
    supervisor: Supervisor | None = None,
    bus: EventBus | None = None,
    port: int = 0,
    casting: CastingService | None = None,
    cache: VideoCache | None = None,
) -> AsyncIterator[tuple[ClientSession, int]]:
    in_force = settings or ApiSettings()
    app = create_app(
        settings=lambda: in_force,
        gate=Gate(KeyFile(folder or NO_KEYS), settings=lambda: in_force),
        hooks=Hooks(HookFile(folder or NO_KEYS)),
        device=DeviceInfo(id="4f0c", name="Living Room", version="0.1.0"),
        casting=casting
        or CastingService(tracker, policy=MediaChecks(MediaPolicy()), default_quality=lambda: Quality.HD, kept=kept),
        cache=cache or video_cache(NO_KEYS),
        bus=bus or EventBus(),
        stage=stage,
        snapshots=Snapshots(stage),
        players=players,
        reporting=reporting,
        told=told,
        supervisor=supervisor or Supervisor(),
        in_force=lambda: shown(Settings()),
    )
    runner = runner_of(app)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port).start()
        port = runner.addresses[0][1]
        async with ClientSession(f"http://{host}:{port}") as client:
            yield client, port
    finally:
        await runner.cleanup()


def session_snapshot(**changes: object) -> SessionSnapshot:
    """A session that was just accepted, with `changes`."""
    session = SessionSnapshot(
        session_id=SessionId(str(uuid4())),
        url="http://nas/film.mp4",
        title=None,
        quality=Quality.AUTO,
        session_state=SessionState.STARTING,
        state=PlayerState.LOADING,
        started_at=datetime(2026, 1, 2, 3, 4, 5, 678900, tzinfo=UTC),
        volume_level=1.0,
        muted=False,
        capabilities=dict.fromkeys(("pause", "seek", "volume_set", "snapshot"), Capability.UNAVAILABLE),
    )
    return replace(session, **changes)  # type: ignore[arg-type]
