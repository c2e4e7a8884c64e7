"""The service as a process of its own, to be killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.tools import LOOK_EVERY_S

START_S = 20.0
CLI = (sys.executable, "-m", "central.cli")
AHEAD = """
import sys
from datetime import timedelta
from central.core import pages
right = pages.utc_now
pages.utc_now = lambda: right() + timedelta(seconds={seconds})
from central.cli import main
sys.exit(main())
"""
"""The service on a machine whose clock is wrong: all of it asks `utc_now`, if it asks its machine."""


class CentralProcess:
    """`cast-central run` on a free port, or on the one that it had before."""

    def __init__(self, database_url: str, *, ahead_s: float = 0.0, **environ: str) -> None:
        self._program = (sys.executable, "-c", AHEAD.format(seconds=ahead_s)) if ahead_s else CLI
        self._environ = os.environ | {
            "CAST_CENTRAL_DATABASE__URL": database_url,
            "CAST_CENTRAL_API__HOST": "127.0.0.1",
            "CAST_CENTRAL_LOG__FORMAT": "json",
            **environ,
        }
        descriptor, name = tempfile.mkstemp(prefix="cast-central-", suffix=".log")
        os.close(descriptor)
        self._log = Path(name)
        self._process: subprocess.Popen[bytes] | None = None
        self.port = 0

    @property
    def pids(self) -> set[int]:
        return {self._process.pid} if self._process is not None else set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def command(self, *arguments: str) -> str:
        """The output of another command of ours, on the same database."""
        done = subprocess.run([*CLI, *arguments], env=self._environ, check=True, capture_output=True, text=True)
        return done.stdout.strip()

    def start(self) -> None:
        """Returns once it serves."""
        self._log.write_bytes(b"")
        environ = self._environ | {"CAST_CENTRAL_API__PORT": str(self.port)}
        with self._log.open("ab") as log:
            self._process = subprocess.Popen([*self._program, "run"], env=environ, stderr=log)
        deadline = time.monotonic() + START_S
        while not (started := [line for line in self.log() if line.get("event") == "central_started"]):
            assert self._process.poll() is None, self.text()[:2000]
            assert time.monotonic() < deadline, self.text()[:2000]
            time.sleep(LOOK_EVERY_S)
        self.port = int(str(started[0]["port"]))

    def end(self, number: int = signal.SIGTERM) -> int:
        """Send the signal and wait; the exit code."""
        if self._process is None:
            return 0
        self._process.send_signal(number)
        code = self._process.wait(START_S)
        self._process = None
        return code

    def text(self) -> str:
        return self._log.read_text()

    def log(self) -> list[dict[str, object]]:
        lines = self.text().splitlines()
        return [json.loads(line) for line in lines if line.startswith("{") and line.endswith("}")]

    def close(self) -> None:
        self.end(signal.SIGKILL)
        self._log.unlink()


@contextmanager
def central_process(database_url: str, *, ahead_s: float = 0.0, **environ: str) -> Iterator[CentralProcess]:
    """Started, and killed at the end. Its machine's clock is ahead by so many seconds."""
    process = CentralProcess(database_url, ahead_s=ahead_s, **environ)
    try:
        process.start()
        yield process
    finally:
        process.close()
