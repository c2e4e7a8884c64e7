"""A box in this process: the real tracker and reporter, with scripted players."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from agent.casting.limits import Limits
from agent.casting.parts import SessionParts
from agent.casting.tracker import StreamTracker
from agent.config.settings import CentralSettings, WebhookSettings
from agent.events.bus import EventBus
from agent.health import ReportingStatus
from agent.media.policy import MediaChecks
from agent.media.redaction import redact
from agent.media.urls import MediaPolicy
from agent.persistence.saver import Saver
from agent.reporting.central.lookup import Lookup
from agent.reporting.central.state import View
from agent.reporting.reporter import ReportedBox, Reporter
from agent.types import DeviceInfo, SessionId, StartRequest
from tests.support.fakes import FakePlayers, FakeScreen, FakeStage
from tests.support.tools import LOOK_EVERY_S

SETTLED_S = 15.0
"""Everything but the pauses after failures takes some seconds at most; those grow from one second on."""


@dataclass
class Box:
    """One life of an agent."""

    tracker: StreamTracker
    reporter: Reporter
    players: FakePlayers
    stage: FakeStage
    problems: list[str] = field(default_factory=list)

    @property
    def status(self) -> ReportingStatus:
        return self.reporter.status

    async def play(self, url: str, **fields: object) -> SessionId:
        """Return at the first frame."""
        session_id = self.tracker.start(StartRequest(url=url, **fields))  # type: ignore[arg-type]
        assert await self.tracker.first_frame(session_id, 5.0) is not None
        return session_id

    async def until(self, condition: Callable[[], object], timeout_s: float = SETTLED_S) -> None:
        deadline = time.monotonic() + timeout_s
        while not condition():
            assert time.monotonic() < deadline, f"it did not come about: {self.status}"
            await asyncio.sleep(LOOK_EVERY_S)

    async def connected(self) -> None:
        """Return when it has nothing left to say."""
        await asyncio.sleep(0.01)  # what has just happened is looked at when the loop is free
        await self.until(lambda: self.status.connected and not self.status.queued)

    async def code(self) -> str:
        """The code of what is on, as soon as there is one."""
        await self.until(lambda: self.status.code)
        assert self.status.code is not None
        return self.status.code


@asynccontextmanager
async def box(
    folder: Path, *, restores: bool = True, webhooks: Sequence[WebhookSettings] = (), **central: object
) -> AsyncIterator[Box]:
    """Run an agent from its start to its orderly end; `central` is its section of the configuration. `webhooks` may be
    changed meanwhile."""
    players, bus = FakePlayers(), EventBus()
    stage = FakeStage(players)
    lookup = Lookup(
        registered=lambda: reporter.registered(), problem=lambda: reporter.status.problem, agent_version="0.1.0"
    )
    tracker = StreamTracker(
        SessionParts(players, stage, redact, check=MediaChecks(MediaPolicy()).check, streams=lookup),
        limits=Limits(5.0, 5.0),
        seed=1,
        emit=bus.publish,
    )
    saver = Saver(tracker, FakeScreen(), bus=bus, folder=folder, restore=restores)
    problems: list[str] = []
    reporter = Reporter(
        ReportedBox(
            DeviceInfo(id="4f0c", name="Kitchen", version="0.1.0"),
            restores=restores,
            view=lambda: View("Kitchen", tracker.snapshot(), tracker.volume, tuple(problems)),
            bus=bus,
        ),
        folder=folder,
        runtime=folder,
        settings=CentralSettings.model_validate(central),
        webhooks=lambda: webhooks,
    )

    await reporter.find_out()
    await saver.start()
    reporter.start()
    try:
        yield Box(tracker, reporter, players, stage, problems)
    finally:
        reporter.farewell()
        await saver.stop()
        await tracker.close()
        await lookup.close()
        await reporter.stop()
