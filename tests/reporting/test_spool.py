"""The spool: what happened outlives a kill before the disk has it, and is told once all the same."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from agent.events.event import Occurrence, Run
from agent.events.timestamp import Timestamp, timestamp
from agent.reporting.outbox.database import FILE, SPOOL_SET_ASIDE, OutboxFile
from agent.reporting.outbox.outbox import Outbox
from agent.reporting.outbox.reader import Reader
from agent.reporting.outbox.spool import BYTES_LIMIT, Spool, spool_file
from cast_wire.kinds import EventKind
from tests.reporting.support.full_disk import small_disk
from tests.reporting.test_outbox import READER, ROOT, Clock, agent_started, new_run, numbers, occurrence, outbox, told
from tests.support.tools import until

KEEP_RECORDING = """
import asyncio, os, structlog, sys
from collections.abc import Callable
from pathlib import Path
from uuid import uuid4
from agent.events.event import Occurrence, Run
from agent.events.timestamp import timestamp
from agent.reporting.outbox.outbox import Outbox
from agent.reporting.outbox.database import OutboxFile
from agent.reporting.outbox.reader import Reader
from agent.reporting.outbox.spool import Spool
from cast_wire.models import EventKind

structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))

async def main() -> None:
    folder, number, run = Path(sys.argv[1]), int(sys.argv[2]), Run(str(uuid4()), "1")
    readers = {"central": Reader("box")}
    file = OutboxFile(folder, run=run, readers=readers)
    outbox = Outbox(file, Spool(folder / "spool", run=run, readers=readers))
    outbox.start(Occurrence(EventKind.AGENT_STARTED, timestamp(), present=()))
    enough = number + 150  # five such runs stay below what an outbox keeps
    while True:
        for _ in range(number % 40 if number < enough else 0):
            number += 1
            outbox.record(Occurrence(EventKind.AGENT_STARTED, timestamp(), data={"number": number}))
            os.write(1, b"%d\\n" % number)
        number += number < enough
        await asyncio.sleep(0.001 * (number % 7))  # commits of one and of many

