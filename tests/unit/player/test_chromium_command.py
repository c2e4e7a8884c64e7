"""The command line of Chromium."""

from __future__ import annotations

import subprocess
from pathlib import Path

from agent.config.settings import AudioSettings
from agent.player.chromium.command import chromium_command
from agent.player.confine import Confinement


def command(folder: Path, audio: AudioSettings) -> list[str]:
    return chromium_command(audio, confinement=Confinement(folder=str(folder)))()


def test_the_sound_goes_where_it_is_configured(tmp_path: Path) -> None:
    """A loudspeaker of the sound server is told by the environment, because Chromium has no option for it."""
    assert "--mute-audio" in command(tmp_path, AudioSettings(output="none"))
    assert "--mute-audio" not in command(tmp_path, AudioSettings())
    assert "--alsa-output-device=hdmi" in command(tmp_path, AudioSettings(output="alsa", device="hdmi"))
    pulse = command(tmp_path, AudioSettings(output="pulse", device="hdmi stereo"))
    without = command(tmp_path, AudioSettings(output="pulse"))
    prefix = pulse[: len(pulse) - len(without)]
    said = subprocess.run([*prefix, "/usr/bin/printenv", "PULSE_SINK"], capture_output=True, text=True, check=True)
    assert (said.stdout, pulse[len(prefix) :]) == ("hdmi stereo\n", without)


def test_only_pinned_keys_are_accepted(tmp_path: Path) -> None:
    """Without a pin, no certificate is ignored."""
    confinement = Confinement(folder=str(tmp_path))
    pinned = chromium_command(AudioSettings(), confinement=confinement, pins=["sha256/b=", "sha256/a="])()
    assert [part for part in pinned if "certificate" in part] == ["--ignore-certificate-errors-spki-list=a=,b="]
    assert not [part for part in command(tmp_path, AudioSettings()) if "certificate" in part]
