"""Programs that the test bench needs: found, or named with their package; run and ended in bounded time."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

APT_PACKAGES = {
    "ffmpeg": "ffmpeg",
    "ffprobe": "ffmpeg",
    "Xvfb": "xvfb",
    "xrandr": "x11-xserver-utils",
    "pulseaudio": "pulseaudio",
    "pactl": "pulseaudio-utils",
    "parec": "pulseaudio-utils",
    "pacat": "pulseaudio-utils",
    "ip": "iproute2",
    "dbus-daemon": "dbus",
    "avahi-browse": "avahi-utils",
}

END_S = 3.0
"""Every program used here leaves within 0.2 s of SIGTERM; more means that it is stuck and gets SIGKILL."""


LOOK_EVERY_S = 0.01
"""The pause between two looks at things that announce no change: nothing is waited for much longer than it takes."""

LOOK_SELDOM_S = 0.05
"""The pause between looks that cost the agent an answer, once they took longer: a hundred a second are half a
processor."""

SOON_S = 5.0
"""The longest wait for things that take some milliseconds, on a busy machine."""


class MissingToolError(Exception):
    """A program that the tests need is not installed; the text names its package."""


def need(tool: str) -> str:
    """The path of `tool`. Raises MissingToolError, which names the apt package."""
    path = shutil.which(tool)
    if path is None:
        package = APT_PACKAGES.get(tool, tool.lower())
        raise MissingToolError(f"The tests need `{tool}`. Install it: apt-get install {package}")
    return path


def program(name: str) -> str | None:
    """A server that Debian has no package of: the one named in the environment (MEDIAMTX=FILE), or the one on the
    PATH."""
    return os.environ.get(name.upper()) or shutil.which(name)


def run(command: Sequence[str], *, timeout_s: float, env: Mapping[str, str] | None = None) -> str:
    """Run a program and return what it wrote. Raises RuntimeError with its last words, or TimeoutExpired."""
    done = subprocess.run(
        [need(command[0]), *command[1:]],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=timeout_s,
        env=None if env is None else dict(env),
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} ended with {done.returncode}: {done.stderr[-2000:].strip()}")
    return done.stdout


def end(process: subprocess.Popen[Any], *, with_signal: int = signal.SIGTERM) -> None:
    """End one process and reap it: `with_signal` first, SIGKILL after END_S. Idempotent."""
    if process.poll() is None:
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(with_signal)
            process.send_signal(signal.SIGCONT)  # a stopped process does not see SIGTERM
        try:
            process.wait(END_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(END_S)
    for pipe in (process.stdin, process.stdout, process.stderr):
        if pipe is not None:
            pipe.close()


def wait_until(true: Callable[[], object], *, timeout_s: float, what: str) -> None:
    """Look until `true()`. Raises TimeoutError that says `what` was waited for. Blocks the thread."""
    deadline = time.monotonic() + timeout_s
    while not true():
        if time.monotonic() > deadline:
            raise TimeoutError(f"Waited {timeout_s} s for {what}")
        time.sleep(LOOK_EVERY_S)


async def until(true: Callable[[], object], *, timeout_s: float = SOON_S, what: str = "it") -> None:
    """`wait_until` on an event loop, by whose clock it counts."""
    now = asyncio.get_running_loop().time
    deadline = now() + timeout_s
    while not true():
        if now() > deadline:
            raise TimeoutError(f"Waited {timeout_s} s for {what}")
        await asyncio.sleep(LOOK_EVERY_S)


def last_words(log: Path) -> str:
    """The end of a program's log, for an error message."""
    return log.read_text(errors="replace")[-1500:].strip() if log.exists() else "(it wrote nothing)"
