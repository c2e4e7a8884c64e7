"""The judge of the tests with kills: each thing that may be wrong is seen, and counted as what it is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.reporting.support.witness import Life, verdict

Events = list[dict[str, Any]]


def lives() -> list[Life]:
    """A film, a kill, the film again and its end; between them a life that was too short for a word."""
    first = [line("journal_started", boot_id="one"), line("start_accepted"), line("first_frame_shown")]
    second = [
        line("session_restored", waiting=False),
        line("journal_started", boot_id="two"),
        line("first_frame_shown"),
    ]
    return [Life([*first]), Life(), Life([*second, line("stream_ended", reason="stopped")])]


def line(event: str, **fields: Any) -> dict[str, Any]:
    return {"event": event, **({} if event == "journal_started" else {"session_id": "film"}), **fields}


def reported() -> Events:
    kinds = {
        "one": ("agent_started", "session_started", "first_frame"),
        "two": ("agent_started", "session_resumed", "session_ended"),
    }
    return [
        {"event_id": f"{boot}{seq}", "boot_id": boot, "seq": seq, "kind": kind, "occurred_at": f"{boot}{seq}"}
        | {"session_id": None if kind == "agent_started" else "film"}
        for boot, of_boot in kinds.items()
        for seq, kind in enumerate(of_boot, start=1)
    ]


def event(kind: str, boot: str, seq: int, at: str) -> dict[str, Any]:
    return {"event_id": f"{at}{kind}", "boot_id": boot, "seq": seq, "kind": kind, "session_id": "x", "occurred_at": at}


def test_what_is_right_is_right() -> None:
    found = verdict(lives(), reported())
    assert found.is_right, found
    assert (found.events, found.lives, found.unlogged) == (6, 3, 0)


@pytest.mark.parametrize(
    ("change", "seen"),
    [
        (lambda events: events.pop(2), "lost"),
        (lambda events: events.pop(), "lost"),
        (lambda events: events.append(events[-1]), "doubled"),
        (lambda events: events.insert(2, events[1] | {"event_id": "again"}), "doubled"),
        (lambda events: events.insert(1, events.pop(2)), "disordered"),
        (lambda events: events.extend(events[:3]) or events.__delitem__(slice(0, 3)), "disordered"),
        (lambda events: events[2].update(seq=4), "gaps"),
    ],
)
def test_what_is_wrong_is_seen(change: Callable[[Events], object], seen: str) -> None:
    events = reported()
    change(events)
    found = verdict(lives(), events)
    assert not found.is_right
    assert getattr(found, seen), found


def test_a_kill_may_keep_the_last_look_from_the_log_and_no_more() -> None:
    """Also of a life that had not even said its name."""
    silent = [event("agent_started", "silent", 1, "0") | {"session_id": None}]
    events = reported()[:3] + silent + reported()[3:]
    events += [event("session_started", "two", 4, "9"), event("first_frame", "two", 5, "9")]
    found = verdict(lives(), events)
    assert (found.is_right, found.unlogged) == (True, 3), found
    events[-1]["occurred_at"] = "10"
    assert not verdict(lives(), events).is_right
