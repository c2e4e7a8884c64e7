"""The formats that a box can decode: the containers and codecs that its engines play without a rendition."""

from __future__ import annotations

from typing import Final

from cast_wire.engines import CODECS
from central.core.types import Decodes

CONVERTED: Final = frozenset({"video/mpeg", "video/x-flv", "video/x-ms-wmv", "video/x-msvideo"})
"""Types of containers: their films cannot be looked up by time, or hold codecs that only some engines have."""
SAMPLES: Final = "pcm_"
"""The beginning of the names of sound that is not compressed."""


def is_playable(media_type: str, video_codec: str | None, audio_codec: str | None, decodes: Decodes) -> bool:
    """Return True if a box that decodes these codecs plays it as it is. Codecs are named as ffmpeg names them; None: it
    has no such stream."""
    if not media_type.startswith("video/"):
        return True
    known = CODECS if decodes is None else decodes
    sounds = audio_codec is None or audio_codec in known or audio_codec.startswith(SAMPLES)
    return media_type not in CONVERTED and video_codec in known and sounds
