"""The real agent, run as an administrator runs it: `cast-agent run`, settings from the environment, driven by HTTP."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from bench.calls import Answer, Call, call
from bench.processes import processes_with
from tests.support.sockets import free_port
from tests.support.tools import end, last_words, wait_until

START_S = 20.0
"""Python, the libraries and the first spare take about 1 s on an idle machine."""
SPARE_S = 15.0
"""A spare is made 1 s after the one before was taken, and takes about 0.6 s."""

MEMORY = "/dev/shm"  # noqa: S108 - each agent has a folder of its own there
"""A tmpfs, as what systemd gives to the installed agent for the time that it runs."""

MARK = "CAST_BENCH_RUN"
"""A variable in the environment of the agent and so of all its processes, however they are orphaned."""


class Agent:
    """`with Agent(display, env) as agent: agent.call("POST", "/stop")`. It has a spare ready when it is entered."""

    def __init__(self, display: str, env: Mapping[str, str], settings: Mapping[str, str] | None = None) -> None:
        self.display = display
        self.port = free_port()
        self.mark = f"{os.getpid()}-{self.port}"
        self._folder = tempfile.TemporaryDirectory(prefix="bench-agent-")
        self._runtime = tempfile.TemporaryDirectory(prefix="bench-agent-", dir=MEMORY)
        self._log = Path(self._folder.name) / "log"
        self._env = {
            **os.environ,
            **env,
            "DISPLAY": display,
            MARK: self.mark,
            "CAST_AGENT_API__HOST": "127.0.0.1",
            "CAST_AGENT_API__PORT": str(self.port),
            "CAST_AGENT_STATE__DIR": self._folder.name,
            "RUNTIME_DIRECTORY": self._runtime.name,
            **(settings or {}),
        }
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def __enter__(self) -> Agent:
        program = Path(sys.executable).with_name("cast-agent")
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(  # noqa: S603 - our own program
                [program, "run"], stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=self._env
            )
        try:
            wait_until(self._answers, timeout_s=START_S, what="the agent to answer")
            self.wait_spare()
        except (TimeoutError, RuntimeError) as error:
            words = last_words(self._log)
            self._end()
            raise RuntimeError(f"The agent did not become ready ({error}). Its last words: {words}") from error
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    def call(self, method: str, path: str, body: dict[str, Any] | None = None) -> Answer:
        """Make a call and wait for its answer. Raises OSError."""
        return call(self.port, method, path, body)

    def command(self, *arguments: str) -> str:
        """Run `cast-agent` with the settings of this agent; its standard output. Raises CalledProcessError."""
        program = Path(sys.executable).with_name("cast-agent")
        done = subprocess.run(  # noqa: S603 - our own program
            [program, *arguments], env=self._env, stdout=subprocess.PIPE, text=True, timeout=START_S, check=True
        )
        return done.stdout.strip()

    def post_start(self, url: str) -> Call:
        """Send a start and do not wait for its answer."""
        return Call(self.port, "POST", "/start", {"url": url})

    def start(self, url: str, **fields: object) -> Answer:
        """Start a stream. Raises RuntimeError when the agent does not take it."""
        answer = self.call("POST", "/start", {"url": url, **fields})
        if answer.status != 200:
            raise RuntimeError(f"/start was answered {answer.status}: {answer.body}")
        return answer

    def stop(self) -> Answer:
        return self.call("POST", "/stop")

    def log(self) -> list[dict[str, Any]]:
        """The log so far."""
        return [json.loads(line) for line in self._log.read_text().splitlines() if line.startswith("{")]

    def wait_spare(self, *, players: int = 1) -> None:
        """Return when a spare player is ready, and there are so many players in all (each engine that was used has
        a spare, which /health does not tell). Raises TimeoutError."""
        wait_until(self._spare_ready, timeout_s=SPARE_S, what="a spare player")
        if players > 1:
            wait_until(lambda: len(self.players()) == players, timeout_s=SPARE_S, what=f"{players} players")

    def players(self) -> list[int]:
        """The ids of its player processes, spares included."""
        return [pid for pid in processes_with(MARK, self.mark) if pid != self.pid]

    def _spare_ready(self) -> bool:
        return bool(self.call("GET", "/health").body["checks"]["player"]["spare_ready"])

    def _answers(self) -> bool:
        assert self._process is not None
        if self._process.poll() is not None:
            raise RuntimeError(f"it ended with {self._process.returncode}")
        try:
            return self.call("GET", "/health/live").status == 200
        except OSError:
            return False

    def _end(self) -> None:
        if self._process is not None:
            end(self._process)
        self._folder.cleanup()
        self._runtime.cleanup()
