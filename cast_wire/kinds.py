"""Everything that happens on a box and is told to anybody: the one list of kinds."""

from __future__ import annotations

from enum import StrEnum
from typing import Final


class EventKind(StrEnum):
    """The kind of an event of a box."""

    AGENT_STARTED = "agent_started"
    SESSION_STARTED = "session_started"
    SESSION_CHANGED = "session_changed"
    """Its title, duration, volume, position, address or pause is another one, or its player found something out."""
    SESSION_LOADING = "session_loading"
    """The session is being prepared: for the first time, after a failure, or to come back."""
    FIRST_FRAME = "first_frame"
    SESSION_WAITING = "session_waiting"
    """Interrupted by another, which is on now."""
    SESSION_FAILING = "session_failing"
    """The session failed, and is retried."""
    SESSION_RESUMED = "session_resumed"
    """The session is on again: after a wait, a failure, or a restart of the box."""
    SESSION_ENDED = "session_ended"
    PLAYBACK_CHANGED = "playback_changed"
    """`state` is another one: playing, buffering, paused, loading or idle."""
    VOLUME_CHANGED = "volume_changed"
    DISPLAY_CHANGED = "display_changed"
    SCREEN_CHANGED = "screen_changed"
    """The screen was switched on or off."""
    ACCESS_CHANGED = "access_changed"
    PRESETS_CHANGED = "presets_changed"
    RECENT_CHANGED = "recent_changed"
    """The list of recently played addresses is another one, as after each first frame."""
    EVENTS_DROPPED = "events_dropped"
    """The outbox was full, or could not be written; these will never come."""
    OUTBOX_SET_ASIDE = "outbox_set_aside"
    """The outbox was damaged; what was in it, if anything, will never come."""


REPORTED: Final = (
    EventKind.AGENT_STARTED,
    EventKind.SESSION_STARTED,
    EventKind.FIRST_FRAME,
    EventKind.SESSION_WAITING,
    EventKind.SESSION_FAILING,
    EventKind.SESSION_RESUMED,
    EventKind.SESSION_ENDED,
    EventKind.EVENTS_DROPPED,
    EventKind.OUTBOX_SET_ASIDE,
)
"""The kinds that outlive the agent: they go to the central API and to webhooks, each once."""

FOLLOWED: Final = tuple(
    kind
    for kind in EventKind
    if kind not in (EventKind.AGENT_STARTED, EventKind.EVENTS_DROPPED, EventKind.OUTBOX_SET_ASIDE)
)
"""The kinds that live followers of the box receive."""

SEEN_ON_SCREEN: Final = (
    EventKind.FIRST_FRAME,
    EventKind.SESSION_RESUMED,
    EventKind.SESSION_ENDED,
    EventKind.DISPLAY_CHANGED,
)
"""The kinds after which the screen shows something else."""
