"""The nightly renewal of a web page in the real browser, at the time that the test says it is."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from agent.casting.limits import Limits
from agent.casting.parts import SessionParts
from agent.casting.tracker import StreamTracker
from agent.media.redaction import redact
from agent.player.chromium import age
from agent.player.chromium import player as chromium_player
from agent.player.chromium.command import is_installed
from agent.player.engines import Engines
from agent.types import ShownAs, StartRequest
from tests.support.browsers import browsers_on
from tests.support.recorder import ScreenRecorder
from tests.support.screen import Screen
from tests.support.tools import until
from tests.support.web_pages import WebPages
from tests.support.xserver import XServer

pytestmark = pytest.mark.skipif(
    not is_installed(), reason="NOT TRIED: no Chromium here; scripts/setup.sh test installs it"
)

SHOWN_S = 20.0
"""A browser that is started first has painted after 2 s on a machine that does nothing else."""


class Clock:
    """The local time: the evening until the test says that it is night."""

    def __init__(self) -> None:
        self.now = datetime(2026, 1, 1, 23, tzinfo=UTC)
        self.was_asked = False

    def __call__(self) -> datetime:
        self.was_asked = True
        return self.now


@asynccontextmanager
async def tracker_on(display: str, folder: Path) -> AsyncIterator[StreamTracker]:
    """The sessions of an agent that shows web pages alone."""
    limits = Limits(start_timeout=SHOWN_S, stall_timeout=SHOWN_S)
    async with browsers_on(display, folder) as (stage, pool, table):
        tracker = StreamTracker(SessionParts(Engines([pool], table=table), stage, redact), limits=limits)
        try:
            yield tracker
        finally:
            await tracker.close()


async def test_a_page_is_renewed_at_night_unseen(
    xserver: XServer, screen: Screen, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A second process takes over once it has painted, and the first one is gone then."""
    clock = Clock()
    monkeypatch.setattr(age, "LOOK_EVERY_S", 0.05)
    monkeypatch.setattr(chromium_player, "until_old", partial(age.until_old, now=clock))
    with WebPages() as pages, capture_logs() as logs:
        async with tracker_on(xserver.display, tmp_path) as tracker:
            session = tracker.start(StartRequest(url=pages.url("/late/magenta"), shown_as=ShownAs.PAGE))
            assert await tracker.first_frame(session, SHOWN_S)
            await until(lambda: clock.was_asked and screen.colour_at_centre() == "magenta")
            with ScreenRecorder(xserver.display) as recorder:
                clock.now = datetime(2026, 1, 2, 4, tzinfo=UTC)
                await until(lambda: any(log["event"] == "page_outdated" for log in logs), timeout_s=SHOWN_S)
                [outdated] = [log for log in logs if log["event"] == "page_outdated"]
                await until(lambda: not Path(f"/proc/{outdated['pid']}").exists(), timeout_s=SHOWN_S)
                recording = recorder.stop()
            [shown] = tracker.snapshot().sessions
    assert (outdated["why"], pages.asked["/late/magenta"], shown.session_id) == ("night", 2, session)
    assert recording.colours() == ["magenta"]
    assert (recording.seconds_of("white"), recording.seconds_of("black")) == (0, 0)
