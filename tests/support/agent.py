"""The real daemon as a process, driven over HTTP as home automation does."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from tests.support.sockets import free_port
from tests.support.tools import LOOK_EVERY_S, LOOK_SELDOM_S
from tests.support.xserver import NO_DISPLAY

READY_S = 20.0
"""The longest wait for a start that takes a second or two on a machine that has nothing else to do."""
ANSWER_S = 30.0

PREFERRED: Final = ("nice", "-n", "-10")
"""The prefix of an agent whose promise in seconds is looked at: where the tests may say so (root), other tests leave it
the processor, as a box has nothing else to do."""

PATIENT: Final[dict[str, Any]] = {"player__start_timeout": 60}
"""Settings for who asks which engine plays: another one is not tried before a quarter of that is over, however busy the
machine is."""


@dataclass(frozen=True)
class Answer:
    """The answer of the agent to one call."""

    status: int
    headers: Mapping[str, str]
    content: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.content)


class Agent:
    """`with Agent(display=":7") as agent: agent.start(url)`. Settings go by environment: `player__stall_timeout=2`.

    Its log is in `log()`, one dict an event. The state directory is kept for a second `run()`.
    """

    def __init__(
        self,
        display: str | None,
        *,
        env: Mapping[str, str] | None = None,
        config: str | None = None,
        prefix: Sequence[str] = (),
        **settings: object,
    ) -> None:
        """`prefix` is a command that becomes the agent, such as one that enters a network first."""
        self._prefix = tuple(prefix)
        self._folder = tempfile.TemporaryDirectory(prefix="agent-")
        self.folder = Path(self._folder.name)
        self.port = free_port()
        self.base = f"http://127.0.0.1:{self.port}"
        self._arguments = ["run"]
        if config is not None:
            (self.folder / "config.toml").write_text(config)
            self._arguments += ["--config", str(self.folder / "config.toml")]
        kept = ("PATH", "LANG", "HOME", "VIRTUAL_ENV")
        self.env = {name: os.environ[name] for name in kept if name in os.environ}
        self.env |= {"XDG_RUNTIME_DIR": str(self.folder), "XDG_CACHE_HOME": str(self.folder / "cache")}
        # One without a display looks for any, and would cover the screen of another test.
        self.env["DISPLAY"] = NO_DISPLAY if display is None else display
        given = {"api__port": self.port, "state__dir": self.folder / "state", "log__level": "debug"}
        # The LAN of who runs the tests is spared them, and no two of them want one port.
        given |= {"discovery__enabled": False, "esphome__enabled": False} | settings
        for key, value in given.items():
            self.env[f"CAST_AGENT_{key.upper()}"] = value if isinstance(value, str) else _text(value)
        self.env |= env or {}
        self.process: subprocess.Popen[bytes] | None = None
        self._logged: list[dict[str, Any]] = []
        self._logged_bytes = 0

    def __enter__(self) -> Self:
        try:
            self.run()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.terminate()
        if kind is not None:
            print(self._log_text()[-8000:], file=sys.stderr)
        self._folder.cleanup()

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    @property
    def pids(self) -> set[int]:
        """The processes, for a leak check; empty when it does not run."""
        return set() if self.process is None else {self.process.pid}

    def run(self, *, until_spare: bool = True) -> None:
        """Start the process; return when it answers, and has its spare player if it can have one."""
        self.launch()
        self.wait_alive()
        if until_spare:
            self.wait_until(self._has_settled, READY_S, "a spare player is ready, or is known to be impossible")

    def launch(self) -> None:
        """Start the process."""
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [*self._prefix, sys.executable, "-m", "agent.cli", *self._arguments],
                env=self.env,
                stdout=log,
                stderr=log,
            )

    def wait_alive(self) -> None:
        self.wait_until(self._alive, READY_S, "the agent answers")

    def terminate(self, *, timeout_s: float = 10.0) -> int:
        """SIGTERM; its exit code. Kills, and fails, when it does not end in time."""
        if self.process is None:
            return 0
        process, self.process = self.process, None
        process.send_signal(signal.SIGTERM)
        try:
            return process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise AssertionError(f"the agent did not end within {timeout_s} s") from None

    def kill(self) -> None:
        """SIGKILL, as a crash; the state directory stays for the next `run()`."""
        assert self.process is not None
        process, self.process = self.process, None
        process.kill()
        process.wait()

    def call(self, method: str, path: str, body: object = None, *, headers: Mapping[str, str] | None = None) -> Answer:
        """`body` is sent as JSON, bytes as they are."""
        data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.base + path, data=data, method=method, headers=dict(headers or {}))
        try:
            with urllib.request.urlopen(request, timeout=ANSWER_S) as answer:
                return Answer(answer.status, dict(answer.headers), answer.read())
        except urllib.error.HTTPError as e:
            with e:
                return Answer(e.code, dict(e.headers), e.read())

    def start(self, url: str, *, wait: float | None = 15, expect: int = 200, **fields: object) -> Any:
        """POST /start; the answer's JSON."""
        answer = self.call("POST", "/start" + (f"?wait={wait}" if wait else ""), {"url": url, **fields})
        assert answer.status == expect, answer.content
        return answer.json

    def show_page(self, url: str, *, expect: int = 200, **fields: object) -> Any:
        """POST /start of a web page; the answer's JSON."""
        answer = self.call("POST", "/start?wait=15", {"url": url, "as": "page", **fields})
        assert answer.status == expect, answer.content
        return answer.json

    def stop(self, **fields: object) -> Any:
        answer = self.call("POST", "/stop", fields or None)
        assert answer.status == 200, answer.content
        return answer.json

    def status(self) -> Any:
        return self.call("GET", "/status").json

    def health(self) -> Any:
        return self.call("GET", "/health").json

    def log(self, event: str | None = None) -> list[dict[str, Any]]:
        """The log so far, or only the events of that name."""
        with (self.folder / "log").open("rb") as file:
            file.seek(self._logged_bytes)
            whole = file.read().rpartition(b"\n")[0]  # a test that waits asks often: each line is read once
        for text in whole.splitlines():
            with contextlib.suppress(ValueError):
                self._logged.append(json.loads(text))
        self._logged_bytes += len(whole) + bool(whole)
        return [line for line in self._logged if event in (None, line.get("event"))]

    def children(self) -> list[int]:
        """The player processes that there are now, zombies included."""
        return _children(self.pid)

    def player_pid(self) -> int:
        """The player that plays: the one that is not the spare."""
        opened = self.log("stream_opened")
        return int(opened[-1]["pid"])

    def spare_pid(self) -> int:
        """The warm spare; waits for it. Only when nothing is on or being prepared."""
        self.wait_for_spare()
        self.wait_until(lambda: len(self.children()) == 1, READY_S, "the spare is the only player")
        return self.children()[0]

    def wait_for_spare(self) -> None:
        self.wait_until(lambda: self.health()["checks"]["player"]["spare_ready"], READY_S, "a spare player is ready")

    def wait_state(self, state: str, timeout_s: float = 10.0) -> Any:
        """Wait until the stream's player state is this one; the stream."""
        seen: Any = None

        def has_it() -> bool:
            nonlocal seen
            seen = self.status()
            return (seen["stream"] or {}).get("state") == state

        try:
            self.wait_until(has_it, timeout_s, f"it is {state}")
        except AssertionError as error:
            error.add_note(f"The status was {seen}")
            raise
        return seen["stream"]

    def wait_ended(self, session_id: str, timeout_s: float = 15.0) -> Any:
        """Wait until this session is the one that ended last; `last`."""
        self.wait_until(
            lambda: (self.status()["last"] or {}).get("session_id") == session_id, timeout_s, "the session has ended"
        )
        return self.status()["last"]

    def wait_until(self, condition: Callable[[], object], timeout_s: float, what: str) -> None:
        """Look until `condition()`: often at first, then each time that a tenth of the wait has passed again."""
        began = time.monotonic()
        while not condition():
            if self.process is not None and self.process.poll() is not None:
                raise AssertionError(f"the agent ended ({self.process.returncode}) while: {what}\n{self._log_text()}")
            waited = time.monotonic() - began
            assert waited < timeout_s, f"did not come about within {timeout_s} s: {what}"
            time.sleep(min(max(LOOK_EVERY_S, waited / 10), LOOK_SELDOM_S))

    def _alive(self) -> bool:
        try:
            return self.call("GET", "/health/live").status == 200
        except OSError:
            return False

    def _has_settled(self) -> bool:
        health = self.health()
        return health["status"] == "degraded" or bool(health["checks"]["player"]["spare_ready"])

    def _log_text(self) -> str:
        file = self.folder / "log"
        return file.read_text(errors="replace") if file.exists() else ""


def _text(value: object) -> str:
    return json.dumps(value) if isinstance(value, list | tuple | bool) else str(value)


def _children(pid: int) -> list[int]:
    text = ""
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        with contextlib.suppress(OSError):
            text += task.read_text()
    return [int(child) for child in text.split()]
