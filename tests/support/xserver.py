"""An X server without a monitor, which tests may stop, freeze, kill and start again under the same number."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import tempfile
import time
from pathlib import Path

from tests.support.running import Started
from tests.support.screen import answers
from tests.support.tools import end, last_words, need, run, wait_until

START_S = 10.0
"""Xvfb takes 0.1 s on an idle machine."""
XRANDR_S = 5.0


class XServer(Started):
    """Xvfb on a free display number, which is its own until `stop`. `with XServer() as x: x.display, x.env`.

    `largest` is how far `resize` can go; without it the size can only shrink.
    """

    def __init__(
        self, size: tuple[int, int] = (640, 360), *, largest: tuple[int, int] | None = None, depth: int = 24
    ) -> None:
        self.display = ""
        self._depth = depth
        self._size = size
        self._largest = largest or size
        self._process: subprocess.Popen[bytes] | None = None
        self._folder = tempfile.TemporaryDirectory(prefix="xserver-")
        self._modes: set[str] = set()

    @property
    def env(self) -> dict[str, str]:
        """The variables that a client's environment must hold to find this server."""
        return {"DISPLAY": self.display}

    @property
    def pids(self) -> set[int]:
        return set() if self._process is None else {self._process.pid}

    def start(self) -> None:
        """Start on a free number, or on the number that it had before. Returns when it takes clients."""
        if self._process is not None and self._process.poll() is None:
            raise RuntimeError(f"The X server {self.display} runs already")
        self._release()
        log = Path(self._folder.name) / "Xvfb.log"
        command = [need("Xvfb"), *([self.display] if self.display else [])]
        width, height = self._largest
        # Without -noreset the screen would be wiped, and its modes forgotten, whenever the last client leaves.
        command += [
            "-screen",
            "0",
            f"{width}x{height}x{self._depth}",
            "+extension",
            "RANDR",
            "-nolisten",
            "tcp",
            "-noreset",
        ]
        reading, writing = os.pipe()
        try:
            with log.open("wb") as out:
                self._process = subprocess.Popen(
                    [*command, "-displayfd", str(writing)],
                    stdin=subprocess.DEVNULL,
                    stdout=out,
                    stderr=out,
                    pass_fds=[writing],
                )
            os.close(writing)
            writing = -1
            number = _line(reading, START_S)
        finally:
            os.close(reading)
            if writing >= 0:
                os.close(writing)
        if not number:
            raise RuntimeError(f"Xvfb did not start: {last_words(log)}")
        self.display = f":{number}"
        self._modes.clear()
        if self._size != self._largest:
            self.resize(*self._size)

    def stop(self) -> None:
        """End it and forget it. Idempotent."""
        self.terminate()
        self._release()
        self._folder.cleanup()

    def terminate(self) -> None:
        """SIGTERM: an orderly end, as when a session closes. Returns when it is gone."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """SIGKILL: a crash. Returns when it is gone."""
        self._end(signal.SIGKILL)

    def restart(self) -> None:
        """Kill it and start it under the same number, at the same size."""
        self.kill()
        self.start()

    def pause(self) -> None:
        """Freeze it: clients stay connected and get no answer."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        self._signal(signal.SIGCONT)

    def resize(self, width: int, height: int) -> None:
        """Change the resolution as `xrandr` does; not larger than `largest`. Returns when it is done."""
        if width > self._largest[0] or height > self._largest[1]:
            raise ValueError(f"{width}x{height} is larger than the {self._largest} that the server was started with")
        mode = f"{width}x{height}"
        if mode not in self._modes and (width, height) != self._largest:
            # The timings mean nothing to Xvfb, they only have to be consistent.
            timings = ["10", *[str(width)] * 4, *[str(height)] * 4]
            self._xrandr("--newmode", mode, *timings)
            self._xrandr("--addmode", "screen", mode)
            self._modes.add(mode)
        self._xrandr("--output", "screen", "--mode", mode)
        self._size = (width, height)

    def _xrandr(self, *arguments: str) -> None:
        run(["xrandr", *arguments], timeout_s=XRANDR_S, env={**os.environ, **self.env})

    def _signal(self, number: int) -> None:
        if self._process is None or self._process.poll() is not None:
            raise RuntimeError("The X server does not run")
        self._process.send_signal(number)

    def _end(self, number: int) -> None:
        if self._process is None:
            return
        pid = self._process.pid
        end(self._process, with_signal=number)
        self._process = None
        # A killed Xvfb leaves its lock and its socket behind. Held by this process, the lock keeps the servers of other
        # tests from the number until this one comes back.
        if self._locked_by(pid):
            Path(f"/tmp/.X11-unix/X{self.display[1:]}").unlink(missing_ok=True)
            self._lock.unlink()
        if not self._lock.exists():  # or another one was quicker
            self._lock.write_text(f"{os.getpid():>10}\n")

    def _release(self) -> None:
        if self.display and self._locked_by(os.getpid()):
            self._lock.unlink()

    @property
    def _lock(self) -> Path:
        return Path(f"/tmp/.X{self.display[1:]}-lock")

    def _locked_by(self, pid: int) -> bool:
        with contextlib.suppress(OSError):
            return self._lock.read_text().split() == [str(pid)]
        return False


def _line(descriptor: int, timeout_s: float) -> str:
    """The text that arrives at a pipe up to its newline; empty when it is closed or the time is over."""
    deadline = time.monotonic() + timeout_s
    text = b""
    while not text.endswith(b"\n"):
        if not select.select([descriptor], [], [], max(0.0, deadline - time.monotonic()))[0]:
            return ""
        piece = os.read(descriptor, 16)
        if not piece:
            return ""
        text += piece
    return text.decode().strip()


NO_DISPLAY = ":64999"
"""A display that there never is."""


def free_display() -> str:
    """A display that there is not."""
    return next(f":{n}" for n in range(150, 400) if not Path(f"/tmp/.X11-unix/X{n}").exists())


def wait_answers(display: str, *, timeout_s: float = START_S) -> None:
    """Return when the X server of `display` takes clients. Raises TimeoutError."""
    wait_until(lambda: answers(display, timeout_s=1.0), timeout_s=timeout_s, what=f"the X server {display}")
