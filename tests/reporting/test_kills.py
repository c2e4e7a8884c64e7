"""Both sides killed at random: afterwards the central API's list of events is what happened, in order, each once."""

from __future__ import annotations

import http.client
import json
import random
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from agent.reporting.enrolment import Enrolment
from tests.central.support.process import CentralProcess
from tests.reporting.conftest import Admin
from tests.support.faked_agent import FakedAgent

LIVES = 8
SEED = 5
UNWRITTEN_S = 0.25
"""What happened so shortly before a kill may not be in the outbox: nothing waits for its disk."""

DELIVERED_S = 30.0
"""From the end of all trouble until everything is there; the pause between two tries has grown to some seconds."""

Happened = tuple[str, str | None]
"""The kind of an event and its session."""


def post(port: int, path: str, body: object) -> None:
    """Raises OSError or HTTPException when it was killed."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("POST", path, json.dumps(body))
        answer = connection.getresponse()
        assert answer.status == 200, answer.read()
        answer.read()
    finally:
        connection.close()


def reporting(port: int) -> Any:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", "/status")
        return json.loads(connection.getresponse().read())["reporting"]
    finally:
        connection.close()


def use(port: int, dice: random.Random) -> None:
    """What people and doorbells do. Raises OSError or HTTPException when the box is killed."""
    while True:
        host = dice.choice(("film", "film", "fragile", "flash", "broken"))
        if dice.random() < 0.75:
            post(port, "/start", {"url": f"http://{host}/", "interrupt": dice.random() < 0.4})
        else:
            post(port, "/stop", {"all": dice.random() < 0.5})
        time.sleep(dice.choice((0.0, 0.02, 0.1, 0.25)))


@dataclass
class Life:
    """What the log of one life of the box says, which reporting has no part in."""

    killed_at: float = 0.0
    lines: list[dict[str, Any]] = field(default_factory=list)

    def happened(self, told: dict[str, Told]) -> Iterator[tuple[float, Happened]]:
        """What there was to tell, given what had been told before; with its moment."""
        told = {session: Told(known.phase, known.framed) for session, known in told.items()}
        restored = {line["session_id"]: line for line in self.lines if line["event"] == "session_restored"}
        began = self.lines[0]["at"]
        yield began, ("agent_started", None)
        for session in [session for session in told if session not in restored]:
            yield began, ("session_ended", session)
        seen = [(began, session, "session_started") for session in restored]
        seen += [(began, session, "session_waiting") for session, line in restored.items() if line["waiting"]]
        interrupted: list[str] = []
        for line in self.lines:
            seen += [(line["at"], session, kind) for session, kind in _kinds(line, interrupted)]
        for at, session, kind in seen:
            if kind == "session_failing" and not told[session].framed:
                continue  # a start that is tried again
            if (news := _news(told, session, kind)) is not None:
                yield at, (news, session)


@dataclass
class Told:
    """What is known of a session at the central API."""

    phase: str
    framed: bool


def _kinds(line: dict[str, Any], interrupted: list[str]) -> Iterator[tuple[str, str]]:
    session = line.get("session_id", "")
    match line["event"]:
        case "start_accepted":
            yield session, "session_started"
        case "stream_interrupted":
            interrupted.append(session)  # told after the picture of the one that interrupts
        case "first_frame":
            yield session, "first_frame"
            while interrupted:
                yield interrupted.pop(), "session_waiting"
        case "stream_retried":
            yield session, "session_failing"
        case "stream_ended" if line["reason"] != "shutdown":
            yield session, "session_ended"


def _news(told: dict[str, Told], session: str, kind: str) -> str | None:
    """As the outbox is to decide it, written down a second time."""
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


@contextmanager
def kills(central: CentralProcess, dice: random.Random) -> Iterator[None]:
    """The central API is killed and started again, again and again."""
    over = threading.Event()
    failed: list[BaseException] = []

    def kill() -> None:
        try:
            while not over.wait(dice.uniform(0.3, 2.0)):
                central.end(signal.SIGKILL)
                over.wait(dice.uniform(0.0, 0.5))
                central.start()
        except BaseException as error:
            failed.append(error)

    thread = threading.Thread(target=kill, name="killer")
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
    assert not failed, failed


def lives_in(log: Path, killed_at: list[float]) -> list[Life]:
    """Each begins with the line of the reporter, which is the first."""
    lives = [Life(at) for at in killed_at]
    number = -1
    for text in log.read_text().splitlines():
        line = json.loads(text)
        line["at"] = datetime.fromisoformat(line["timestamp"]).timestamp()
        while number + 1 < len(lives) and (number < 0 or line["at"] > lives[number].killed_at):
            number += 1
        lives[number].lines.append(line)
    return lives


def story(got: list[Happened], expected: list[tuple[float, Happened]], life: Life) -> str:
    """For whoever has to find out what went wrong."""
    lines = [f"got {pair[0]}  expected {pair[1][1]}" for pair in zip(got, expected, strict=False)]
    names = ("timestamp", "event", "session_id", "attempt", "reason", "again", "by", "waiting")
    return "\n".join(lines + [str({name: line[name] for name in names if name in line}) for line in life.lines])


async def test_nothing_is_lost_doubled_or_out_of_order(
    central: CentralProcess, enrolment: Enrolment, admin: Admin, tmp_path: Path
) -> None:
    """A busy box and its central API, each killed at any moment: what the box's own log says is what was reported."""
    dice = random.Random(SEED)
    folder, log = tmp_path / "state", tmp_path / "log"
    killed_at: list[float] = []
    with FakedAgent(folder, log=log) as agent:
        with kills(central, random.Random(SEED)):
            for _ in range(LIVES):
                port = agent.live()
                killer = threading.Timer(dice.uniform(0.1, 2.5), lambda: (killed_at.append(time.time()), agent.kill()))
                killer.start()
                try:
                    use(port, dice)
                except (OSError, http.client.HTTPException):
                    killer.join()
        port = agent.live()
        deadline = time.monotonic() + DELIVERED_S
        while not (status := reporting(port))["connected"] or status["queued"]:
            assert time.monotonic() < deadline, status
            time.sleep(0.05)
        killed_at.append(time.time())
    events = await admin.events(enrolment.device_id)
    assert status["dropped"] == 0
    assert len({event["event_id"] for event in events}) == len(events)
    boots = list(dict.fromkeys(event["boot_id"] for event in events))
    told: dict[str, Told] = {}
    lost = 0
    lives = [life for life in lives_in(log, killed_at) if life.lines]
    for life in lives:
        of_life = [event for event in events if boots and event["boot_id"] == boots[0]]
        got = [(event["kind"], event["session_id"]) for event in of_life]
        expected = list(life.happened(told))
        assert got == [happened for _, happened in expected[: len(got)]], story(got, expected, life)
        missing = expected[len(got) :]
        assert all(at > life.killed_at - UNWRITTEN_S for at, _ in missing), missing
        assert [event["seq"] for event in of_life] == list(range(1, len(got) + 1))
        lost += len(missing)
        if got:
            boots.pop(0)
        for kind, session in got:
            if session is not None:
                _news(told, session, "first_frame" if kind == "session_resumed" else kind)
    assert boots == []
    print(f"{len(events)} events of {len(lives)} lives; {lost} more happened just before a kill")
    assert len(events) > 150
