"""The events of a box by its own log, in which reporting has no part, compared with those that were reported."""

from __future__ import annotations

import json
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Any

Happened = tuple[str, str | None]
"""The kind of an event and its session."""

Line = Mapping[str, Any]


@dataclass
class Told:
    """The state of a session as the central API knows it."""

    phase: str
    framed: bool


@dataclass
class Life:
    """One life of the box, from its start to its kill."""

    lines: list[Line] = field(default_factory=list)

    @property
    def boot_id(self) -> str | None:
        """None when it was killed before it had said."""
        return next((line["boot_id"] for line in self.lines if line["event"] == "journal_started"), None)

    def happened(self, told: Mapping[str, Told]) -> Iterator[Happened]:
        """The events that were to be told, given what had been told before."""
        told = {session: Told(known.phase, known.framed) for session, known in told.items()}
        restored = {line["session_id"]: line for line in self.lines if line["event"] == "session_restored"}
        if self.boot_id is not None:
            yield "agent_started", None
            for session in [session for session in told if session not in restored]:
                del told[session]
                yield "session_ended", session
        seen = [(session, "session_started") for session in restored]
        seen += [(session, "session_waiting") for session, line in restored.items() if line["waiting"]]
        interrupted: list[str] = []
        for line in self.lines:
            seen += _kinds(line, interrupted)
        for session, kind in seen if self.boot_id is not None else seen[len(restored) :]:
            if kind == "session_failing" and not told[session].framed:
                continue  # a start that is tried again
            if (news := _news(told, session, kind)) is not None:
                yield news, session


@dataclass
class Verdict:
    """The faults that were found, each counted, and the first of them in full."""

    events: int
    lives: int
    lost: int = 0
    doubled: int = 0
    disordered: int = 0
    """Lives whose events, or whose place, are in another order."""
    gaps: int = 0
    """Lives whose events are not counted one by one."""
    unlogged: int = 0
    """Reported, and killed before the line of it was in the log: right, and no more than what was seen in one look at
    the end of each life."""
    story: str = ""

    @property
    def is_right(self) -> bool:
        return not (self.lost or self.doubled or self.disordered or self.gaps)


def verdict(lives: Sequence[Life], events: Sequence[Mapping[str, Any]]) -> Verdict:
    """The verdict on the events that the central API lists, in its order."""
    found = Verdict(len(events), len(lives))
    found.doubled = len(events) - len({event["event_id"] for event in events})
    found.disordered = len([boot for boot, _ in groupby(event["boot_id"] for event in events)])
    of_boot: dict[str, list[Mapping[str, Any]]] = {}
    for event in events:
        of_boot.setdefault(event["boot_id"], []).append(event)
    found.disordered -= len(of_boot)
    told: dict[str, Told] = {}
    for life, reported in _matched(lives, of_boot, found):
        expected = list(life.happened(told))
        _judge(life, expected, reported, found)
        for event in reported:
            if (session := event["session_id"]) is not None:
                _news(told, session, "first_frame" if event["kind"] == "session_resumed" else event["kind"])
    return found


def lives_in(logs: Path) -> list[Life]:
    """The lives in a folder with a log for each."""
    lives = []
    for log in sorted(logs.iterdir(), key=lambda file: int(file.name)):
        whole, _, _torn = log.read_text().rpartition("\n")
        lives.append(Life([json.loads(line) for line in whole.splitlines()]))
    return lives


def lives_of(lines: Iterable[Line], *, beginning: str) -> list[Life]:
    """The lives in a log of all of them; each begins with a line of that event."""
    lives: list[Life] = []
    for line in lines:
        if line["event"] == beginning:
            lives.append(Life())
        if lives:
            lives[-1].lines.append(line)
    return lives


def _matched(
    lives: Sequence[Life], of_boot: Mapping[str, list[Mapping[str, Any]]], found: Verdict
) -> Iterator[tuple[Life, list[Mapping[str, Any]]]]:
    """Each life with its events; one that was killed before it named itself has those that nobody else has there."""
    boots = deque(of_boot)
    named = {life.boot_id for life in lives}
    for life in lives:
        if life.boot_id is None:
            yield life, of_boot[boots.popleft()] if boots and boots[0] not in named else []
        elif life.boot_id not in of_boot:
            yield life, []
        else:
            found.disordered += boots[0] != life.boot_id
            boots.remove(life.boot_id)
            yield life, of_boot[life.boot_id]
    found.doubled += sum(len(of_boot[boot]) for boot in boots)


def _judge(life: Life, expected: list[Happened], reported: list[Mapping[str, Any]], found: Verdict) -> None:
    got = [(event["kind"], event["session_id"]) for event in reported]
    unlogged = reported[len(expected) :]
    wrong = Counter(expected) - Counter(got), Counter(got[: len(got) - len(unlogged)]) - Counter(expected)
    if len({event["occurred_at"] for event in unlogged}) > 1:  # not of one look
        wrong[1].update(got[len(expected) :])
    found.lost += wrong[0].total()
    found.doubled += wrong[1].total()
    found.disordered += not any(wrong) and got[: len(expected)] != expected
    has_gap = [event["seq"] for event in reported] != list(range(1, len(reported) + 1))
    found.gaps += has_gap
    found.unlogged += len(unlogged)
    if not found.story and (any(wrong) or has_gap or got[: len(expected)] != expected):
        found.story = _story(got, expected, life)


def _story(got: list[Happened], expected: list[Happened], life: Life) -> str:
    pad: list[Happened | None] = [None] * abs(len(got) - len(expected))
    pairs = zip([*got, *pad], [*expected, *pad], strict=False)
    lines = [f"{'  ' if a == b else '! '}reported {a}  happened {b}" for a, b in pairs if a or b]
    names = ("timestamp", "event", "session_id", "attempt", "reason", "again", "by", "waiting", "boot_id")
    return "\n".join(lines + [str({name: line[name] for name in names if name in line}) for line in life.lines])


def _kinds(line: Line, interrupted: list[str]) -> Iterator[tuple[str, str]]:
    session = line.get("session_id", "")
    match line["event"]:
        case "start_accepted":
            yield session, "session_started"
        case "stream_interrupted":
            interrupted.append(session)  # told after the picture of the one that interrupts
        case "first_frame_shown":
            yield session, "first_frame"
            while interrupted:
                yield interrupted.pop(), "session_waiting"
        case "stream_retried":
            yield session, "session_failing"
        case "stream_ended" if line["reason"] != "shutdown":
            yield session, "session_ended"


def _news(told: dict[str, Told], session: str, kind: str) -> str | None:
    """The decision of the outbox, written down a second time."""
    known = told.get(session)
    if kind == "session_ended":
        told.pop(session, None)
        return kind
    if known is None:
        told[session] = Told(kind, kind == "first_frame")
        return kind
    if kind == "first_frame":
        news = "session_resumed" if known.framed else kind
        known.phase, known.framed = news, True
        return news
    if kind in ("session_started", known.phase):
        return None
    known.phase = kind
    return kind
