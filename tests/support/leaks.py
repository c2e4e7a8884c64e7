"""Finds what a test leaves behind: processes, descriptors, asyncio tasks.

A process belongs to the run when it descends from it or carries its mark in the environment, so a grandchild whose
parent was killed is found too.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import time
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass

MARK = "TEST_RUN_MARK"
SETTLE_S = 2.0
"""The time for things that end by themselves right after a test (a killed process, a closing connection)."""
LOOK_AGAIN_S = 0.02
"""A look reads all of /proc."""
_READ_BYTES = 1 << 15
"""More than an environment or a command line has here."""

_HELPERS = ("multiprocessing.resource_tracker", "multiprocessing.forkserver")
"""The standard library starts these once and keeps them."""


@dataclass(frozen=True, slots=True)
class Process:
    pid: int
    started: int
    """Ticks since boot; with the pid it names a process for ever."""
    parent: int
    state: str


class LeakCheck:
    """One for a whole run: knows what long-lived fixtures own, and compares before with after."""

    def __init__(self) -> None:
        self._mark = f"{os.getpid()}-{time.monotonic_ns()}"
        self._pid_owners: list[Callable[[], set[int]]] = []
        self._descriptor_owners: list[Callable[[], set[str]]] = []
        self._adopted: set[str] = set()
        os.environ[MARK] = self._mark  # every process that the run starts inherits it

    def own_pids(self, pids: Callable[[], set[int]]) -> None:
        """Allow the processes that `pids` returns, and their descendants, to come and go at any time."""
        self._pid_owners.append(pids)

    def own_descriptors(self, targets: Callable[[], set[str]]) -> None:
        """Allow the targets that `targets` returns (as /proc/self/fd names them) to come and go at any time."""
        self._descriptor_owners.append(targets)

    @contextlib.contextmanager
    def adopting(self) -> Iterator[None]:
        """Guard the start of a long-lived fixture: descriptors that it opens are no leak of the first test."""
        before = set(_descriptors().values())
        yield
        self._adopted |= set(_descriptors().values()) - before

    @contextlib.contextmanager
    def watching(self) -> Iterator[None]:
        """Watch a test. Raises AssertionError that lists what is left, at most SETTLE_S after its end."""
        processes, descriptors = set(_processes()), _descriptors()
        yield
        deadline = time.monotonic() + SETTLE_S
        is_thawed = False
        while left := [*self._new_processes(processes), *self._new_descriptors(descriptors)]:
            if time.monotonic() > deadline:
                if is_thawed:
                    raise AssertionError("The test left behind:\n  " + "\n  ".join(left))
                gc.unfreeze()  # the central API freezes what it has, its cycles too: for a program it is for ever
                is_thawed = True
            gc.collect()  # what only a reference cycle keeps is Python's, not the test's
            time.sleep(LOOK_AGAIN_S)

    def _new_processes(self, before: set[tuple[int, int]]) -> list[str]:
        now = _processes()
        parents = {process.pid: process.parent for process in now.values()}
        kept = {pid for pid, _ in before} - {os.getpid()}
        kept = kept.union(*(owner() for owner in self._pid_owners))
        left = []
        for key, process in now.items():
            if key in before:
                continue
            line = list(_ancestry(process.pid, parents))
            if os.getpid() in line:
                if kept.intersection(line[: line.index(os.getpid())]):
                    continue
            elif process.pid in kept or not self._marked(process.pid):
                continue  # others use this machine too
            command = _read(process.pid, "cmdline").replace("\0", " ").strip()[:160]
            if not any(helper in command for helper in _HELPERS):
                left.append(
                    f"process {process.pid} ({process.state}, parent {process.parent}): {command or 'a zombie'}"
                )
        return left

    def _new_descriptors(self, before: dict[int, str]) -> list[str]:
        new = {number: target for number, target in _descriptors().items() if before.get(number) != target}
        allowed = set(self._adopted).union(*(owner() for owner in self._descriptor_owners))
        return [f"descriptor {number}: {target}" for number, target in new.items() if target not in allowed]

    def _marked(self, pid: int) -> bool:
        return f"{MARK}={self._mark}" in _read(pid, "environ").split("\0")


@contextlib.asynccontextmanager
async def no_tasks_left() -> AsyncIterator[None]:
    """Watch an async test and its fixtures. Raises AssertionError that lists the tasks still pending after it."""
    before = asyncio.all_tasks()
    yield
    new = asyncio.all_tasks() - before - {asyncio.current_task()}
    if new:
        await asyncio.wait(new, timeout=SETTLE_S)
    pending = [str(task) for task in new if not task.done()]
    if pending:
        raise AssertionError("The test left these tasks behind:\n  " + "\n  ".join(pending))


def _processes() -> dict[tuple[int, int], Process]:
    found = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            # After the name, which may hold spaces and brackets: state, parent, ..., start time (proc(5)).
            fields = _read(int(entry), "stat").rpartition(")")[2].split()
            if fields:
                process = Process(int(entry), int(fields[19]), int(fields[1]), fields[0])
                found[process.pid, process.started] = process
    return found


def _descriptors() -> dict[int, str]:
    found = {}
    for entry in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError):  # the listing's own descriptor is closed already
            found[int(entry)] = os.readlink(f"/proc/self/fd/{entry}")
    return found


def _ancestry(pid: int, parents: dict[int, int]) -> Iterator[int]:
    while pid > 1:
        yield pid
        pid = parents.get(pid, 0)


def _read(pid: int, name: str) -> str:
    """Without a file object, which costs four times as much: each test reads some 300 of these."""
    try:
        descriptor = os.open(f"/proc/{pid}/{name}", os.O_RDONLY)
    except OSError:  # it has ended, or it is somebody else's
        return ""
    try:
        return os.read(descriptor, _READ_BYTES).decode(errors="replace")
    except OSError:
        return ""
    finally:
        os.close(descriptor)
