"""`python -m bench.reporting_box FOLDER SECONDS`: the agent's reporter alone, with one event a second; writes its
processor time, without and with a registration, as JSON."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

from agent.casting.saved import Volume
from agent.config.settings import CentralSettings, StateSettings
from agent.events.bus import Emit, EventBus
from agent.reporting.central.state import View
from agent.reporting.reporter import ReportedBox, Reporter
from agent.snapshot import SessionSnapshot, TrackerSnapshot
from agent.types import DeviceInfo, EndReason, PlayerState, Quality, SessionId, SessionState
from cast_wire.kinds import EventKind
from tests.support.tools import until

CONNECTED_S = 20.0
SETTLE_S = 2.0
"""The time after which the cost of a start (opening the outbox, a first state after at most 1 s) is over, and that of
events begins."""
EVENT_EVERY_S = 1.0
"""The interval that the bar is about."""


class _Casts:
    """A session begins, is seen and ends: three events, one each time that it is asked."""

    def __init__(self, emit: Emit) -> None:
        self.now = TrackerSnapshot()
        self._emit = emit

    def go_on(self) -> None:
        stream = self.now.stream
        if stream is None:
            began = _session()
            self.now = TrackerSnapshot(stream=began, sessions=(began,), last=self.now.last)
            self._emit(
                EventKind.SESSION_STARTED, began.session_id, url=began.url, title=began.title, quality=began.quality
            )
        elif stream.session_state is SessionState.STARTING:
            shown = replace(
                stream,
                session_state=SessionState.ACTIVE,
                state=PlayerState.PLAYING,
                first_frame_at=datetime.now(UTC),
                time_to_first_frame=0.1,
            )
            self.now = TrackerSnapshot(stream=shown, on_screen=shown, sessions=(shown,), last=self.now.last)
            self._emit(EventKind.FIRST_FRAME, shown.session_id, seconds=0.1)
        else:
            ended = replace(stream, session_state=SessionState.ENDED, reason=EndReason.STOPPED)
            self.now = TrackerSnapshot(last=ended)
            self._emit(EventKind.SESSION_ENDED, ended.session_id, reason=EndReason.STOPPED, position=None)


def _session() -> SessionSnapshot:
    return SessionSnapshot(
        session_id=SessionId(str(uuid4())),
        url="http://nas.local/film.mp4",
        title="A film",
        quality=Quality.AUTO,
        session_state=SessionState.STARTING,
        state=PlayerState.LOADING,
        started_at=datetime.now(UTC),
        volume_level=1.0,
        muted=False,
    )


async def _used(folder: Path, seconds: float, *, registered: bool) -> float:
    """Part of a core."""
    bus = EventBus()
    casts = _Casts(bus.publish)
    reporter = Reporter(
        ReportedBox(
            DeviceInfo(id="bench", name="bench", version="0"),
            restores=True,
            view=lambda: View("bench", casts.now, Volume()),
            bus=bus,
        ),
        folder=folder if registered else folder / "nobody",
        runtime=StateSettings(dir=folder).runtime_directory(),
        settings=CentralSettings(),
        webhooks=tuple,
    )
    reporter.start()
    try:
        if registered:
            await until(lambda: reporter.status.connected, timeout_s=CONNECTED_S, what="the central API to answer")
        await asyncio.sleep(SETTLE_S)
        began, before = time.monotonic(), time.process_time()
        while time.monotonic() - began < seconds:
            casts.go_on()
            await asyncio.sleep(EVENT_EVERY_S)
        return (time.process_time() - before) / (time.monotonic() - began)
    finally:
        await reporter.stop()


def main() -> None:
    folder, seconds = Path(sys.argv[1]), float(sys.argv[2])
    without = asyncio.run(_used(folder, seconds, registered=False))
    with_it = asyncio.run(_used(folder, seconds, registered=True))
    print(json.dumps({"without": without, "with": with_it}))


if __name__ == "__main__":
    main()
