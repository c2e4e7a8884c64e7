"""The arguments of libVLC's instance and the options of each media. Nothing of a caller's text goes in here, because
libVLC trusts these options."""

from __future__ import annotations

from collections.abc import Sequence

from agent.player.machine import authorities
from agent.types import Quality

LIVE_CACHING_MS = 100
"""The caching for `low-latency`: 207 ms behind live against 1,078 ms with libVLC's own 1,000 ms; 0 breaks playback."""

SHORT_CACHING_MS = 100
"""Shorter than any word, and not 0."""

HELD = ":play-and-pause"
"""libVLC pauses behind the last picture, and goes on drawing it, where it would end."""

IN_ORDER = ":demux=avformat,any"
"""FFmpeg reads a Matroska file without a jump, libVLC's own module looks at its end first."""


def instance_arguments(*, audio_output: str) -> list[str]:
    """Arguments for libVLC's instance. An unknown one makes libVLC refuse to start without a word."""
    arguments = [
        "--quiet",
        "--no-video-title-show",
        "--no-osd",
        "--no-avcodec-corrupted",  # grey, where the key frame before was lost
        "--no-disable-screensaver",  # otherwise one dbus-launch for each video output
        "--keystore=memory",  # otherwise a 401 asks a wallet over D-Bus, and waits for ever without a session bus
        "--no-lua",  # no scripts that take apart web sites
        "--no-metadata-network-access",
        "--no-sub-autodetect-file",
        "--no-mouse-events",
        "--no-keyboard-events",
        "--image-duration=-1",  # a still image stays
    ]
    if audio_output == "none":
        arguments.append("--aout=adummy")  # not --no-audio: a film of one picture is as long as its music
    elif audio_output != "auto":
        arguments.append(f"--aout={audio_output}")
    return arguments


def start_options(position: float) -> list[str]:
    """The options for a start at this position, in seconds."""
    return [f":start-time={position:.3f}"] if position > 0 else []


def media_options(
    quality: Quality, *, position: float = 0.0, sound: bool = False, languages: Sequence[str] = ()
) -> list[str]:
    """Options of one media. It starts without sound: the audio device is opened when the stream is shown. `languages`
    are those of the sound track to take, the best one first; else, the media's usual one is taken."""
    options = [*([] if sound else [":no-audio"]), *start_options(position)]
    # For rtmps, which libVLC leaves to FFmpeg, and that checks no certificate unless it is told to.
    options.append(f":avio-options={{tls_verify=1,ca_file={authorities()}}}")
    if languages:
        options.append(f":audio-language={','.join(languages)}")
    match quality:
        case Quality.FULL_HD:
            options += _at_most(1080)
        case Quality.HD:
            options += _at_most(720)
        case Quality.LOW_LATENCY:
            options += [f":network-caching={LIVE_CACHING_MS}", f":live-caching={LIVE_CACHING_MS}"]
        case Quality.AUTO:
            pass
    return options


def short_sound_options() -> list[str]:
    """Options of a sound that was read once already and is played at once, or comes slower than it is heard.

    A sound that is over before its buffer is full loses a part or all of it in one of six cases (a plain libVLC on
    PulseAudio too), so the buffer must be shorter than the sound. Each late piece empties the buffer.
    """
    return [f":network-caching={SHORT_CACHING_MS}", f":file-caching={SHORT_CACHING_MS}"]


def _at_most(height: int) -> list[str]:
    # `highest` reaches the cap with the first segment; libVLC's own logic begins with the lowest rendition.
    return [f":adaptive-maxheight={height}", ":adaptive-logic=highest", f":preferred-resolution={height}"]
