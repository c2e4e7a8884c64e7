"""What every measurement works with: the media, two screens, a sound server, and how much is to be measured."""

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


@dataclass(frozen=True, slots=True)
class Scale:
    """How often and how long. The bars are about the full scale."""

    pixel_rounds: int
    """First pixels of each player and kind of media."""
    switch_rounds: int
    """Of four switches each, by the agent."""
    bare_switch_rounds: int
    """The same by bare libVLC, which may hang for HANG_S in each."""
    starts: int
    """Timed starts in each situation."""
    usage_s: float
    """Over which processor time is counted."""
    outages: int
    """Of each live source."""
    freezes: int
    """Of each engine."""
    interruptions: int
    """Each is two switches: to what interrupts, and back."""
    cycles: int
    """Starts and stops in which nothing may grow."""
    discoveries: int
    """Agents that are found on a LAN, move and leave."""


FULL = Scale(
    pixel_rounds=11,
    switch_rounds=10,
    bare_switch_rounds=4,
    starts=100,
    usage_s=20.0,
    outages=10,
    freezes=6,
    interruptions=12,
    cycles=300,
    discoveries=15,
)
QUICK = Scale(
    pixel_rounds=2,
    switch_rounds=2,
    bare_switch_rounds=1,
    starts=12,
    usage_s=5.0,
    outages=1,
    freezes=1,
    interruptions=3,
    cycles=30,
    discoveries=3,
)


@dataclass(frozen=True, slots=True)
class Lab:
    media: Media
    agent_eye: Eye
    """The agent's screen; it may keep it black, so others have another."""
    other_eye: Eye
    env: Mapping[str, str]
    """What a player's environment must hold beside the display."""
    scale: Scale

    def say(self, what: str) -> None:
        """Tell whoever waits how far it is."""
        print(f"{time.strftime('%H:%M:%S')}  {what}", file=sys.stderr, flush=True)


@contextlib.contextmanager
def open_lab(scale: Scale) -> Iterator[Lab]:
    """Start what is needed; all of it ends with the block. Raises RuntimeError, MissingToolError."""
    with contextlib.ExitStack() as running:
        print("Starting the media server (the first run encodes its clips)", file=sys.stderr, flush=True)
        media = running.enter_context(MediaProcess())
        agent_eye, other_eye = running.enter_context(Eye()), running.enter_context(Eye())
        sound = running.enter_context(PulseServer())
        # vlc, which runs as another user, must reach the socket in there.
        os.chmod(sound.env["PULSE_RUNTIME_PATH"], 0o711)  # noqa: S103
        yield Lab(media=media, agent_eye=agent_eye, other_eye=other_eye, env=sound.env, scale=scale)
