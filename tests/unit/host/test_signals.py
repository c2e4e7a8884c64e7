"""Signals, sent to a real process that does what the daemon does with them."""

from __future__ import annotations

import os
import pty
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

SOON_S = 10.0
"""The longest wait for what takes some milliseconds once Python has started."""

PROGRAM = """
import asyncio, sys, threading, time
from agent.host import signals
from agent.host.signals import Signals

async def work():
    print("working", flush=True)
    try:
        await asyncio.sleep(60)
    except asyncio.CancelledError:
        print("cancelled", flush=True)
        raise

async def main(what):
    told = Signals()
    if what == "begins":
        print("work:", await told.unless_told_to_stop(work()), flush=True)
    else:
        print("ready", flush=True)
    if what == "busy":
        time.sleep(1)
    while await told.told_to_reload():
        print("reload", flush=True)
    print("stop", flush=True)
    if what in ("hangs", "busy"):
        await asyncio.sleep(60)
    if what == "thread":
        asyncio.get_running_loop().run_in_executor(None, time.sleep, 60)

signals.LEAVE_WITHIN_S = 0.5
asyncio.run(main(sys.argv[1]))
"""


class Program:
    """One process; `hears()` is its next line."""

    def __init__(self, what: str, *, stderr: int = subprocess.DEVNULL) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, what], stdout=subprocess.PIPE, stderr=stderr, text=True, bufsize=1
        )

    def hears(self) -> str:
        assert self.process.stdout is not None
        ready, _, _ = select.select([self.process.stdout], [], [], SOON_S)
        return self.process.stdout.readline().strip() if ready else "nothing"

    def send(self, number: int) -> None:
        self.process.send_signal(number)

    def code(self) -> int:
        return self.process.wait(SOON_S)


@contextmanager
def program(what: str = "", *, stderr: int = subprocess.DEVNULL) -> Iterator[Program]:
    running = Program(what, stderr=stderr)
    try:
        yield running
    finally:
        running.process.kill()
        running.process.wait()
        assert running.process.stdout is not None
        running.process.stdout.close()


def test_hup_reloads_and_term_stops() -> None:
    """Each HUP is a reload; a stop is a stop."""
    with program() as p:
        assert p.hears() == "ready"
        for _ in range(2):
            p.send(signal.SIGHUP)
            assert p.hears() == "reload"
        p.send(signal.SIGTERM)
        assert p.hears() == "stop"
        assert p.code() == 0


def test_a_stop_ends_what_is_only_beginning() -> None:
    """Work that is under way when the signal comes is cancelled, and the stop follows it."""
    with program("begins") as p:
        assert p.hears() == "working"
        p.send(signal.SIGINT)
        assert [p.hears() for _ in range(3)] == ["cancelled", "work: None", "stop"]
        assert p.code() == 0


@pytest.mark.parametrize("what", ["hangs", "thread"])
def test_what_hangs_is_left(what: str) -> None:
    """If a task or a thread hangs and the end does not come, the process ends all the same, with an exit code that
    tells."""
    with program(what) as p:
        assert p.hears() == "ready"
        began = time.monotonic()
        p.send(signal.SIGTERM)
        assert p.hears() == "stop"
        assert p.code() == 1
        assert time.monotonic() - began >= 0.4


def test_a_second_interrupt_ends_at_once() -> None:
    """The interrupt is Ctrl-C twice; also after a SIGTERM."""
    for first in (signal.SIGINT, signal.SIGTERM):
        with program("hangs") as p:
            assert p.hears() == "ready"
            p.send(first)
            assert p.hears() == "stop"
            p.send(signal.SIGINT)
            assert p.code() == -signal.SIGINT


def test_a_terminal_that_is_gone_is_a_stop() -> None:
    """SIGHUP reloads while there is a terminal, or never was one; when it was closed nobody is left to look."""
    ours, theirs = pty.openpty()
    with program(stderr=theirs) as p:
        os.close(theirs)
        try:
            assert p.hears() == "ready"
            p.send(signal.SIGHUP)
            assert p.hears() == "reload"
        finally:
            os.close(ours)
        p.send(signal.SIGHUP)
        assert p.hears() == "stop"
        assert p.code() == 0


def test_the_time_counts_from_the_signal_also_when_the_loop_is_busy() -> None:
    """A loop that hears of the signal when the time is over already ends at once."""
    with program("busy") as running:
        assert running.hears() == "ready"
        running.send(signal.SIGTERM)
        running.hears()  # that it stops, if it comes to that
        heard = time.monotonic()
        assert running.code() == 1
        assert time.monotonic() - heard < 0.4
