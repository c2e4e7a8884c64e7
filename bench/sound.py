"""The sound: from the call to the first sample of a message, and what is heard when one film follows another."""

from __future__ import annotations

import json
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from bench.agent import Agent
from bench.lab import Lab
from bench.numbers import Series
from bench.players import MPV
from bench.report import Bar, Point, Table
from tests.support.clips import Clips
from tests.support.media_server import MediaServer
from tests.support.pitch import RATE, WINDOW_S
from tests.support.sound import Heard, Listener
from tests.support.tools import end, wait_until

MESSAGE_S, MESSAGE_HZ = 1.0, 880
BEFORE_HZ, AFTER_HZ = 440, 880
FILM_S = 20
HEARD_WITHIN_S = 2.0
"""The time after a command that is looked at: the slowest here takes 0.6 s."""
GAP_MS = 50.0

SILENCE = 500
"""Samples below this, of 32,767, count as silence; a tone is at several thousand."""
BLOCK_S = 0.005
"""The resolution: a wave of 440 Hz is in it twice."""
READY_S = 10.0
"""mpv takes 0.1 s."""
STARTED_S = 0.5
"""The time after which an mpv that waits has started: its start does not count."""
SETTLES_S = 0.3
"""The time after which a listener hears without a gap."""


@dataclass(frozen=True, slots=True)
class Handover:
    """What was heard of two tones when one took over from the other, in ms."""

    gap: float
    overlap: float


def measure(lab: Lab) -> Point:
    """Raises TimeoutError when a player is not ready, ValueError when nothing is heard."""
    clips = Clips()
    message = clips.spoken(MESSAGE_S, "mp3", MESSAGE_HZ)
    films = [clips.film_mp4("red", FILM_S, BEFORE_HZ), clips.film_mp4("green", FILM_S, AFTER_HZ)]
    ours: list[float] = []
    theirs: list[float] = []
    handovers: list[Handover] = []
    with (
        MediaServer(clips) as server,
        Agent(lab.agent_eye.display, lab.env) as agent,
        _idle_mpv(lab) as mpv,
    ):
        for number in range(lab.scale.pixel_rounds):
            lab.say(f"sound, round {number + 1} of {lab.scale.pixel_rounds}")
            agent.wait_spare()
            ours.append(_first_sample_ms(lab, lambda: agent.start(server.file_url(message))))
            agent.stop()
            line = json.dumps({"command": ["loadfile", server.file_url(message)]}).encode() + b"\n"
            theirs.append(_first_sample_ms(lab, partial(mpv.sendall, line)))
            agent.wait_spare()
            agent.start(server.file_url(films[0]))
            time.sleep(HEARD_WITHIN_S)
            agent.wait_spare()
            heard, began = _heard(lab, lambda: agent.start(server.file_url(films[1])))
            handovers.append(_handover(heard, began))
            agent.stop()
    later = Series.of([us - them for us, them in zip(ours, theirs, strict=True)])
    gaps, overlaps = (Series.of([getattr(one, name) for one in handovers]) for name in ("gap", "overlap"))
    return Point(
        name="sound",
        title="The first sample of a message; and one film that takes over from another, ms",
        table=Table(
            ("", "ms: median [quartiles] range"),
            (
                ("message: agent later than mpv, idle", later.text(0)),
                ("films: silence between both", gaps.text(0)),
                ("films: both at once", overlaps.text(0)),
            ),
        ),
        bars=(
            Bar(f"films: no gap over {GAP_MS:.0f} ms", gaps.high <= GAP_MS, f"longest {gaps.high:.0f} ms"),
            Bar("films: never both at once", overlaps.high == 0, f"longest {overlaps.high:.0f} ms"),
        ),
        notes=(
            f"{lab.scale.pixel_rounds} rounds. An MP3 of {MESSAGE_S:g} s over HTTP, through PulseAudio into a null",
            "sink, heard at its monitor in pieces of 20 ms. PulseAudio puts what begins into what it has made in",
            "advance, so the time since the call is not known, only which is later: no ratio can be had of that.",
            f"Films of {BEFORE_HZ} and {AFTER_HZ} Hz.",
        ),
        raw={"message_ms": {"agent": ours, "mpv": theirs}, "gap_ms": gaps.values, "overlap_ms": overlaps.values},
    )


@contextmanager
def _idle_mpv(lab: Lab) -> Iterator[socket.socket]:
    """An mpv that waits, and the line to it."""
    with tempfile.TemporaryDirectory(prefix="bench-mpv-") as folder, socket.socket(socket.AF_UNIX) as line:
        address = f"{folder}/socket"
        command = [MPV[0], "--no-config", "--idle", "--no-video", "--ao=pulse", f"--input-ipc-server={address}"]
        process = subprocess.Popen(  # noqa: S603 - mpv, with words of ours
            [*command, "--no-terminal"], env={**lab.env, "PATH": "/usr/bin:/bin"}, stdin=subprocess.DEVNULL
        )
        try:
            wait_until(Path(address).exists, timeout_s=READY_S, what="the socket of mpv")
            time.sleep(STARTED_S)
            line.connect(address)
            yield line
        finally:
            end(process)


def _heard(lab: Lab, command: Callable[[], object]) -> tuple[Heard, float]:
    """What is heard after a command, and when that was given. Each has a listener of its own: the clock of the sound
    server is not ours, and both are 50 ms apart after some minutes."""
    with Listener(dict(lab.env)) as listener:
        time.sleep(SETTLES_S)
        began = time.monotonic()
        command()
        time.sleep(HEARD_WITHIN_S)
        return listener.heard(), began


def _first_sample_ms(lab: Lab, command: Callable[[], object]) -> float:
    heard, began = _heard(lab, command)
    levels = _levels(heard, began)
    at = next((at for at, level in levels if level >= SILENCE), None)
    if at is None:
        raise ValueError(f"Nothing was heard within {HEARD_WITHIN_S:g} s")
    return (at - began) * 1000


def _handover(heard: Heard, began: float) -> Handover:
    """The longest silence in the time after the command, and the time in which both tones were heard."""
    longest = silent = 0.0
    for _, level in _levels(heard, began):
        silent = silent + BLOCK_S if level < SILENCE else 0.0
        longest = max(longest, silent)
    both = [window for window in heard.windows() if window.at >= began and {BEFORE_HZ, AFTER_HZ} <= window.heard]
    # A window in which one ends and the other begins has both in it.
    return Handover(longest * 1000, max(0, len(both) - 1) * WINDOW_S * 1000)


def _levels(heard: Heard, since: float) -> Iterator[tuple[float, int]]:
    """The time and the highest sample of each block after that moment."""
    step = round(RATE * BLOCK_S)
    first = max(0, round((since - heard.began) * RATE))
    for at in range(first, len(heard.samples) - step, step):
        block = heard.samples[at : at + step]
        yield heard.began + at / RATE, max(max(block), -min(block))
