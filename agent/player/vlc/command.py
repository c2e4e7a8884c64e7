"""The command of a `vlc` player process."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence

from agent.player.confine import Confinement
from agent.types import VideoOutput


def vlc_command(
    *,
    output: VideoOutput,
    audio_output: str,
    audio_device: str | None,
    confinement: Confinement | None = None,
    shows_pictures: bool = True,
    languages: Sequence[str] = (),
    plays_all: Callable[[], bool] = lambda: True,
) -> Callable[[], list[str]]:
    """How to start a `vlc` player process; without a confinement it reaches what the daemon reaches. Unless it
    `shows_pictures`, it says of one what it is, for another engine to show it; and it leaves what libVLC plays badly
    to another engine unless it `plays_all`, which is asked at each start of one."""
    command = [sys.executable, "-m", "agent.player.vlc.worker", "--output", output, "--audio-output", audio_output]
    if audio_device:
        command += ["--audio-device", audio_device]
    if languages:
        command += ["--languages", *languages]
    if not shows_pictures:
        command += ["--no-pictures"]
    if confinement:
        command += confinement.arguments()
    return lambda: command if plays_all() else [*command, "--not-all"]
