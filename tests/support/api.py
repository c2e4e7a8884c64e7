"""A served API with scripted rooms behind it: a tracker, a stage and a player source that can be told to fail."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from uuid import uuid4

from aiohttp import ClientSession, web

from agent.api.app import create_app
from agent.api.server import ApiRunner
from agent.config import ApiSettings
from agent.errors import PlayerUnavailableError
from agent.player.base import Player
from agent.stage.base import ImageFormat, Window
from agent.types import (
    DeviceInfo,
    DisplayHealth,
    PlayerHealth,
    PlayerState,
    Quality,
    SessionId,
    SessionSnapshot,
    SessionState,
    StartRequest,
    TrackerSnapshot,
)
from agent.urls import MediaPolicy


@dataclass
class ScriptedTracker:
    """Accepts starts and remembers them; the test decides when a first frame comes and what `state` is."""

    refusal: Exception | None = None
    """Raised by `start`."""
    state: TrackerSnapshot = field(default_factory=TrackerSnapshot)
    requests: list[StartRequest] = field(default_factory=list)
    stops: list[SessionId | None] = field(default_factory=list)
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

    async def first_frame(self, session_id: SessionId, timeout_s: float) -> SessionSnapshot | None:
        self.waiting.set()
        try:
            async with asyncio.timeout(timeout_s):
                snapshot = await asyncio.shield(self.outcome)
        except TimeoutError:
            return None
        self.waited.set()
        return snapshot

    async def stop(self, session_id: SessionId | None = None) -> tuple[SessionSnapshot, ...]:
        self.stops.append(session_id)
        stream = self.state.stream
        if stream is None or session_id not in (None, stream.session_id):
            return ()
        self.state = TrackerSnapshot(last=stream)
        return (stream,)

    def snapshot(self) -> TrackerSnapshot:
        return self.state


@dataclass
class ScriptedStage:
    """A screen that shows one picture, or is not there."""

    health: DisplayHealth = field(
        default_factory=lambda: DisplayHealth(True, display=":0", width=1920, height=1080, message="1920x1080")
    )

    async def open_window(self) -> Window:
        raise NotImplementedError

    async def snapshot(self, image_format: ImageFormat = "png") -> bytes:
        if not self.health.available:
            raise PlayerUnavailableError(self.health.message)
        return b"picture as " + image_format.encode()


@dataclass
class ScriptedPlayers:
    """A source of players that says how it is."""

    health: PlayerHealth = field(
        default_factory=lambda: PlayerHealth(
            True, spare_ready=True, engine="vlc", version="3.0.24", features={"rtsp": False}
        )
    )

    async def take(self) -> Player:
        raise NotImplementedError


@dataclass
class Served:
    """The API on a real socket, a client for it, and what is behind it."""

    client: ClientSession
    host: str
    port: int
    tracker: ScriptedTracker
    stage: ScriptedStage
    players: ScriptedPlayers

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


@asynccontextmanager
async def served(*, host: str = "127.0.0.1", settings: ApiSettings | None = None) -> AsyncIterator[Served]:
    """Serve the API on a free port of `host`; its client calls it there."""
    tracker, stage, players = ScriptedTracker(), ScriptedStage(), ScriptedPlayers()
    app = create_app(
        settings=settings or ApiSettings(),
        device=DeviceInfo(id="4f0c", name="Living Room", version="0.1.0"),
        tracker=tracker,
        stage=stage,
        players=players,
        policy=MediaPolicy(),
        default_quality=Quality.HD,
    )
    runner = ApiRunner(app)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, 0).start()
        port = runner.addresses[0][1]
        async with ClientSession(f"http://{host}:{port}") as client:
            yield Served(client, host, port, tracker, stage, players)
    finally:
        tracker.outcome.cancel()
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
    )
    return replace(session, **changes)  # type: ignore[arg-type]
