"""The outbox: what was kept is passed on, in order and once; what cannot be kept is counted and told."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest

from agent.events.event import Occurrence, Run
from agent.events.timestamp import Timestamp, timestamp
from agent.reporting.outbox.database import DEAD_LETTERS_LIMIT, FILE, SET_ASIDE, OutboxFile
from agent.reporting.outbox.event_table import AGE_LIMIT_S, BYTES_LIMIT, EVENTS_LIMIT
from agent.reporting.outbox.outbox import Outbox
from agent.reporting.outbox.reader import Reader
from agent.reporting.outbox.spool import Spool
from cast_wire import models as wire
from cast_wire.kinds import EventKind
from tests.reporting.support.full_disk import small_disk
from tests.support.tools import until

READER = "central"
ROOT = Path(__file__).parents[2]


class Clock:
    """A box that was switched on an hour ago, whose clock the network keeps; the test moves all of it."""

    def __init__(self) -> None:
        self.now = Timestamp(at=1_800_000_000.0, synced=True, uptime=3600.0, machine_boot="first")

    def __call__(self) -> Timestamp:
        return self.now

    def forward(self, seconds: float) -> None:
        self.now = replace(self.now, at=self.now.at + seconds, uptime=self.now.uptime + seconds)

    def reboot(self, *, at: float, synced: bool) -> None:
        """The machine was switched off and on again; its clock stands at `at`."""
        self.now = Timestamp(at=at, synced=synced, uptime=0.0, machine_boot=f"boot {uuid4()}")


@contextmanager
def outbox(
    folder: Path, clock: Clock | None = None, *, identity: str = "box", left: bytes = b"", **readers: Reader
) -> Iterator[OutboxFile]:
    """One run of an agent, after one that left this in its spool."""
    file = OutboxFile(folder, run=new_run(), readers=readers or {READER: Reader(identity)}, clock=clock or timestamp)
    try:
        file.begin(left)
        yield file
    finally:
        file.close()


def new_run() -> Run:
    return Run(boot_id=str(uuid4()), agent_version="0.1.0")


def agent_started(*present: str) -> Occurrence:
    return Occurrence(EventKind.AGENT_STARTED, timestamp(), present=present)


def occurrence(number: int = 0, clock: Clock | None = None, **data: Any) -> Occurrence:
    """One that is news whatever came before."""
    return Occurrence(EventKind.AGENT_STARTED, (clock or timestamp)(), data={"number": number, **data})


def told(file: OutboxFile, reader: str = READER) -> list[dict[str, Any]]:
    """All that a reader would pass on; nothing is settled."""
    return list(file.next(reader, 10_000).events)


def numbers(events: list[dict[str, Any]]) -> list[int]:
    return [event["data"]["number"] for event in events if "number" in event["data"]]


def test_events_are_passed_on_in_order_and_forgotten_then(tmp_path: Path) -> None:
    """Over a restart too; each is what the wire wants, with an id of its own, and counted within its run."""
    with outbox(tmp_path) as file:
        for number in range(3):
            file.record([occurrence(number)])
        assert (tmp_path / FILE).stat().st_mode & 0o777 == 0o600
    with outbox(tmp_path) as file:
        file.record([occurrence(3), occurrence(4)])
        events = told(file)
        assert numbers(events) == [0, 1, 2, 3, 4]
        assert [event["seq"] for event in events] == [1, 2, 3, 1, 2]
        assert len({event["boot_id"] for event in events}) == 2
        assert [UUID(event["event_id"]).version for event in events] == [7] * 5
        for event in events:
            wire.Event.model_validate(event | {"device_id": str(uuid4())})
        batch = file.next(READER, 2)
        file.settle(batch, 2, {})
        assert numbers(told(file)) == [2, 3, 4]
        assert file.status.queued == {READER: 3}
    with outbox(tmp_path) as file:
        assert numbers(told(file)) == [2, 3, 4]


def test_two_readers_are_independent(tmp_path: Path) -> None:
    """An event goes when both have passed it on; a new reader gets what happens from then on."""
    with outbox(tmp_path) as file:
        file.record([occurrence(1)])
    with outbox(tmp_path, central=Reader("box"), hook=Reader("https://hook")) as file:
        file.record([occurrence(2)])
        assert (numbers(told(file, "central")), numbers(told(file, "hook"))) == ([1, 2], [2])
        file.settle(file.next("central", 10), 2, {})
        assert (numbers(told(file, "central")), numbers(told(file, "hook"))) == ([], [2])
        file.settle(file.next("hook", 10), 1, {})
    assert count_rows(tmp_path, "events") == 0


def test_a_reader_is_told_what_it_wants(tmp_path: Path) -> None:
    """An event that it does not want neither waits for it nor counts, and is kept no longer than others need it."""
    picky = Reader("hook", frozenset({EventKind.SESSION_STARTED}))
    with outbox(tmp_path, central=Reader("box"), hook=picky) as file:
        film = Occurrence(EventKind.SESSION_STARTED, timestamp(), "film")
        file.record([occurrence(1), film, occurrence(2), Occurrence(EventKind.FIRST_FRAME, timestamp(), "film")])
        assert [event["kind"] for event in told(file, "hook")] == ["session_started"]
        assert file.status.queued == {"central": 4, "hook": 1}
        file.settle(file.next("central", 10), 4, {})
        assert file.status.queued == {"central": 0, "hook": 1}
    assert count_rows(tmp_path, "events") == 1


def test_readers_change_while_it_runs(tmp_path: Path) -> None:
    """One that comes is told what happens from then on; one that goes loses its place and holds up nothing; the others
    notice neither."""
    with outbox(tmp_path, hook=Reader("hook")) as file:
        file.record([occurrence(1)])
        file.follow({"hook": Reader("hook"), "central": Reader("box")})
        file.record([occurrence(2)])
        assert (numbers(told(file, "central")), numbers(told(file, "hook"))) == ([2], [1, 2])
        assert [event["seq"] for event in told(file, "hook")] == [1, 2]
        file.follow({"central": Reader("box")})
        file.close()
        assert (count_rows(tmp_path, "events"), file.status.queued) == (1, {"central": 1})
        file.follow({"central": Reader("box"), "hook": Reader("hook")})
        file.record([occurrence(3)])
        assert (numbers(told(file, "central")), numbers(told(file, "hook"))) == ([2, 3], [3])
        file.follow({"central": Reader("another box"), "hook": Reader("hook")})
        assert (numbers(told(file, "central")), numbers(told(file, "hook"))) == ([], [3])


def test_what_one_reader_loses_is_its_own_loss(tmp_path: Path) -> None:
    """A receiver that is away for long is told what it missed, when it comes back; the other one missed nothing."""
    with outbox(tmp_path, central=Reader("box"), away=Reader("hook")) as file:
        file.next("away", 1)
        told_central = []
        for number in range(EVENTS_LIMIT + 500):
            file.record([occurrence(number)])
            batch = file.next("central", 50)
            told_central += list(batch.events)
            file.settle(batch, len(batch.events), {})
        assert numbers(told_central) == list(range(EVENTS_LIMIT + 500))
        assert {event["kind"] for event in told_central} == {"agent_started"}
        events = told(file, "away")
        dropped = [event["data"]["count"] for event in events if event["kind"] == "events_dropped"]
        assert (len(dropped), sum(dropped) + len(numbers(events))) == (1, EVENTS_LIMIT + 500)
        assert file.status.dropped == {"central": 0, "away": dropped[0]}
    with outbox(tmp_path, central=Reader("box"), away=Reader("hook")) as file:
        file.record([occurrence(-1)])
        assert file.status.dropped["central"] == 0
        assert file.status.dropped["away"] >= dropped[0]


async def test_no_reader_misses_what_another_has_seen(tmp_path: Path) -> None:
    """One that looked before it happened, and waits after another one has looked."""
    run = new_run()
    readers = {"a": Reader("a"), "b": Reader("b")}
    file = OutboxFile(tmp_path, run=run, readers=readers)
    outbox = Outbox(file, Spool(tmp_path / "spool", run=run, readers=readers))
    outbox.start(agent_started())
    try:
        for reader in ("a", "b"):
            batch = await outbox.next(reader, 10)
            await outbox.settle(batch, len(batch.events), {})
        assert (await outbox.next("a", 10)).events == ()
        outbox.record(occurrence(1))
        async with asyncio.timeout(5.0):
            while not (await outbox.next("b", 10)).events:
                await outbox.wait("b")
            await outbox.wait("a")
        assert numbers(list((await outbox.next("a", 10)).events)) == [1]
    finally:
        await outbox.stop(5.0)


def test_a_box_that_was_enrolled_anew_keeps_its_past_to_itself(tmp_path: Path) -> None:
    """Events that happened under another identity may be none of the new receiver's business."""
    with outbox(tmp_path, identity="old") as file:
        file.record([occurrence(1)])
    with outbox(tmp_path, identity="new") as file:
        file.record([occurrence(2)])
        assert numbers(told(file)) == [2]


