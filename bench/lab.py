"""The common ground of all measurements: the media, two screens, a sound server, and the scale."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from bench.media import Media, MediaProcess
from bench.screens import Eye
from tests.support.sound import PulseServer

SEEN_S = 15.0
"""A player that shows nothing for so long has failed. The slowest here takes 1.5 s."""


@dataclass(frozen=True, slots=True)
class Scale:
    """The number and the length of measurements. The default is the full scale, which the bars are about."""

    pixel_rounds: int = 11
    """First pixels of each player and kind of media."""
    switch_rounds: int = 10
    """Rounds of four switches each, by the agent."""
    bare_switch_rounds: int = 4
    """The same by bare libVLC, which may hang for HANG_S in each."""
    starts: int = 100
    """Timed starts in each situation."""
    hanging_starts: int = 200
    """The same while each of two streams hangs, since their 99th percentile is promised."""
    usage_s: float = 20.0
    """Over which processor time is counted, in ticks of 0.01 s: one of them is 0.05 % of it."""
    outages: int = 10
    """Outages of each live source."""
    freezes: int = 6
    """Freezes of each engine."""
    interruptions: int = 36
    """Each is two switches: to what interrupts, and back."""
    cycles: int = 300
    """Starts and stops in which nothing may grow."""
    discoveries: int = 15
    """Agents that are found on a LAN, move and leave."""


FULL = Scale()
QUICK = Scale(
    pixel_rounds=2,
    switch_rounds=2,
    bare_switch_rounds=1,
    starts=12,
    hanging_starts=12,
    usage_s=5.0,
    outages=1,
    freezes=1,
    interruptions=6,
    cycles=30,
    discoveries=3,
)


@dataclass(frozen=True, slots=True)
class Lab:
    media: Media
    server: MediaProcess
    """The server of the media; it tells who has asked it."""
    agent_eye: Eye
    """The agent's screen; it may keep it black, so others have another."""
    other_eye: Eye
    env: Mapping[str, str]
    """The variables that a player's environment must hold beside the display."""
    scale: Scale

    def say(self, what: str) -> None:
        """Tell whoever waits how far it is."""
        print(f"{time.strftime('%H:%M:%S')}  {what}", file=sys.stderr, flush=True)


@contextlib.contextmanager
def open_lab(scale: Scale) -> Iterator[Lab]:
    """Start what is needed; all of it ends with the block. Raises RuntimeError, MissingToolError."""
    with contextlib.ExitStack() as running:
        print("Starting the media server (the first run encodes its clips)", file=sys.stderr, flush=True)
        server = MediaProcess()
        media = running.enter_context(server)
        agent_eye, other_eye = running.enter_context(Eye()), running.enter_context(Eye())
        sound = running.enter_context(PulseServer())
        # vlc, which runs as another user, must reach the socket in there.
        os.chmod(sound.env["PULSE_RUNTIME_PATH"], 0o711)  # noqa: S103
        yield Lab(media=media, server=server, agent_eye=agent_eye, other_eye=other_eye, env=sound.env, scale=scale)
