"""The line of the agent in `systemctl status`."""

from __future__ import annotations

from agent.health import DisplayHealth
from agent.snapshot import TrackerSnapshot
from agent.types import SessionState

STATUS_LENGTH = 200
"""Characters; more is no longer one line of `systemctl status`."""


def status_line(snapshot: TrackerSnapshot, display: DisplayHealth) -> str:
    """The current session in one line without credentials; without a display `No screen: ` and what to do."""
    if not display.available:
        return f"No screen: {display.message}"
    shown = snapshot.stream
    if shown is None:
        return "Idle"
    what = "On screen" if shown.session_state is SessionState.ACTIVE else "Preparing"
    waiting = f"; {len(snapshot.interrupted)} waiting underneath" if snapshot.interrupted else ""
    return " ".join(f"{what}: {shown.title or shown.url}".split())[:STATUS_LENGTH] + waiting