def test_each_thing_is_told_once_over_restarts(tmp_path: Path) -> None:
    """A session that comes back has not started again, and its picture resumes; one that does not has ended."""

    def session(kind: EventKind, session_id: str) -> Occurrence:
        return Occurrence(kind, timestamp(), session_id)

    started, framed, waits = EventKind.SESSION_STARTED, EventKind.FIRST_FRAME, EventKind.SESSION_WAITING
    with outbox(tmp_path) as file:
        file.record([agent_started()])
        file.record([session(started, "film"), session(framed, "film"), session(started, "bell")])
        file.record([session(framed, "bell"), session(waits, "film")])
    with outbox(tmp_path) as file:
        file.settle(file.next(READER, 100), 6, {})
        file.record([agent_started("film")])
        file.record([session(started, "film"), session(waits, "film"), session(framed, "film")])
        file.record([session(EventKind.SESSION_ENDED, "film")])
        events = told(file)
    assert [(event["kind"], event["session_id"]) for event in events] == [
        ("agent_started", None),
        ("session_ended", "bell"),
        ("session_resumed", "film"),
        ("session_ended", "film"),
    ]
    assert events[1]["data"] == {"reason": "shutdown"}


def test_what_is_refused_for_good_is_kept_apart(tmp_path: Path) -> None:
    """With the reason, and not without limit."""
    with outbox(tmp_path) as file:
        for number in range(DEAD_LETTERS_LIMIT + 10):
            file.record([occurrence(number)])
            file.settle(file.next(READER, 1), 1, {0: "invalid_event: no"})
        assert told(file) == []
    db = sqlite3.connect(tmp_path / FILE)
    letters = db.execute("SELECT reader, json_extract(event, '$.data.number'), reason FROM dead_letters").fetchall()
    db.close()
    assert letters == [(READER, number, "invalid_event: no") for number in range(10, DEAD_LETTERS_LIMIT + 10)]


