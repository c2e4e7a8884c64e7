"""The sound: from the call to the first sample of a message, and what is heard when one film follows another."""

from __future__ import annotations

import json
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.agent import Agent
from bench.lab import Lab
from bench.numbers import Series
from bench.players import MPV
from bench.report import Bar, Point, Table
from tests.support.clips import Clips
from tests.support.media_server import MediaServer
from tests.support.pitch import RATE
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
        Listener(dict(lab.env)) as listener,
        _idle_mpv(lab) as mpv,
    ):
        for number in range(lab.scale.pixel_rounds):
            lab.say(f"sound, round {number + 1} of {lab.scale.pixel_rounds}")
            agent.wait_spare()
            began = time.monotonic()
            agent.call("POST", "/start", {"url": server.file_url(message)})
            ours.append(_first_sample_ms(listener, began))
            agent.stop()
            began = time.monotonic()
            mpv.sendall(json.dumps({"command": ["loadfile", server.file_url(message)]}).encode() + b"\n")
            theirs.append(_first_sample_ms(listener, began))
            agent.wait_spare()
            agent.start(server.file_url(films[0]))
            time.sleep(HEARD_WITHIN_S)
            agent.wait_spare()
            began = time.monotonic()
            agent.call("POST", "/start", {"url": server.file_url(films[1])})
            time.sleep(HEARD_WITHIN_S)
            handovers.append(_handover(listener.heard(), began))
            agent.stop()
    us, them = Series.of(ours), Series.of(theirs)
    gaps, overlaps = (Series.of([getattr(one, name) for one in handovers]) for name in ("gap", "overlap"))
    return Point(
        name="sound",
        title="A message, from the call to its first sample; and one film that takes over from another, ms",
        table=Table(
            ("", "ms: median [quartiles] range", "agent / player"),
            (
                ("message: agent", us.text(0), ""),
                ("message: mpv, idle", them.text(0), us.over(them).text(2)),
                ("films: silence between both", gaps.text(0), ""),
                ("films: both at once", overlaps.text(0), ""),
            ),
        ),
        bars=(
            Bar(f"films: no gap over {GAP_MS:.0f} ms", gaps.high <= GAP_MS, f"longest {gaps.high:.0f} ms"),
            Bar("films: never both at once", overlaps.high == 0, f"longest {overlaps.high:.0f} ms"),
        ),
        notes=(
            f"{lab.scale.pixel_rounds} rounds. An MP3 of {MESSAGE_S:g} s over HTTP, through PulseAudio into a null",
            f"sink, heard at its monitor, some 30 ms late for both. Films of {BEFORE_HZ} and {AFTER_HZ} Hz.",
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
            time.sleep(0.5)
            line.connect(address)
            yield line
        finally:
            end(process)


def _first_sample_ms(listener: Listener, began: float) -> float:
    time.sleep(HEARD_WITHIN_S)
    levels = _levels(listener.heard(), began)
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
    return Handover(longest * 1000, max(0, len(both) - 1) * 50.0)


def _levels(heard: Heard, since: float) -> Iterator[tuple[float, int]]:
    """The time and the highest sample of each block after that moment."""
    step = round(RATE * BLOCK_S)
    first = max(0, round((since - heard.began) * RATE))
    for at in range(first, len(heard.samples) - step, step):
        block = heard.samples[at : at + step]
        yield heard.began + at / RATE, max(max(block), -min(block))
