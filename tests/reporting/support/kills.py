"""A busy box and its central API, each killed at any moment."""

from __future__ import annotations

import random
import signal
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import count
from typing import Any, Protocol

from tests.support.calls import GONE, call
from tests.support.faked_agent import FakedAgent
from tests.support.tools import wait_until

LOOK_EVERY = 10
QUEUED_LIMIT = 300
"""Events that wait for the central API. Then who uses the box has patience: it keeps 1,000 at most, and a test of what
is lost must not be one of what is dropped."""

SCRIPTED = ("http://film/", "http://film/", "http://fragile/", "http://flash/", "http://broken/")
"""The addresses that the scripted players play, each in its way."""

PAUSES_S = (0.0, 0.02, 0.1, 0.25)
"""The pauses from one call to the next."""


@dataclass
class Span:
    """Seconds, from and to."""

    least: float
    most: float

    def choose(self, dice: random.Random) -> float:
        return dice.uniform(self.least, self.most)


@dataclass
class Kills:
    count: int = 0


class Killable(Protocol):
    """A program of the tests."""

    def start(self) -> None: ...

    def end(self, number: int) -> int: ...


@contextmanager
def kills(program: Killable, dice: random.Random, *, up: Span, down: Span) -> Iterator[Kills]:
    """The program is killed and started again, again and again; at the end of the block it is there."""
    over = threading.Event()
    failed: list[BaseException] = []
    done = Kills()

    def kill() -> None:
        try:
            while not over.wait(up.choose(dice)):
                program.end(signal.SIGKILL)
                done.count += 1
                over.wait(down.choose(dice))
                program.start()
        except BaseException as error:
            failed.append(error)

    thread = threading.Thread(target=kill, name="killer")
    thread.start()
    try:
        yield done
    finally:
        over.set()
        thread.join()
    if failed:
        raise failed[0]


def live_and_die(agent: FakedAgent, dice: random.Random, life: Span, *, pauses: Sequence[float] = PAUSES_S) -> None:
    """A life of so many seconds, its start included, in which it is used all the time."""
    with suppress(*GONE):
        if port := agent.live(killed_after_s=life.choose(dice)):
            use(port, dice, pauses=pauses)


def use(
    port: int,
    dice: random.Random,
    urls: Sequence[str] = SCRIPTED,
    *,
    pauses: Sequence[float] = PAUSES_S,
) -> None:
    """Do what people and doorbells do, until the box is killed: raises one of GONE then, RuntimeError for a refusal."""
    for number in count(1):
        if dice.random() < 0.75:
            call(port, "POST", "/start", {"url": dice.choice(urls), "interrupt": dice.random() < 0.4})
        else:
            call(port, "POST", "/stop", {"all": dice.random() < 0.5})
        while number % LOOK_EVERY == 0 and reporting(port)["queued"] > QUEUED_LIMIT:
            time.sleep(0.1)  # some of them have gone by then
        time.sleep(dice.choice(pauses))  # as people and doorbells do


def delivered(port: int, *, timeout_s: float) -> Any:
    """Wait until everything is there; `/status.reporting`. Raises TimeoutError when that takes too long."""

    def is_there() -> bool:
        status = reporting(port)
        return bool(status["connected"] and not status["queued"])

    wait_until(is_there, timeout_s=timeout_s, what="the central API to have everything")
    return reporting(port)


def reporting(port: int) -> Any:
    return call(port, "GET", "/status")["reporting"]
