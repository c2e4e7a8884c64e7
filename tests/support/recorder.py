"""Watches a screen some hundred times a second from a process of its own, so that nothing a test does slows it.

It says how long each colour was seen, how long it was black, and when the picture stood still. Times are monotonic,
so they compare with `time.monotonic()` in any process.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import struct
import subprocess
import sys
import tempfile
import time
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from types import FrameType, TracebackType

from tests.support.clips import BOX_ROW
from tests.support.colours import name_of
from tests.support.screen import Screen
from tests.support.tools import end, last_words

POINTS = ((0.5, 0.5), (0.1, 0.1), (0.9, 0.1), (0.1, 0.7), (0.9, 0.7))
"""The places that it looks at, as parts of width and height: the centre first, then four places away from the
travelling box."""

PERIOD_S = 0.003
"""330 looks a second, for a tenth of a core."""
START_S = 10.0
"""Python, xcffib and the first look take 0.2 s on an idle machine."""

_SAMPLE = struct.Struct(f"<d{len(POINTS)}II")
"""Time, the colours of POINTS as 0xRRGGBB, the checksum of the row in which the box travels."""


@dataclass(frozen=True, slots=True)
class Sample:
    at: float
    colours: tuple[int, ...]
    """0xRRGGBB of each of POINTS."""
    row: int
    """Checksum of the row in which the box of a clip travels: it changes with every picture."""


@dataclass(frozen=True, slots=True)
class Run:
    """A stretch of time: one colour, or a picture that stands still."""

    colour: str
    start: float
    end: float
    """The time at which something else was first seen; for the last run, that of the last look."""

    @property
    def seconds(self) -> float:
        return self.end - self.start


@dataclass(frozen=True, slots=True)
class Recording:
    """The runs of colours that were seen."""

    samples: tuple[Sample, ...]

    @property
    def rate_hz(self) -> float:
        """Looks a second."""
        return (len(self.samples) - 1) / (self.samples[-1].at - self.samples[0].at)

    @property
    def longest_gap_s(self) -> float:
        """The longest time between two looks: nothing shorter than this is certain to be seen."""
        return max(later.at - sooner.at for sooner, later in zip(self.samples, self.samples[1:], strict=False))

    def between(self, start: float, end: float) -> Recording:
        """The part from `start` to `end`."""
        return Recording(tuple(sample for sample in self.samples if start <= sample.at <= end))

    def runs(self, point: int = 0) -> list[Run]:
        """The colours at one of POINTS, one after the other."""
        return list(_runs((sample.at, _name(sample.colours[point])) for sample in self.samples))

    def colours(self, point: int = 0) -> list[str]:
        """The colours at one of POINTS in their order, for a short assertion."""
        return [run.colour for run in self.runs(point)]

    def seconds_of(self, colour: str, *, anywhere: bool = True) -> float:
        """The time for which `colour` was seen at any of POINTS, or at the centre only."""
        points = range(len(POINTS)) if anywhere else [0]
        looks = ((one.at, any(_name(one.colours[point]) == colour for point in points)) for one in self.samples)
        return sum(run.seconds for run in _runs((at, str(seen)) for at, seen in looks) if run.colour == "True")

    def stills(self, longer_than_s: float) -> list[Run]:
        """The times in which nothing moved for longer than that."""
        rows = _runs((sample.at, str(sample.row)) for sample in self.samples)
        centres = {run.start: run.colour for run in self.runs()}
        longs = [row for row in rows if row.seconds > longer_than_s]
        return [replace(long, colour=_at(centres, long.start)) for long in longs]


class ScreenRecorder:
    """`with ScreenRecorder(display) as recorder: ...; recording = recorder.stop()`. It looks once it is entered."""

    def __init__(self, display: str) -> None:
        self._display = display
        self._process: subprocess.Popen[bytes] | None = None
        self._folder = tempfile.TemporaryDirectory(prefix="recorder-")
        self._file = Path(self._folder.name) / "samples"
        self._log = Path(self._folder.name) / "log"

    def __enter__(self) -> ScreenRecorder:
        root = Path(__file__).parents[2]
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.support.recorder", self._display, str(self._file)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                cwd=root,
            )
        assert self._process.stdout is not None
        ready, _, _ = select.select([self._process.stdout], [], [], START_S)
        if not ready or not self._process.stdout.read(1):
            words = last_words(self._log)
            self._clean_up()
            raise RuntimeError(f"The screen recorder did not start: {words}")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._clean_up()

    def stop(self) -> Recording:
        """End the recorder and return the recording until now, or until the X server went. Call it once."""
        assert self._process is not None
        end(self._process)
        data = self._file.read_bytes()
        whole = len(data) // _SAMPLE.size * _SAMPLE.size
        samples = [Sample(at, tuple(rest[:-1]), rest[-1]) for at, *rest in _SAMPLE.iter_unpack(data[:whole])]
        if len(samples) < 2:
            raise RuntimeError(f"The screen recorder saw nothing: {last_words(self._log)}")
        return Recording(tuple(samples))

    def _clean_up(self) -> None:
        if self._process is not None:
            end(self._process)
        self._folder.cleanup()


def _runs(looks: Iterator[tuple[float, str]]) -> Iterator[Run]:
    start = at = 0.0
    current: str | None = None
    for at, colour in looks:
        if colour != current:
            if current is not None:
                yield Run(current, start, at)
            start, current = at, colour
    if current is not None:
        yield Run(current, start, at)


def _name(colour: int) -> str:
    return name_of((colour >> 16, colour >> 8 & 0xFF, colour & 0xFF))


def _at(starts: dict[float, str], when: float) -> str:
    return starts[max(start for start in starts if start <= when)]


def main(display: str, file: str) -> None:
    """The recorder's own process: looks until SIGTERM, and once after it, or until the X server goes."""
    over = False

    def leave(number: int, frame: FrameType | None) -> None:
        nonlocal over
        over = True

    signal.signal(signal.SIGTERM, leave)
    with contextlib.suppress(PermissionError):
        os.setpriority(os.PRIO_PROCESS, 0, 0)  # who looks does not give way, as tests that compute do (order.py)
    with Screen(display, guarded=False) as screen, open(file, "wb", buffering=1 << 20) as out:
        width, height = screen.size()
        areas = [(int(width * x), int(height * y), 1, 1) for x, y in POINTS]
        areas.append((0, int(height * BOX_ROW), width, 1))
        first, last = True, False
        with contextlib.suppress(ConnectionError):
            while not last:
                last = over  # what is there when it is told to stop is seen, too
                began = time.monotonic()
                *points, row = screen.areas(areas)
                colours = [point[2] << 16 | point[1] << 8 | point[0] for point in points]
                out.write(_SAMPLE.pack((began + time.monotonic()) / 2, *colours, zlib.crc32(row)))
                if first:
                    os.write(1, b"\n")
                    first = False
                time.sleep(max(0.0, began + PERIOD_S - time.monotonic()))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