# --- limits ---


def test_a_thousand_events_are_kept_and_the_oldest_are_dropped(tmp_path: Path) -> None:
    """One event tells how many went, with the moment of the first; the count is right however many go."""
    clock = Clock()
    with outbox(tmp_path, clock) as file:
        first = clock().utc.isoformat()
        for number in range(EVENTS_LIMIT * 2 + 500):
            file.record([occurrence(number, clock)])
            clock.forward(1)
        events = told(file)
        dropped = [event for event in events if event["kind"] == "events_dropped"]
        assert len(events) <= EVENTS_LIMIT
        assert numbers(events) == list(
            range(EVENTS_LIMIT * 2 + 500 - len(events) + len(dropped), EVENTS_LIMIT * 2 + 500)
        )
        count = EVENTS_LIMIT * 2 + 500 - len(numbers(events))
        assert sum(event["data"]["count"] for event in dropped) == count
        assert file.status.dropped == {READER: count}
        assert {event["data"]["reason"] for event in dropped} == {"full"}
        assert len(dropped) == 1
        assert dropped[0]["data"]["since"] >= first
    with outbox(tmp_path, clock) as file:
        assert told(file) == events
        assert file.status.dropped == {READER: count}


def test_what_may_have_been_sent_is_not_changed(tmp_path: Path) -> None:
    """An event that tells of losses was handed out: what is lost afterwards is told by another one."""
    with outbox(tmp_path) as file:
        file.record([occurrence(number) for number in range(EVENTS_LIMIT + 1)])
        before = {event["event_id"]: event for event in told(file)}
        file.record([occurrence(-1) for _ in range(5)])
        after = {event["event_id"]: event for event in told(file)}
    assert all(after[name] == before[name] for name in after.keys() & before.keys())
    counts = [event["data"]["count"] for event in after.values() if event["kind"] == "events_dropped"]
    assert (len(counts), sum(counts)) == (2, EVENTS_LIMIT + 6 - len(numbers(list(after.values()))))


