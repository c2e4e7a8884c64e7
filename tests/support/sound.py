"""A sound server of the tests' own, with one loudspeaker that is only a recording."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import subprocess
import tempfile
import threading
import time
from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from tests.support.pitch import RATE, WINDOW_S, Window, pitches
from tests.support.running import Started
from tests.support.tools import end, last_words, need, run, wait_until

START_S = 10.0
"""PulseAudio takes 0.2 s on an idle machine."""
PACTL_S = 5.0
HEARD_WITHIN_S = 4.0
"""The sound of a live stream begins where mpv has read to when it is given it, about 1 s after the picture; the rest is
for busy machines. A sound that was lost is sought after 4 s only, which is not to be taken for this."""
SINK = "loudspeaker"


@dataclass(frozen=True, slots=True)
class SinkInput:
    """A stream that some program plays."""

    index: int
    pid: int
    muted: bool
    corked: bool
    volume: float
    """1.0 is full."""


@dataclass(frozen=True, slots=True)
class DeviceUse:
    """A program opened the loudspeaker, or let go of it."""

    at: float
    """Monotonic."""
    opened: bool
    index: int


@dataclass(frozen=True, slots=True)
class Heard:
    """The sound of the loudspeaker: mono, 16 bit, RATE samples a second."""

    samples: array[int]
    began: float
    """Monotonic time of the first sample, some 30 ms late: what sounds passes through two buffers."""
    known: Sequence[Window] = ()
    """Its first windows, where they were made before: a second of sound takes 15 ms of a processor."""

    @property
    def seconds(self) -> float:
        return len(self.samples) / RATE

    def windows(self) -> list[Window]:
        """The tone of every 50 ms; `at` is monotonic time."""
        done = len(self.known) * round(RATE * WINDOW_S)
        return [*self.known, *pitches(self.samples[done:], RATE, began=self.began + done / RATE)]

    def heard(self) -> set[int]:
        """Every pitch that was heard for more than a moment: in two windows, one after the other."""
        pairs = itertools.pairwise(self.windows())
        return set().union(*(sooner.heard & later.heard for sooner, later in pairs))


class Listener:
    """Records a sink while in a `with`; `heard()` is what came out of it until now."""

    def __init__(self, env: dict[str, str], sink: str = SINK) -> None:
        self._env = env
        self._sink = sink
        self._data = bytearray()
        self._began = 0.0
        self._windows: list[Window] = []
        self._hears = threading.Event()
        self._process: subprocess.Popen[bytes] | None = None
        self._thread = threading.Thread(target=self._read, name="listener", daemon=True)

    def __enter__(self) -> Listener:
        form = ["--raw", "--format=s16le", f"--rate={RATE}", "--channels=1", "--latency-msec=20"]
        self._process = subprocess.Popen(
            [need("parec"), f"--device={self._sink}.monitor", *form],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, **self._env},
        )
        self._thread.start()
        if not self._hears.wait(START_S):
            self.__exit__(None, None, None)
            raise RuntimeError("parec hears nothing, not even silence")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process is not None:
            self._process.terminate()
            self._thread.join(2.0)  # it ends with parec's output
            end(self._process)

    def heard(self) -> Heard:
        whole = bytes(self._data)
        heard = Heard(array("h", whole[: len(whole) // 2 * 2]), self._began, tuple(self._windows))
        self._windows = heard.windows()  # once for each, however often a test asks
        return heard

    def _read(self) -> None:
        assert self._process is not None
        assert self._process.stdout is not None
        descriptor = self._process.stdout.fileno()
        while piece := os.read(descriptor, 4096):
            if not self._data:
                self._began = time.monotonic() - len(piece) / 2 / RATE
                self._hears.set()
            self._data += piece


class DeviceWatch:
    """Notes, while in a `with`, when programs open the loudspeaker and let go of it."""

    def __init__(self, env: dict[str, str]) -> None:
        self._env = env
        self._uses: list[DeviceUse] = []
        self._process: subprocess.Popen[bytes] | None = None
        self._thread = threading.Thread(target=self._read, name="device-watch", daemon=True)
        self._subscribed = threading.Event()

    def __enter__(self) -> DeviceWatch:
        self._process = subprocess.Popen(
            [need("pactl"), "subscribe"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, **self._env, "LC_ALL": "C"},
        )
        self._thread.start()
        # pactl does not say when it listens; it does once it tells of another client, such as this one.
        deadline = time.monotonic() + START_S
        while not self._subscribed.wait(0.05):
            if time.monotonic() > deadline:
                self.__exit__(None, None, None)
                raise RuntimeError("pactl subscribe tells nothing")
            run(["pactl", "info"], timeout_s=PACTL_S, env={**os.environ, **self._env})
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process is not None:
            self._process.terminate()
            self._thread.join(2.0)  # it ends with pactl's output
            end(self._process)

    def uses(self) -> list[DeviceUse]:
        """The uses of the device so far, oldest first."""
        return list(self._uses)

    def most_at_once(self) -> int:
        """The greatest number of streams that had the loudspeaker open at the same time."""
        most, playing = 0, set[int]()
        for use in self.uses():
            if use.opened:
                playing.add(use.index)
            else:
                playing.discard(use.index)  # it may have been open before
            most = max(most, len(playing))
        return most

    def _read(self) -> None:
        assert self._process is not None
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._subscribed.set()
            words = line.decode().split()  # Event 'new' on sink-input #7
            if "sink-input" in words and ("'new'" in words or "'remove'" in words):
                index = int(words[-1].removeprefix("#"))
                self._uses.append(DeviceUse(time.monotonic(), "'new'" in words, index))


class PulseServer(Started):
    """PulseAudio with a null sink and stream-restore, reached by a socket of its own. `with PulseServer() as pulse`."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="pulse-")
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def env(self) -> dict[str, str]:
        """The variables that a client's environment must hold to play here, and nowhere else."""
        folder = self._folder.name
        return {
            "PULSE_SERVER": f"unix:{folder}/native",
            "PULSE_RUNTIME_PATH": folder,
            "PULSE_STATE_PATH": f"{folder}/state",
            "XDG_RUNTIME_DIR": folder,
        }

    @property
    def pids(self) -> set[int]:
        return set() if self._process is None else {self._process.pid}

    def start(self) -> None:
        """Start it. Returns when it takes clients. What stream-restore learnt is kept over a stop and a start."""
        modules = [
            f"module-native-protocol-unix socket={self._folder.name}/native auth-anonymous=1",
            _null_sink(SINK),
            "module-stream-restore",
        ]
        options = ["-n", "--daemonize=no", "--exit-idle-time=-1", "--use-pid-file=no", "--high-priority=no"]
        options += ["--realtime=no", "--log-target=stderr", *[f"--load={module}" for module in modules]]
        (Path(self._folder.name) / "state").mkdir(exist_ok=True)
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [need("pulseaudio"), *options],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, **self.env, "HOME": self._folder.name, "DBUS_SESSION_BUS_ADDRESS": ""},
            )
        try:
            wait_until(self._answers, timeout_s=START_S, what="PulseAudio")
        except TimeoutError as error:
            raise RuntimeError(f"PulseAudio did not start: {last_words(self._log)}") from error

    def terminate(self) -> None:
        """End it; `start` brings it back at the same address. Idempotent."""
        if self._process is not None:
            end(self._process)
            self._process = None

    def stop(self) -> None:
        """End it and forget it. Idempotent."""
        self.terminate()
        self._folder.cleanup()

    def listen(self, sink: str = SINK) -> Listener:
        """`with pulse.listen() as listener: ...; listener.heard().heard() == {440}`."""
        return Listener(self.env, sink)

    def add_sink(self, name: str) -> None:
        """One more loudspeaker, which nobody uses who does not ask for it; gone with `terminate`."""
        self._pactl("load-module", *_null_sink(name).split())

    def record(self, seconds: float) -> Heard:
        """Record the loudspeaker for so long. Blocks: not for an event loop."""
        with self.listen() as listener:
            wait_until(
                lambda: listener.heard().seconds >= seconds,
                timeout_s=seconds + START_S,
                what=f"{seconds} s of sound",
            )
            return listener.heard()

    def wait_heard(self, pitch: int) -> None:
        """Return when this pitch is heard. Raises TimeoutError after HEARD_WITHIN_S. Blocks, too."""
        with self.listen() as listener:
            wait_until(lambda: pitch in listener.heard().heard(), timeout_s=HEARD_WITHIN_S, what=f"{pitch} Hz")

    def watch(self) -> DeviceWatch:
        """`with pulse.watch() as watch: ...; watch.most_at_once() == 1`."""
        return DeviceWatch(self.env)

    def sink_inputs(self) -> list[SinkInput]:
        """The streams that play now, muted or not. Blocks for some 10 ms."""
        listed: list[dict[str, Any]] = json.loads(self._pactl("--format=json", "list", "sink-inputs"))
        return [
            SinkInput(
                index=one["index"],
                pid=int(one["properties"].get("application.process.id", 0)),
                muted=one["mute"],
                corked=one["corked"],
                volume=max(channel["value"] for channel in one["volume"].values()) / 65536,
            )
            for one in listed
        ]

    @property
    def _log(self) -> Path:
        return Path(self._folder.name) / "log"

    def _answers(self) -> bool:
        if self._process is not None and self._process.poll() is not None:
            raise RuntimeError(f"PulseAudio ended at once: {last_words(self._log)}")
        with contextlib.suppress(RuntimeError, subprocess.TimeoutExpired):
            self._pactl("info")
            return True
        return False

    def _pactl(self, *arguments: str) -> str:
        return run(["pactl", *arguments], timeout_s=PACTL_S, env={**os.environ, **self.env, "LC_ALL": "C"})


def _null_sink(name: str) -> str:
    # Without norewinds the sink renders 2 s ahead while nobody listens, and a new listener waits that long.
    return f"module-null-sink sink_name={name} rate=48000 channels=2 norewinds=1"
