"""A player process and the line to it: started bound to a socket pair, in a group of its own, and ended for certain."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import structlog

from agent.errors import PlayerUnavailableError
from agent.player import ipc

REAP_TIMEOUT_S = 2.0
"""SIGKILL needs 15-19 ms; a process inside a stuck driver cannot be reaped and is left to the kernel."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Child:
    """A process, and the daemon's end of its socket pair."""

    process: asyncio.subprocess.Process
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    def strike(self) -> None:
        """SIGKILL to it and whatever it started, at once; `kill` is to follow. Idempotent."""
        if self.process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)

    async def kill(self) -> None:
        """SIGKILL to it and whatever it started; reap it. Bounded; idempotent."""
        self.strike()
        try:
            async with asyncio.timeout(REAP_TIMEOUT_S):
                await self.process.wait()
        except TimeoutError:
            log.error("player_kill_failed", pid=self.process.pid)

    async def close(self) -> None:
        """Close the line to it. Idempotent."""
        await _close(self.writer)


async def spawn(complete: Callable[[int], Sequence[str]], *, environment: Mapping[str, str]) -> Child:
    """Start the command that `complete` makes of the descriptor of its end of the socket pair.

    Raises PlayerUnavailableError when it cannot be started.
    """
    ours, theirs = socket.socketpair()
    reader, writer = await asyncio.open_connection(sock=ours, limit=ipc.MAX_LINE_BYTES)
    try:
        # It holds up the event loop until the child has become the program: 0.2 ms, and 8 ms (median) beside twice as
        # many busy processes as cores. A thread would not help: Python holds its lock meanwhile.
        process = await asyncio.create_subprocess_exec(
            *complete(theirs.fileno()),
            pass_fds=(theirs.fileno(),),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
            env=dict(environment),
            start_new_session=True,  # a group of its own: killed with whatever it starts
        )
    except OSError as e:
        await _close(writer)
        raise PlayerUnavailableError(f"The player process cannot be started: {e}.") from e
    except BaseException:
        await _close(writer)
        raise
    finally:
        theirs.close()
    return Child(process, reader, writer)


def worker_environment(display: str, *, base: Mapping[str, str], authority: Path | None = None) -> dict[str, str]:
    """The environment of a player process: the daemon's without our own settings, which may hold secrets, and without
    Wayland, because an engine that sees it would rather draw there than into a window of the stage."""
    environment = {k: v for k, v in base.items() if not k.startswith("CAST_AGENT_") and k != "WAYLAND_DISPLAY"}
    if authority is not None and authority.is_file():  # a client need not look where the stage has found its cookie
        environment["XAUTHORITY"] = str(authority)
    for name in ("no_proxy", "NO_PROXY"):  # what comes from this machine itself does not go through a proxy
        environment[name] = ",".join(filter(None, (environment.get(name), "127.0.0.1")))
    return environment | {"DISPLAY": display, "PYTHONUNBUFFERED": "1"}


async def _close(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with contextlib.suppress(ConnectionError):
        await writer.wait_closed()