def test_the_size_is_limited(tmp_path: Path) -> None:
    """Five megabytes of long events."""
    with outbox(tmp_path) as file:
        file.record([occurrence(number, text="x" * 20_000) for number in range(400)])
        events = told(file)
        assert 200 < len(events) < BYTES_LIMIT / 20_000
        assert numbers(events)[-1] == 399
    # Freed pages are used again; the log of changes is about 1 MB.
    assert sum(file.stat().st_size for file in tmp_path.iterdir()) < 3 * BYTES_LIMIT


def test_what_is_a_week_old_is_dropped(tmp_path: Path) -> None:
    """While it is looked at, not only when something happens."""
    clock = Clock()
    with outbox(tmp_path, clock) as file:
        file.record([occurrence(1, clock)])
        clock.forward(AGE_LIMIT_S - 10)
        file.record([occurrence(2, clock)])
        assert numbers(told(file)) == [1, 2]
        clock.forward(20)
        events = told(file)
    assert numbers(events) == [2]
    assert events[-1]["data"] | {"since": ""} == {"count": 1, "reason": "old", "since": ""}


@pytest.mark.parametrize("at", [0.0, 1_800_000_000.0 - 40 * 86_400, 1_800_000_000.0 + 40 * 86_400, 4e10])
def test_a_clock_that_jumps_neither_drops_nor_reorders(tmp_path: Path, at: float) -> None:
    """Within a run, and over a restart of a machine whose clock was never set."""
    clock = Clock()
    with outbox(tmp_path, clock) as file:
        file.record([occurrence(1, clock)])
        clock.now = replace(clock.now, at=at, synced=False, uptime=clock.now.uptime + 1)
        file.record([occurrence(2, clock)])
        assert numbers(told(file)) == [1, 2]
    clock.reboot(at=at, synced=False)
    with outbox(tmp_path, clock) as file:
        file.record([occurrence(3, clock)])
        clock.now = replace(clock.now, at=1_800_000_000.0 + 60, synced=True, uptime=60)
        file.record([occurrence(4, clock)])
        events = told(file)
    assert numbers(events) == [1, 2, 3, 4]
    for event in events:
        wire.Event.model_validate(event | {"device_id": str(uuid4())})


def test_a_machine_that_was_off_for_a_week_drops_what_is_old(tmp_path: Path) -> None:
    """Both clocks were kept by the network, so the difference is true."""
    clock = Clock()
    with outbox(tmp_path, clock) as file:
        file.record([occurrence(1, clock)])
    clock.reboot(at=clock.now.at + AGE_LIMIT_S + 60, synced=True)
    with outbox(tmp_path, clock) as file:
        file.record([occurrence(2, clock)])
        assert numbers(told(file)) == [2]


# --- harm ---


@pytest.mark.parametrize("harm", ["text", "zeros", "torn", "empty tables", "other version", "bad event"])
def test_a_damaged_file_is_set_aside_and_a_new_one_begun(tmp_path: Path, harm: str) -> None:
    """At the start; it is reported, and what is on is not told to have started again."""
    with outbox(tmp_path) as file:
        file.record([occurrence(number, text="x" * 500) for number in range(100)])
    path = tmp_path / FILE
    damage(path, harm)
    with outbox(tmp_path) as file:
        file.record([agent_started("film")])
        file.record([Occurrence(EventKind.SESSION_STARTED, timestamp(), "film"), occurrence(7)])
        told(file)  # a bad event is found when it is read
        file.record([occurrence(8)])
        events = told(file)
        assert file.status.problem is None
    kinds = [event["kind"] for event in events]
    assert kinds.count("outbox_set_aside") == 1
    assert "session_started" not in kinds or harm == "bad event"
    assert numbers(events)[-1] == 8
    assert (tmp_path / SET_ASIDE).exists()


def test_damage_while_it_runs_loses_nothing_that_comes_after(tmp_path: Path) -> None:
    """A card that goes bad: the same run goes on in a new file."""
    with outbox(tmp_path) as file:
        file.record([occurrence(number, text="x" * 500) for number in range(100)])
        batch = file.next(READER, 10)
        file.close()
        damage(tmp_path / FILE, "zeros")
        file.record([occurrence(100)])
        file.settle(batch, 10, {})  # of the file that is gone
        events = told(file)
    assert [event["kind"] for event in events] == ["outbox_set_aside", "agent_started"]
    assert numbers(events) == [100]


