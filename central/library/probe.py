"""The examination of a file by ffprobe: a confined child for each look, whose output is bounded before it is
believed."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final

from pydantic import BaseModel, Field, ValidationError

from central.core.threads import in_thread
from central.library.confined import Limits, missing, run_confined

PROBE_S: Final = 30.0
"""For one look. A film of hours takes 0.1 s on an idle disk."""
OUTPUT_LIMIT: Final = 1024 * 1024
"""Bytes of what the child says: 64 streams take 30 KB."""
MEMORY: Final = 1024 * 1024 * 1024
CPU_S: Final = 20
"""A film of hours takes less than one."""
STREAMS_LIMIT: Final = 64
LONGEST_S: Final = 48 * 3600.0
SIDE_LIMIT: Final = 16_384
PIXELS_LIMIT: Final = 100_000_000
"""Of a frame: 400 MB once it is decoded, which is what a small box has."""
END_S: Final = 10.0
"""Before its end it is read: some packets have to be there."""
MISSING_S: Final = 5.0
"""By how much packets may end before the length that a file tells: subtitles and cover pictures are rounded up."""
PACKETS_LIMIT: Final = 5_000
"""Of the end, and what ffprobe says of so many is within OUTPUT_LIMIT. A file in which the end cannot be looked up is
read from its beginning, and left at that."""

FORMATS: Final[Mapping[str, str]] = {
    "audio/aac": "aac",
    "audio/flac": "flac",
    "audio/mp4": "mov",
    "audio/mpeg": "mp3",
    "audio/ogg": "ogg",
    "audio/wav": "wav",
    "image/jpeg": "jpeg_pipe",
    "image/png": "png_pipe",
    "image/webp": "webp_pipe",
    "video/mp2t": "mpegts",
    "video/mp4": "mov",
    "video/mpeg": "mpeg",
    "video/quicktime": "mov",
    "video/webm": "matroska",
    "video/x-flv": "flv",
    "video/x-matroska": "matroska",
    "video/x-ms-wmv": "asf",
    "video/x-msvideo": "avi",
}
"""The names of each type in ffprobe. It opens no other formats: some of them name files to be read."""

_PLAYLISTS: Final = (b"#EXTM3U", b"ffconcat", b"[playlist]", b"<?xml", b"<MPD", b"<smil", b"<asx")
READING: Final = (
    *("-v", "error", "-max_streams", str(STREAMS_LIMIT)),
    *("-protocol_whitelist", "file", "-format_whitelist", ",".join(sorted(set(FORMATS.values())))),
)
"""Options of ffprobe and ffmpeg before the name of a file."""
_FACTS: Final = (
    "-show_entries",
    "format=format_name,duration:stream=codec_type,codec_name,width,height:stream_disposition=attached_pic",
)


class Flaw(Exception):  # noqa: N818 - of a file: nothing has failed here
    """The reason why boxes cannot play a file, or nothing can be made of it, and what to do about it: a sentence for
    the person who uploaded it."""


class _Stream(BaseModel):
    codec_type: str = ""
    codec_name: Annotated[str, Field(max_length=32)] = ""
    width: int = 0
    height: int = 0
    disposition: dict[str, int] = Field(default_factory=dict)


class _Format(BaseModel):
    format_name: str
    duration: float | None = None


class _Facts(BaseModel):
    format: _Format
    streams: list[_Stream]


class _Packet(BaseModel):
    pts_time: float | None = None
    dts_time: float | None = None
    """All that an AVI has."""


class _Packets(BaseModel):
    packets: list[_Packet] = Field(default_factory=list)


class Probe:
    """Looks at one file at a time for each that asks."""

    def problem(self) -> str | None:
        """The reason why nothing can be looked at on this machine, if there is one."""
        return missing("ffprobe")

    async def look(self, file: Path, media_type: str) -> dict[str, Any]:
        """Duration, size and codecs of a file that is said to be of that type, by the columns of `Video`.

        Raises Flaw, or LibraryUnavailableError without an ffprobe that runs.
        """
        head = await in_thread(_head, file)
        if head.lstrip().startswith(_PLAYLISTS):
            raise Flaw("It is a playlist, which names films elsewhere. Upload the films themselves.")
        facts = _as(_Facts, await self._run(file, *_FACTS))
        found = _checked(facts, media_type)
        if found["duration"] is not None:
            await self._look_at_end(file, found["duration"])
        return found

    async def _look_at_end(self, file: Path, duration: float) -> None:
        """Raises Flaw when what a file says of its length is not there."""
        interval = f"{max(0.0, duration - END_S):.3f}%+#{PACKETS_LIMIT}"
        answer = await self._run(file, "-read_intervals", interval, "-show_entries", "packet=pts_time,dts_time")
        packets = _as(_Packets, answer).packets
        times = (time for packet in packets for time in (packet.pts_time, packet.dts_time) if time is not None)
        last = max(times, default=0.0)
        if len(packets) < PACKETS_LIMIT and last < duration - MISSING_S:
            raise Flaw(f"It is cut off: it says that it is {duration:.0f} s long, and ends after {last:.0f} s.")

    async def _run(self, file: Path, *arguments: str) -> bytes:
        """The output of ffprobe. Raises Flaw for a file that it cannot read, LibraryUnavailableError when it does not
        run: that is no flaw of the file."""
        command = [*READING, "-of", "json", "-threads", "1", *arguments, f"file:{file}"]
        limits = Limits(reads=file, memory=MEMORY, cpu_s=CPU_S)
        try:
            async with asyncio.timeout(PROBE_S):
                ended = await run_confined("ffprobe", command, limits, listen=_bounded)
        except TimeoutError as error:
            raise Flaw(f"It cannot be read within {PROBE_S:g} s, so boxes could not play it either.") from error
        if ended.code < 0:
            raise Flaw(
                f"Its check was ended by the system: it took all memory of the server, or over {CPU_S} s of its "
                "processor. Upload it again; if that happens again, convert it."
            )
        if ended.code != 0:
            raise Flaw(_reason(ended.errors))
        return ended.said


def _head(file: Path) -> bytes:
    with file.open("rb") as opened:
        return opened.read(64)


async def _bounded(stream: asyncio.StreamReader) -> bytes:
    """All that is said. Raises Flaw when it is more than OUTPUT_LIMIT bytes."""
    said = bytearray()
    while piece := await stream.read(65_536):
        said += piece
        if len(said) > OUTPUT_LIMIT:
            raise Flaw("It holds more streams or packets than can be looked at.")
    return bytes(said)


def _as(model: type[Any], said: bytes) -> Any:
    try:
        return model.model_validate(json.loads(said))
    except (ValidationError, ValueError, RecursionError) as error:
        raise Flaw("It is damaged: what it says of itself makes no sense.") from error


def _reason(errors: str) -> str:
    """Of a file that ffprobe does not read."""
    if "moov atom not found" in errors:
        return "It is cut off: the index, which some programs write at the end, is missing. Upload the whole file."
    if refused := re.search(r"\[([\w,]+) @ \w+\] Format not on whitelist", errors):
        return f"It is of the format {refused[1].split(',')[0]}, which boxes do not play."
    if "Cannot allocate memory" in errors:
        return "It takes more memory than a box has."
    return "It is no film, sound or picture that can be read, or it is damaged."


def _checked(facts: _Facts, media_type: str) -> dict[str, Any]:
    """Raises Flaw when it is not what it is said to be, or nothing that a box could play."""
    names = facts.format.format_name.split(",")
    if FORMATS[media_type] not in names:
        raise Flaw(f"It was reserved as {media_type}, and is of the format {names[0]}. Reserve it as what it is.")
    sounds = [stream for stream in facts.streams if stream.codec_type == "audio"]
    pictures = [
        stream
        for stream in facts.streams
        if stream.codec_type == "video" and not stream.disposition.get("attached_pic")
    ]
    kind = media_type.partition("/")[0]
    if kind == "audio" and (pictures or not sounds):
        raise Flaw(f"It was reserved as {media_type}, and {'is a film' if pictures else 'has no sound'}.")
    if kind != "audio" and not pictures:
        raise Flaw(f"It was reserved as {media_type}, and has no picture.")
    for each in pictures:
        if not (each.width > 0 and each.height > 0):
            raise Flaw("It does not say how large its picture is, or that is more than can be decoded.")
        if max(each.width, each.height) > SIDE_LIMIT or each.width * each.height > PIXELS_LIMIT:
            raise Flaw(
                f"It has {each.width} x {each.height} pixels, and {PIXELS_LIMIT} are the most, {SIDE_LIMIT} on a side."
            )
    duration = None if kind == "image" else facts.format.duration
    if duration is not None and not 0 <= duration <= LONGEST_S:
        raise Flaw(f"It says that it is {duration / 3600:.0f} hours long, and {LONGEST_S / 3600:.0f} are the most.")
    first = pictures[0] if pictures else None
    return {
        "duration": duration,
        "width": first.width if first else None,
        "height": first.height if first else None,
        "video_codec": first.codec_name if first else None,
        "audio_codec": sounds[0].codec_name if sounds else None,
    }
