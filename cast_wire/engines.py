"""What a box tells of its engines: which there are, and which codecs they decode, named as ffmpeg names them."""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field

PICTURES: Final = frozenset(
    {"av1", "h264", "hevc", "mjpeg", "mpeg1video", "mpeg2video", "mpeg4", "theora", "vp8", "vp9"}
)
SOUNDS: Final = frozenset({"aac", "ac3", "alac", "dts", "eac3", "flac", "mp2", "mp3", "opus", "vorbis"})
CODECS: Final = PICTURES | SOUNDS
"""The codecs of films of today, about which boxes tell; a box that does not counts as one that decodes them all."""

VERSION_LIMIT: Final = 64
"""Characters."""


Codec = Annotated[str, Field(pattern=r"^[a-z0-9_]{1,32}$")]


class Engine(BaseModel):
    """A kind of player that a box has."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    name: Annotated[str, Field(min_length=1, max_length=64)]
    version: Annotated[str, Field(min_length=1, max_length=VERSION_LIMIT)] | None = None
    """Null: it has not run yet."""
    codecs: Annotated[tuple[Codec, ...], Field(max_length=64)] | None = None
    """Those of CODECS that it decodes; null: the box could not find that out."""