asyncio.run(main())
"""


def test_a_kill_at_any_moment_loses_nothing_that_was_recorded(tmp_path: Path) -> None:
    """A process that records faster than its disk takes it, killed again and again: all of it is there afterwards, in
    order, once, and as of the run that it happened in."""
    dice = random.Random(23)
    recorded: list[int] = [0]
    for _ in range(5):
        arguments = [sys.executable, "-c", KEEP_RECORDING, str(tmp_path), str(recorded[-1] + 1000)]
        process = subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True, cwd=ROOT)
        assert process.stdout is not None
        # Somewhere in the midst of its writing, and with enough written, however slow the machine is.
        lines = [process.stdout.readline() for _ in range(dice.randint(61, 120))]
        process.send_signal(signal.SIGKILL)
        lines += process.stdout.read().split("\n")[:-1]
        process.wait()
        process.stdout.close()
        recorded += [int(line) for line in lines]
    spool = Spool(tmp_path / "spool", run=new_run(), readers={})
    with outbox(tmp_path, left=spool.open()) as file:
        events = told(file)
    spool.close()
    kept = [number for number in numbers(events) if number in set(recorded)]
    assert kept == recorded[1:], "all that was said to be recorded"
    assert len(events) - len(kept) <= 5 * 2, "the first event of each run, and one that it was killed before it said"
    assert len(recorded) > 300
    by_run: dict[str, list[int]] = {}
    for event in events:
        by_run.setdefault(event["boot_id"], []).append(event["seq"])
    assert all(seqs == list(range(1, len(seqs) + 1)) for seqs in by_run.values())
    assert len(by_run) == 5


def spooled(folder: Path, run: Run, *occurrences: Occurrence) -> bytes:
    """The spool of a run that was killed after these."""
    spool = Spool(folder / "spool", run=run, readers={READER: Reader("box")})
    spool.open()
    for number, each in enumerate(occurrences, start=1):
        spool.append(number, each)
    spool.close()
    return (folder / "spool").read_bytes()


def recorded(
    folder: Path, run: Run, occurrences: list[Occurrence], number: int, clock: Callable[[], Timestamp] = timestamp
) -> None:
    """Record what a run has brought to the disk."""
    file = OutboxFile(folder, run=run, readers={READER: Reader("box")}, clock=clock)
    file.begin()
    file.record(occurrences, number)
    file.close()


@pytest.mark.parametrize("on_disk", range(4))
def test_what_is_in_both_is_told_once(tmp_path: Path, on_disk: int) -> None:
    """Killed between the commit and the emptying, or before it: as if it had not been killed, with the run, the count
    and the moments of then; also when the next run is killed before it has emptied it."""
    clock, run = Clock(), new_run()
    recorded(tmp_path, new_run(), [], 0, clock)
    all_of_it = []
    for number in range(3):
        clock.forward(60)
        all_of_it.append(occurrence(number, clock))
    left = spooled(tmp_path, run, *all_of_it)
    assert left.count(b'"happening":{') == 3, "earlier versions have the same files"
    if on_disk:
        recorded(tmp_path, run, all_of_it[:on_disk], on_disk, clock)
    for _ in range(2):
        with outbox(tmp_path, clock, left=left) as file:
            events = told(file)
            assert numbers(events) == [0, 1, 2]
            for event, each in zip(events, all_of_it, strict=True):
                assert (event["boot_id"], event["occurred_at"]) == (run.boot_id, each.moment.utc.isoformat())
            assert [event["seq"] for event in events] == [1, 2, 3]


def test_several_runs_may_be_in_it(tmp_path: Path) -> None:
    """The disk hung, and the agent was killed twice: what a session was told of is followed through both."""
    recorded(tmp_path, new_run(), [], 0)
    first, second = new_run(), new_run()
    spooled(tmp_path, first, agent_started(), session(EventKind.SESSION_STARTED), session(EventKind.FIRST_FRAME))
    left = spooled(tmp_path, second, agent_started("film"), session(EventKind.SESSION_STARTED))
    with outbox(tmp_path, left=left) as file:
        file.record([agent_started("film"), session(EventKind.FIRST_FRAME)])
        events = told(file)
    runs = list(dict.fromkeys(event["boot_id"] for event in events))
    assert [(runs.index(event["boot_id"]), event["seq"], event["kind"]) for event in events] == [
        (0, 1, "agent_started"),
        (0, 2, "session_started"),
        (0, 3, "first_frame"),
        (1, 1, "agent_started"),
        (2, 1, "agent_started"),
        (2, 2, "session_resumed"),
    ]
    assert runs[:2] == [first.boot_id, second.boot_id]


def session(kind: EventKind) -> Occurrence:
    return Occurrence(kind, timestamp(), "film")


def test_who_is_new_is_not_told_what_was_left(tmp_path: Path) -> None:
    """Events that happened under another identity are none of the new receiver's business, on whichever file they
    waited."""
    run = new_run()
    recorded(tmp_path, run, [occurrence(0)], 1)
    left = spooled(tmp_path, run, occurrence(0), occurrence(1))
    for _ in range(2):
        with outbox(tmp_path, left=left, identity="another") as file:
            assert told(file) == []
    with outbox(tmp_path, left=left, identity="another") as file:
        file.record([occurrence(2)])
        assert numbers(told(file)) == [2]


@pytest.mark.parametrize(("identity", "told_to_it"), [("box", [0, 1]), ("another", [])])
def test_what_a_first_run_left_is_told_to_its_readers(tmp_path: Path, identity: str, told_to_it: list[int]) -> None:
    """Killed before its first commit, it left nothing else that says whose business its events are."""
    left = spooled(tmp_path, new_run(), occurrence(0), occurrence(1))
    with outbox(tmp_path, left=left, identity=identity) as file:
        assert numbers(told(file)) == told_to_it


def test_who_became_a_reader_just_before_a_kill_is_told_what_came_then(tmp_path: Path) -> None:
    """And not what was there before it."""
    recorded(tmp_path, run := new_run(), [occurrence(0)], 1)
    spool = Spool(tmp_path / "spool", run=run, readers={READER: Reader("box")})
    spool.open()
    for number in range(2):
        spool.append(number + 1, occurrence(number))
    spool.follow({READER: Reader("another")})
    spool.append(3, occurrence(2))
    spool.close()
    with outbox(tmp_path, left=(tmp_path / "spool").read_bytes(), identity="another") as file:
        assert numbers(told(file)) == [2]


def test_a_torn_line_was_never_there_and_a_damaged_one_is_counted(tmp_path: Path) -> None:
    """The rest is taken up; what it was is kept for whoever wants to know more."""
    run = new_run()
    recorded(tmp_path, run, [occurrence(0)], 1)
    left = spooled(tmp_path, run, occurrence(0), occurrence(1), occurrence(2), occurrence(3)).splitlines(keepends=True)
    (tmp_path / "spool").write_bytes(left[0] + left[1][10:] + b'{"from": "elsewhere"}\n' + left[2] + left[3][:20])
    spool = Spool(tmp_path / "spool", run=new_run(), readers={})
    content = spool.open()
    assert (tmp_path / "spool").read_bytes() == content, "what comes next begins a line"
    spool.close()
    with outbox(tmp_path, left=content) as file:
        file.record([occurrence(4)])
        events = told(file)
    assert numbers(events) == [0, 2, 4]
    (dropped,) = (event["data"] for event in events if event["kind"] == "events_dropped")
    assert (dropped["count"], dropped["reason"]) == (2, "damaged")
    assert "elsewhere" in (tmp_path / SPOOL_SET_ASIDE).read_text()


def test_a_disk_that_cannot_say_what_it_has_is_told_nothing_twice(tmp_path: Path) -> None:
    """The events that are left count as lost then."""
    run = new_run()
    left = spooled(tmp_path, run, occurrence(0), occurrence(1))
    (tmp_path / "state").write_text("a file where a folder should be")
    with outbox(tmp_path / "state", left=left) as file:
        assert file.status.problem is not None
        (tmp_path / "state").unlink()
        file.record([occurrence(2)])
        events = told(file)
    assert [event["data"].get("count") for event in events] == [2, None]


# --- in the outbox ---


class Recording:
    """An outbox with its spool in a folder of its own."""

    def __init__(self, tmp_path: Path, folder: Path) -> None:
        run = new_run()
        self.spool = spool_file(folder, state=tmp_path)
        readers = {READER: Reader("box")}
        self.file = OutboxFile(tmp_path, run=run, readers=readers)
        self.outbox = Outbox(self.file, Spool(self.spool, run=run, readers=readers))
        self.outbox.start(agent_started())

    async def numbers(self, count: int) -> list[int]:
        """Of the events, when there are so many."""
        async with asyncio.timeout(10):
            while len(found := numbers(list((await self.outbox.next(READER, 10_000)).events))) < count:
                await self.outbox.wait(READER)
        return found


async def test_it_holds_what_the_disk_has_not_and_is_emptied_then(tmp_path: Path) -> None:
    """At once, before anything else is done; private; gone at the end."""
    folder = tmp_path / "run"
    box = Recording(tmp_path, folder)
    box.outbox.record(occurrence(1))
    assert [b'"data":{"number":1}' in line for line in box.spool.read_bytes().splitlines()] == [False, True]
    assert (folder.stat().st_mode & 0o777, box.spool.stat().st_mode & 0o777) == (0o700, 0o600)
    assert await box.numbers(1) == [1]
    await until(lambda: not box.spool.stat().st_size)
    box.outbox.record(occurrence(2))
    await box.outbox.stop(5)
    assert not box.spool.exists()


async def test_what_a_full_disk_did_not_take_is_taken_up_after_a_kill(tmp_path: Path) -> None:
    """It stays in the spool until it is on the disk, or told there to be lost."""
    (tmp_path / FILE).mkdir()
    box = Recording(tmp_path, tmp_path / "run")
    for number in range(5):
        box.outbox.record(occurrence(number))
    await until(lambda: box.outbox.status.dropped.get(READER) == 6)
    left = box.spool.read_bytes()
    assert len(left.splitlines()) == 6
    recorded(tmp_path / "other", new_run(), [], 0)
    with outbox(tmp_path / "other", left=left) as file:
        assert numbers(told(file)) == [0, 1, 2, 3, 4]
    (tmp_path / FILE).rmdir()
    box.outbox.record(occurrence(5))
    assert await box.numbers(1) == [5]
    await until(lambda: not box.spool.stat().st_size)
    await box.outbox.stop(5)


@pytest.mark.parametrize("trouble", ["a file", "a link", "no parent", "somebody else's", "no rights"])
async def test_without_a_spool_all_goes_on_and_that_is_said_once(tmp_path: Path, trouble: str) -> None:
    """The run goes on as long as it is not killed."""
    folder = tmp_path / "run"
    spool = spool_file(folder, state=tmp_path)
    if trouble == "a file":
        folder.write_text("")
    elif trouble == "no parent":
        folder = folder / "nowhere"
    else:
        folder.mkdir()
        spool.symlink_to(tmp_path / "elsewhere") if trouble == "a link" else spool.write_text("")
        if trouble == "somebody else's":
            if os.geteuid():
                pytest.skip("only root can give a file away")
            os.chown(spool, 1234, 1234)
        elif trouble == "no rights":
            if not os.geteuid():
                pytest.skip("root may do everything")
            spool.chmod(0)
    with capture_logs() as lines:
        box = Recording(tmp_path, folder)
        for number in range(3):
            box.outbox.record(occurrence(number))
        assert await box.numbers(3) == [0, 1, 2]
        await box.outbox.stop(5)
    (said,) = (line for line in lines if line["event"] == "event_spool_failed")
    assert said["log_level"] == "warning"
    assert not (tmp_path / "elsewhere").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make a file system")
async def test_a_full_memory_is_said_once_and_leaves_whole_lines(tmp_path: Path) -> None:
    """The disk gets everything all the same; with space again it goes on."""
    with small_disk(tmp_path / "run") as memory, capture_logs() as lines:
        spool = Spool(memory.folder / "spool", run=new_run(), readers={})
        spool.open()
        spool.append(1, occurrence(1))
        memory.fill()
        for number in range(2, 30):
            spool.append(number, occurrence(number, text="x" * 1000))
        memory.free()
        spool.append(30, occurrence(30))
        events = [line["event"] for line in lines]
        content = (memory.folder / "spool").read_bytes()
        spool.close()
    assert events == ["event_spool_failed", "event_spool_recovered"]
    recorded(tmp_path, new_run(), [], 0)
    with outbox(tmp_path, left=content) as file:
        found: list[Any] = numbers(told(file))
    assert (found[0], found[-1]) == (1, 30)


def test_it_is_bounded(tmp_path: Path) -> None:
    """While a disk hangs for long it does not eat the memory of the box."""
    spool = Spool(tmp_path / "spool", run=new_run(), readers={})
    spool.open()
    for number in range(1, 3000):
        spool.append(number, occurrence(number, text="x" * 2000))
    size = (tmp_path / "spool").stat().st_size
    assert BYTES_LIMIT - 3000 < size <= BYTES_LIMIT
    spool.empty()
    spool.append(3000, occurrence(3000))
    assert len((tmp_path / "spool").read_bytes().splitlines()) == 1
    spool.close()


def test_two_agents_share_a_folder_but_no_file(tmp_path: Path) -> None:
    names = {spool_file(tmp_path, state=tmp_path / state) for state in ("kitchen", "hall")}
    assert len(names) == 2
