"""The state that `systemctl status` shows."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from agent.health import DisplayHealth
from agent.host.systemd import status_line
from agent.snapshot import SessionSnapshot, TrackerSnapshot
from agent.types import PlayerState, Quality, SessionId, SessionState

SCREEN = DisplayHealth(True, ":0", 1280, 720)


def session(*, title: str | None = None, state: SessionState = SessionState.ACTIVE) -> SessionSnapshot:
    return SessionSnapshot(
        session_id=SessionId("one"),
        url="rtsp://camera/door",
        title=title,
        quality=Quality.AUTO,
        session_state=state,
        state=PlayerState.PLAYING,
        started_at=datetime.now(UTC),
        volume_level=1.0,
        muted=False,
    )


@pytest.mark.parametrize(
    ("snapshot", "line"),
    [
        (TrackerSnapshot(), "Idle"),
        (TrackerSnapshot(stream=session(state=SessionState.STARTING)), "Preparing: rtsp://camera/door"),
        (
            TrackerSnapshot(stream=session(), interrupted=(session(), session())),
            "On screen: rtsp://camera/door; 2 waiting underneath",
        ),
        (TrackerSnapshot(stream=session(title="a\nREADY=1")), "On screen: a READY=1"),
        (TrackerSnapshot(stream=session(title="x" * 500)), "On screen: " + "x" * 189),
    ],
)
def test_the_status_is_one_line(snapshot: TrackerSnapshot, line: str) -> None:
    assert status_line(snapshot, SCREEN) == line


def test_the_status_says_why_nothing_can_be_seen() -> None:
    """The installer looks for its beginning, and shows the rest to whoever installs."""
    display = DisplayHealth(False, message="There is no display. Start one.")
    assert status_line(TrackerSnapshot(stream=session()), display) == "No screen: There is no display. Start one."
