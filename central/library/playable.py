"""The formats that boxes can decode: the containers and codecs that their engines play without a rendition."""

from __future__ import annotations

from typing import Final

CONVERTED: Final = frozenset({"video/mpeg", "video/x-flv", "video/x-ms-wmv", "video/x-msvideo"})
"""Types of containers: their films cannot be looked up by time, or hold codecs that only some engines have."""

PICTURES: Final = frozenset(
    {"av1", "h264", "hevc", "mjpeg", "mpeg1video", "mpeg2video", "mpeg4", "theora", "vp8", "vp9"}
)
SOUNDS: Final = frozenset({"aac", "ac3", "alac", "dts", "eac3", "flac", "mp2", "mp3", "opus", "vorbis"})
SAMPLES: Final = "pcm_"
"""The beginning of the names of sound that is not compressed."""


def is_playable(media_type: str, video_codec: str | None, audio_codec: str | None) -> bool:
    """Return True if boxes play it as it is. Codecs are named as ffmpeg names them; None: it has no such stream."""
    if not media_type.startswith("video/"):
        return True
    sounds = audio_codec is None or audio_codec in SOUNDS or audio_codec.startswith(SAMPLES)
    return media_type not in CONVERTED and video_codec in PICTURES and sounds
