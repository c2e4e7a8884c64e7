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
    """The command that starts a `vlc` player process; without a confinement the process reaches everything that the
    daemon reaches. Unless it `shows_pictures`, it reports a picture as one, for another engine to show. Unless it
    `plays_all`, which is asked at each start of a process, it leaves media that libVLC plays badly to another
    engine."""
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
