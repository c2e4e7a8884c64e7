"""The command line of mpv."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from agent.player.confine import Confinement
from agent.player.machine import output_for
from agent.player.mpv.options import FD, mpv_arguments, mpv_command, own_sound, rendition
from agent.types import VideoOutput


@pytest.mark.parametrize("output", ["auto", "pulse", "alsa", "none"])
def test_mpv_knows_every_option(output: str) -> None:
    """The installed mpv takes all of them, for each sound output."""
    arguments = mpv_arguments(output=VideoOutput.GL, audio_output=output, audio_device="hdmi, left")
    mpv = subprocess.run(["mpv", *arguments, "--version"], capture_output=True, text=True, timeout=10)
    assert (mpv.returncode, mpv.stderr) == (0, "")
    assert ("--audio-device=pulse/hdmi, left" in arguments) == (output == "pulse")


def test_hardware_is_looked_for_only_where_it_is(tmp_path: Path) -> None:
    """Without a device that could decode or draw, the time to look for it is saved."""
    arguments = mpv_arguments(output=output_for(VideoOutput.AUTO, tmp_path), audio_output="none", audio_device=None)
    assert {"--vo=x11", "--hwdec=no"} <= set(arguments)
    (tmp_path / "dri").mkdir()
    (tmp_path / "dri" / "renderD128").touch()
    arguments = mpv_arguments(output=output_for(VideoOutput.AUTO, tmp_path), audio_output="none", audio_device=None)
    assert {"--vo=gpu,x11", "--hwdec=auto-safe"} <= set(arguments)


@pytest.mark.parametrize("wanted", [VideoOutput.GL, VideoOutput.X11])
def test_an_output_that_is_asked_for_is_taken(wanted: VideoOutput, tmp_path: Path) -> None:
    """The output is taken, whatever the machine has."""
    assert output_for(wanted, tmp_path) == wanted


@pytest.mark.parametrize(("at_most", "chosen"), [(1080, 3), (720, 2), (719, 1), (100, 1)])
def test_the_best_rendition_up_to_a_height(at_most: int, chosen: int) -> None:
    """The highest that fits, with the sound beside it, and the lowest where none fits."""
    tracks = []
    for number, height in enumerate((360, 720, 1080), 1):
        tracks.append({"type": "video", "id": number, "demux-h": height, "ff-index": 2 * number})
        tracks.append({"type": "audio", "id": number, "ff-index": 2 * number + 1})
    video = rendition(tracks, at_most=at_most)
    assert video is not None
    assert (video["id"], own_sound(video, tracks)) == (chosen, chosen)


def test_sound_that_comes_by_itself() -> None:
    """If another video or nothing follows the video, mpv chooses the sound."""
    videos = [{"type": "video", "id": number, "demux-h": 360 * number, "ff-index": number} for number in (1, 2)]
    assert own_sound(videos[0], [*videos, {"type": "audio", "id": 1, "ff-index": 3}]) == "auto"
    assert own_sound(videos[1], videos) == "auto"


def test_what_has_no_height_or_no_picture() -> None:
    """A video whose height is not known is taken as it is; without any there is nothing to choose."""
    assert rendition([{"type": "video", "id": 1}], at_most=720) == {"type": "video", "id": 1}
    assert rendition([{"type": "audio", "id": 1}], at_most=720) is None


def test_the_command_has_no_address_and_may_run_mpv_only() -> None:
    """Addresses come over the socket; the confinement names mpv as the one program."""
    plan = Confinement(folder="/var/lib/cast-agent/players", media_folders=("/srv/media",))
    command = mpv_command(output=VideoOutput.X11, audio_output="none", audio_device=None, confinement=plan)()
    assert not any("://" in part for part in command if part != f"--input-ipc-client=fd://{FD}")
    assert [part for part in command if part.startswith("run=")] == [f"run={command[command.index('--') + 1]}"]
    assert "media=/srv/media" in command
