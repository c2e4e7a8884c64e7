"""The command line of mpv. Nothing of a caller's text goes in here: an address comes over IPC, where it cannot become
an option."""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from agent.player.confine import Confinement
from agent.player.machine import INSTALLED_FOR_S, authorities
from agent.types import VideoOutput
from agent.util.remembering import remembered

PROGRAM = "mpv"

FD = "%FD"
"""A word in a command that stands for the descriptor of mpv's end of the socket pair."""

UNTIMED = ("mpjpeg",)
"""A camera's pictures, one after the other: FFmpeg takes them for 25 a second, so mpv would stop each second to wait
for more of them, or show them later and later. Each is shown when it comes."""

NETWORK_TIMEOUT_S = 130
"""A bound longer than any start_timeout or stall_timeout: these decide, with a sentence of their own."""

_LAUNCHER = Path(__file__).parents[1] / "launch.py"

_PROTOCOLS = "rtp,srtp,udp,tcp,tls,rtsp,rtsps,http,https,httpproxy,crypto,data,rtmp,rtmps,rtmpt,srt,mmsh,mmst"
"""The protocols that FFmpeg may follow from inside a stream; not `file`, `concat`, `subfile` and `pipe`."""


@remembered(for_s=INSTALLED_FOR_S)
def mpv_is_installed() -> bool:
    """Return True if the program was there a second ago."""
    return shutil.which(PROGRAM) is not None


def mpv_command(
    *,
    output: VideoOutput,
    audio_output: str,
    audio_device: str | None,
    confinement: Confinement | None = None,
    languages: Sequence[str] = (),
) -> Callable[[], list[str]]:
    """The command that starts an idle mpv; FD stands for the descriptor of its end of the socket pair. Without a
    confinement it reaches what the daemon reaches."""
    arguments = mpv_arguments(output=output, audio_output=audio_output, audio_device=audio_device)
    if languages:
        # Files have codes of three letters, playlists of two, and mpv 0.35 compares them as they are.
        arguments.append(f"--alang={','.join(code for language in languages for code in _all_codes(language))}")

    def command() -> list[str]:
        program = os.path.realpath(shutil.which(PROGRAM) or PROGRAM)
        launcher = [sys.executable, "-I", "-S", str(_LAUNCHER), "--parent", str(os.getpid()), "--fd", FD]
        if confinement is not None:
            may_run = Confinement(
                folder=confinement.folder,
                media_folders=confinement.media_folders,
                kept=confinement.kept,
                programs=(program,),
            )
            launcher += may_run.arguments()
        return [*launcher, "--", program, *arguments, f"--input-ipc-client=fd://{FD}"]

    return command


def _all_codes(language: str) -> list[str]:
    """The ISO 639 codes of a language: of two letters, and both of three (`de`, `deu`, `ger`)."""
    import langcodes  # 40 ms, for those who ask for a language

    known = langcodes.Language.get(language)
    with contextlib.suppress(LookupError):
        return list(dict.fromkeys((language, str(known.language), known.to_alpha3(), known.to_alpha3(variant="B"))))
    return [language]


def mpv_arguments(*, output: VideoOutput, audio_output: str, audio_device: str | None) -> list[str]:
    """mpv 0.35 and newer know all of these; an unknown one ends it with a line on stderr."""
    gpu = output is VideoOutput.GL
    arguments = [
        "--no-config",
        "--idle=yes",
        "--no-terminal",
        "--no-input-default-bindings",
        "--input-vo-keyboard=no",
        "--input-cursor=no",
        "--no-osc",
        "--no-osd-bar",
        "--osd-level=0",
        "--load-scripts=no",
        "--ytdl=no",
        "--no-resume-playback",
        "--keep-open=no",
        "--stop-screensaver=no",
        "--image-display-duration=inf",
        "--audio-display=no",  # the cover of a song is no video
        "--audio-file-auto=no",
        "--sub-auto=no",
        "--load-unsafe-playlists=no",
        "--demuxer=lavf",  # mpv's own demuxers know playlists, edit lists and other files that name files
        f"--demuxer-lavf-o-append=protocol_whitelist={_PROTOCOLS}",
        f"--network-timeout={NETWORK_TIMEOUT_S}",
        "--rtsp-transport=tcp",
        "--tls-verify=yes",
        f"--tls-ca-file={authorities()}",
        "--aid=no",  # no audio device before it is given the sound
        # If nothing can decode or draw in hardware, the search for it costs 10-60 ms of the first picture.
        "--hwdec=auto-safe" if gpu else "--hwdec=no",
        "--vo=gpu,x11" if gpu else "--vo=x11",
        f"--ao={_AUDIO_OUTPUTS[audio_output]}",
    ]
    if audio_device and audio_output in ("pulse", "alsa"):
        arguments.append(f"--audio-device={audio_output}/{audio_device}")
    return arguments


def rendition(tracks: Sequence[Mapping[str, Any]], *, at_most: int) -> Mapping[str, Any] | None:
    """The video track with the most lines up to `at_most` in mpv's list, or else the one with the fewest; None without
    video."""
    videos = [track for track in tracks if track.get("type") == "video"]

    def lines(track: Mapping[str, Any]) -> int:
        return int(track.get("demux-h") or 0)

    fitting = [track for track in videos if lines(track) <= at_most]
    if not fitting:
        return min(videos, key=lines, default=None)
    return max(fitting, key=lines)


def own_sound(video: Mapping[str, Any], tracks: Sequence[Mapping[str, Any]]) -> int | str:
    """The id of the sound that comes in the same segments as this video: FFmpeg numbers what is in one playlist in a
    row. `auto` where it comes by itself, or not at all."""
    after = [track for track in tracks if track.get("ff-index", 0) > video.get("ff-index", 0)]
    neighbour = min(after, key=lambda track: int(track["ff-index"]), default={})
    return int(neighbour["id"]) if neighbour.get("type") == "audio" else "auto"


_AUDIO_OUTPUTS = {"auto": "pulse,pipewire,alsa", "pulse": "pulse", "alsa": "alsa", "none": "null"}
