"""Posters, thumbnails and renditions by ffmpeg: a confined child for each, whose progress is read as it comes."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from central.core.errors import StorageFullError
from central.core.threads import in_thread
from central.library.confined import Limits, run_confined
from central.library.disk import Disk
from central.library.probe import READING, Flaw, Probe
from central.library.thumbnails import COLUMNS, COUNT, ROWS, every_s
from central.library.types import JobKind
from central.library.working import Assignment, Made

MEMORY: Final = 4 * 1024 * 1024 * 1024
"""Bytes of addresses: decoding 4K takes 1.5 GB of them beside those of the encoder."""
THREADS: Final = 2
MADE: Final = "made"
"""The name of a file, which says nothing of its type: what ffprobe finds in it counts."""
SILENT_S: Final = 120.0
"""Seconds without a word from ffmpeg, which reports twice a second how far it is."""

POSTER_WIDTH: Final = 640
POSTER_CPU_S: Final = 120
POSTER_SIZE: Final = 4_000_000
"""The most bytes of a poster; a usual one has 50,000."""
POSTER_LOOK_S: Final = 60
"""Seconds of the film that are searched for a picture that is not black."""
BLACK: Final = 32
"""The mean luminance up to which a picture counts as black; black itself has 16."""

THUMBNAIL_WIDTH: Final = 160
THUMBNAILS_CPU_S: Final = 3600
"""Usually a second for a minute of film. A day of film whose pictures are all key frames takes an hour."""
THUMBNAILS_SIZE: Final = 8_000_000
"""The most bytes of the thumbnails of a film; usual ones have 400,000."""
KEYS_S: Final = 3.0
"""Seconds between two thumbnails from which on they are key frames: films have one every 2 to 10 s, and to decode all
that is between those takes as long as a rendition."""

CPU_S_EACH: Final = 60
"""Seconds of processor time for a second of film; 4K takes a tenth of that."""
CPU_S_MORE: Final = 600
"""Seconds of processor time beside those, for a short film of large pictures."""
JPEG: Final = ("-frames:v", "1", "-c:v", "mjpeg", "-pix_fmt", "yuvj420p", "-q:v", "4", "-f", "mjpeg")
SOUND_BPS: Final = 160_000
_TOO_LARGE: Final = "File too large"


@dataclass(frozen=True, slots=True)
class Quality:
    """The bounds of a rendition."""

    width: int
    height: int
    bps: int
    """Bits of pictures a second at most, by the mean of two seconds."""

    def size(self, seconds: float) -> int:
        """Bytes that no film of that length exceeds."""
        return int((self.bps + SOUND_BPS) / 8 * seconds * 1.2) + 16_000_000


QUALITIES: Final = {
    JobKind.FULL_HD: Quality(1920, 1080, 8_000_000),
    JobKind.HD: Quality(1280, 720, 4_000_000),
    JobKind.SD: Quality(854, 480, 1_500_000),
}


class Ffmpeg:
    """A maker whose results are looked at by ffprobe, like uploads are, before they count."""

    def __init__(self, disk: Disk, probe: Probe) -> None:
        self._disk = disk
        self._probe = probe

    async def make(self, task: Assignment) -> Made:
        """Make what the kind of the job says; see `Maker`."""
        match JobKind(task.job.kind):
            case JobKind.POSTER:
                return await self._poster(task)
            case JobKind.THUMBNAILS:
                return await self._thumbnails(task)
            case kind:
                return await self._film(task, QUALITIES[kind])

    async def _poster(self, task: Assignment) -> Made:
        """The first picture after a tenth of the film that is not black; of a black film, a black one."""
        file = task.folder / MADE
        limits = Limits(reads=task.source, writes=task.folder, memory=MEMORY, cpu_s=POSTER_CPU_S, file_size=POSTER_SIZE)
        scaled = _scaled(POSTER_WIDTH)
        bright = f"signalstats,metadata=mode=select:key=lavfi.signalstats.YAVG:value={BLACK}:function=greater"
        await in_thread(self._disk.require_room, POSTER_SIZE)
        for begin_s, filters in (((task.video.duration or 0.0) / 10, f"{scaled},{bright}"), (0.0, scaled)):
            before = ("-ss", f"{begin_s:.3f}", "-t", str(POSTER_LOOK_S))
            await self._run(task, limits, before, ("-map", "0:V:0", "-vf", filters, *JPEG), file)
            if await in_thread(file.exists):
                break
        else:
            raise Flaw("No picture of it can be decoded.")
        return await self._looked_at(file, "image/jpeg")

    async def _thumbnails(self, task: Assignment) -> Made:
        """Each is the picture in the middle of its time, or the key frame before it."""
        each_s = every_s(_length(task))
        file = task.folder / MADE
        await in_thread(self._disk.require_room, THUMBNAILS_SIZE)
        limits = Limits(
            reads=task.source, writes=task.folder, memory=MEMORY, cpu_s=THUMBNAILS_CPU_S, file_size=THUMBNAILS_SIZE
        )
        keys = ("-skip_frame", "nokey") if each_s >= KEYS_S else ()
        # The last picture stands for all behind it: a film may be longer than its pictures.
        spread = f"fps=1/{each_s:.6f}:start_time=0,tpad=stop=-1:stop_mode=clone"
        filters = f"{spread},{_scaled(THUMBNAIL_WIDTH)},tile={COLUMNS}x{ROWS}:nb_frames={COUNT}"
        await self._run(task, limits, keys, ("-map", "0:V:0", "-vf", filters, *JPEG), file)
        if not await in_thread(file.exists):
            raise Flaw("No picture of it can be decoded.")
        return await self._looked_at(file, "image/jpeg")

    async def _film(self, task: Assignment, quality: Quality) -> Made:
        duration = _length(task)
        size = quality.size(duration)
        await in_thread(self._disk.require_room, size)
        limits = Limits(
            reads=task.source,
            writes=task.folder,
            memory=MEMORY,
            cpu_s=int(CPU_S_MORE + CPU_S_EACH * duration),
            file_size=size,
        )
        square = "scale='max(2,trunc(iw*sar/2)*2)':'max(2,trunc(ih/2)*2)',setsar=1"
        within = f"w='min({quality.width},iw)':h='min({quality.height},ih)'"
        filters = f"yadif=deint=interlaced,{square},scale={within}:force_original_aspect_ratio=decrease"
        pictures = (
            *("-map", "0:V:0", "-vf", f"{filters}:force_divisible_by=2,format=yuv420p", "-fpsmax", "60"),
            *("-c:v", "libx264", "-preset", "veryfast", "-crf", "21", "-g", "120"),
            *("-maxrate", str(quality.bps), "-bufsize", str(2 * quality.bps)),
        )
        sound = ("-map", "0:a:0?", "-c:a", "aac", "-b:a", str(SOUND_BPS), "-ac", "2", "-ar", "48000")
        rest = ("-sn", "-dn", "-map_metadata", "-1", "-map_chapters", "-1", "-movflags", "+faststart", "-f", "mp4")
        file = task.folder / MADE
        await self._run(task, limits, (), (*pictures, *sound, *rest), file)
        return await self._looked_at(file, "video/mp4")

    async def _run(
        self, task: Assignment, limits: Limits, before: Sequence[str], after: Sequence[str], file: Path
    ) -> None:
        """Raises Flaw when it cannot be decoded, StorageFullError, RuntimeError when the system ended it."""
        threads = ("-threads", str(THREADS), "-filter_threads", str(THREADS))
        command = (
            *("-nostdin", "-y", "-progress", "pipe:1", *threads, *READING, *before, "-i", f"file:{task.source}"),
            *(*after, "-threads", str(THREADS), f"file:{file}"),
        )

        async def listen(stream: asyncio.StreamReader) -> None:
            while True:
                async with asyncio.timeout(SILENT_S):
                    line = await stream.readline()
                if not line:
                    return
                name, _, value = line.decode(errors="replace").strip().partition("=")
                if name == "out_time_us" and value.isdecimal() and task.video.duration:
                    task.progress = min(0.99, int(value) / 1e6 / task.video.duration)

        ended = await run_confined("ffmpeg", command, limits, listen=listen)
        # It tells of what it cannot write at the end of a file, and exits with 0.
        if "No space left on device" in ended.errors:
            raise StorageFullError("The disk of the library is full. Free space on it, or delete videos.")
        if ended.code == 0 and _TOO_LARGE not in ended.errors:
            return
        if ended.code < 0:
            raise RuntimeError(f"ffmpeg was ended by signal {-ended.code}")
        raise Flaw(_reason(ended.errors))

    async def _looked_at(self, file: Path, media_type: str) -> Made:
        """Raises Flaw for what no box could play either."""
        facts = await self._probe.look(file, media_type)
        return Made(file, facts["width"], facts["height"])


def _length(task: Assignment) -> float:
    """Seconds. Raises Flaw."""
    if task.video.duration is None:
        raise Flaw("It does not say how long it is, so there is no bound to what would be made of it.")
    return task.video.duration


def _scaled(width: int) -> str:
    """The filters that make pictures so wide, and at most twice as high."""
    return f"scale={width}:'max(2,min({2 * width},trunc({width}/dar/2)*2))',setsar=1,format=yuv420p"


def _reason(errors: str) -> str:
    if _TOO_LARGE in errors:
        return "What would be made of it is larger than any film of its length: what it says of itself is wrong."
    if "Cannot allocate memory" in errors:
        return "To decode it takes more memory than a conversion may have."
    return "It cannot be decoded. Convert it, and upload the result."