def damage(path: Path, harm: str) -> None:
    if harm == "text":
        path.write_text("This is no database.\n" * 1000)
    elif harm == "zeros":
        with path.open("r+b") as file:
            file.seek(4096)
            file.write(bytes(40_000))
    elif harm == "torn":
        os.truncate(path, path.stat().st_size // 2)
    else:
        db = sqlite3.connect(path)
        what = {"empty tables": "DROP TABLE readers", "other version": "PRAGMA user_version = 99"}
        db.execute(what.get(harm, "UPDATE events SET event = '{' WHERE position = 50"))
        db.commit()
        db.close()


def test_a_reader_of_whom_nobody_can_say_who_it_is_keeps_its_place(tmp_path: Path) -> None:
    """And gets what happens meanwhile, unless it turns out to be somebody else."""
    with outbox(tmp_path, identity="box") as file:
        file.record([occurrence(1)])
    for identity, due in (("box", [1, 2]), ("other", [])):
        with outbox(tmp_path, central=Reader(None)) as file:
            file.record([occurrence(2)] if identity == "box" else [])
            file.follow({READER: Reader(identity)})
            assert numbers(told(file)) == due


def test_whoever_is_told_first_hears_nothing_of_what_others_were_told(tmp_path: Path) -> None:
    """A box that was registered elsewhere meanwhile, or nowhere for a while: what it shows is news to the new one, and
    what ended before is not; but whoever was told of a session hears of its end."""

    def is_on(session: str) -> Occurrence:
        return Occurrence(EventKind.SESSION_STARTED, timestamp(), session)

    with outbox(tmp_path, identity="first") as file:
        file.record([agent_started(), is_on("gone"), is_on("on")])
    with outbox(tmp_path, identity="second") as file:
        file.record([agent_started("on"), is_on("on")])
        assert [(event["kind"], event["session_id"]) for event in told(file)] == [
            ("agent_started", None),
            ("session_started", "on"),
        ]
    with outbox(tmp_path, identity="second") as file:
        file.record([agent_started()])
        assert [(event["kind"], event["session_id"]) for event in told(file)][-1] == ("session_ended", "on")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make a file system")
def test_a_full_disk_loses_and_counts_and_is_told_when_there_is_space_again(tmp_path: Path) -> None:
    """Events that were kept before stay and are passed on; the count is exact."""
    with small_disk(tmp_path / "disk") as disk, outbox(disk.folder) as file:
        file.record([occurrence(number) for number in range(20)])
        disk.fill()
        for number in range(100, 400):
            file.record([occurrence(number, text="x" * 500)])
        assert file.status.problem is not None
        assert "Free some space" in file.status.problem
        lost = file.status.dropped[READER]
        assert lost > 100, "some still find place in the log"
        kept = numbers(told(file))
        assert kept == list(range(20)) + list(range(100, 400 - lost))
        batch = file.next(READER, 20)
        file.settle(batch, 20, {})
        assert numbers(told(file)) == kept[20:], "what was passed on does not come again, although it cannot be deleted"
        disk.free()
        file.record([occurrence(1000)])
        events = told(file)
        assert numbers(events) == [*kept[20:], 1000]
        (told_of,) = (event for event in events if event["kind"] == "events_dropped")
        assert (told_of["data"]["count"], told_of["data"]["reason"]) == (lost, "disk")
        status = file.status
        assert status.problem is None
        assert status.dropped == {READER: lost}


def test_a_place_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    """No folder at all; it works as soon as there is one."""
    (tmp_path / "state").write_text("a file where a folder should be")
    with outbox(tmp_path / "state") as file:
        file.record([occurrence(1)])
        assert file.status.problem is not None
        assert told(file) == []
        (tmp_path / "state").unlink()
        file.record([occurrence(2)])
        events = told(file)
    assert [event["kind"] for event in events] == ["events_dropped", "agent_started"]
    assert events[0]["data"]["count"] == 1


def test_what_is_lost_is_counted_for_those_who_wanted_it(tmp_path: Path) -> None:
    """A loss counts if it was an event already, or if only its kind is known because too many waited; a damaged one may
    have been anything. It stays so over a restart."""
    (tmp_path / "state").write_text("a file where a folder should be")
    readers: dict[str, Any] = {
        "all": Reader("central"),
        "starts": Reader("one", frozenset({EventKind.AGENT_STARTED})),
        "frames": Reader("two", frozenset({EventKind.FIRST_FRAME, EventKind.EVENTS_DROPPED})),
    }
    with outbox(tmp_path / "state", **readers) as file:
        file.record([occurrence(1), occurrence(2)])
        assert file.status.dropped == {"all": 2, "starts": 2, "frames": 0}
        file.lose(4, "disk", Clock()(), EventKind.FIRST_FRAME)
        file.lose(1, "damaged", Clock()())
        lost = {"all": 7, "starts": 3, "frames": 5}
        assert file.status.dropped == lost
        (tmp_path / "state").unlink()
        file.record([occurrence(3)])
        assert file.status.dropped == lost
        counted = {name: [event["data"].get("count") for event in told(file, name)] for name in readers}
        assert counted == {"all": [2, 4, 1, None], "starts": [None], "frames": [4, 1]}
    with outbox(tmp_path / "state", **readers) as file:
        assert file.status.dropped == lost


KEEP_WRITING = """
import sys
from pathlib import Path
from agent.events.event import Occurrence, Run
from agent.events.timestamp import timestamp
from agent.reporting.outbox.database import OutboxFile
from agent.reporting.outbox.reader import Reader
from cast_wire.models import EventKind

run = Run("00000000-0000-4000-8000-000000000000", "1")
file = OutboxFile(Path(sys.argv[1]), run=run, readers={"central": Reader("box")})
number = int(sys.argv[2])
file.begin()
while True:
    file.record([Occurrence(EventKind.AGENT_STARTED, timestamp(), data={"number": number})])
    print(number, flush=True)
    number += 1
    if number % 3 == 0:
        batch = file.next("central", 2)
        file.settle(batch, len(batch.events), {})
        for event in batch.events:
            print(-event["data"]["number"], flush=True)
"""


def test_a_kill_at_any_moment_loses_nothing_that_was_kept(tmp_path: Path) -> None:
    """A process that keeps and passes on, killed again and again: what it said to have kept is there, in order and
    once, but for what it passed on, and that does not come back."""
    dice = random.Random(11)
    kept: list[int] = [0]
    passed: set[int] = set()
    for _ in range(8):
        arguments = [sys.executable, "-c", KEEP_WRITING, str(tmp_path), str(kept[-1] + 10)]  # it may have kept more
        process = subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True, cwd=ROOT)
        assert process.stdout is not None
        # Counted, for a machine that is busy; the rest is somewhere in the midst of its writing.
        lines = [process.stdout.readline() for _ in range(dice.randint(1, 60))]
        time.sleep(dice.uniform(0.0, 0.02))
        process.send_signal(signal.SIGKILL)
        lines += process.stdout.read().splitlines()
        process.wait()
        process.stdout.close()
        said = [int(line) for line in lines if line.strip()]
        kept += [number for number in said if number > 0]
        passed |= {-number for number in said if number < 0}
    with outbox(tmp_path) as file:
        left = numbers(told(file))
    assert len(kept) > 100
    assert left == sorted(set(left))
    assert passed.isdisjoint(left)
    assert {number for number in kept if number >= left[0]} <= set(left)


def count_rows(folder: Path, table: str) -> int:
    db = sqlite3.connect(folder / FILE)
    (number,) = db.execute(f"SELECT count(*) FROM {table}").fetchone()
    db.close()
    return int(number)


async def test_a_mistake_in_the_thread_is_told_until_it_works_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The thread goes on, and nobody takes it for well meanwhile."""
    run = new_run()
    file = OutboxFile(tmp_path, run=run, readers={READER: Reader("box")})
    kept = Outbox(file, Spool(tmp_path / "spool", run=run, readers={}))
    kept.start(agent_started())
    await kept.next(READER, 10)
    assert kept.status.problem is None
    with monkeypatch.context() as broken:
        broken.setattr(file, "record", lambda occurrences, number: 1 / 0)
        kept.record(occurrence(1))
        await until(lambda: kept.status.problem is not None)
    assert "bug in the agent" in str(kept.status.problem)
    kept.record(occurrence(2))
    await until(lambda: kept.status.problem is None)
    await kept.stop(5.0)
