"""Test media, made once with ffmpeg into a cache and found again by the hash of its recipe.

Every moving picture is one flat palette colour (see `colours`) with a white box that travels along the bottom: the
centre says which clip is seen, the bottom says whether it moves.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import random
import shutil
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from PIL import Image

from tests.support.colours import PALETTE, hex_of
from tests.support.tools import need, run

CACHE = Path(__file__).parents[2] / ".cache" / "media"

SIZE = (640, 360)
BOX_ROW = 330 / 360
"""The height at which the travelling box is, as a part of the picture's height."""

BLACK_START_S = 2.0

LIVE_LOOP_S = 12
"""Both 25 pictures a second and MP2's frames of 24 ms come out even after 12 s, so the loop has no seam."""

ENCODED_S = 20.0
"""Longer films repeat a film of this length without encoding, which costs nothing."""

HLS_VARIANTS = {360: ("red", 800_000), 720: ("green", 2_500_000), 1080: ("blue", 5_000_000)}
"""Height: the colour that tells it apart on the screen, and the bandwidth that the master playlist claims."""

FFMPEG_TIMEOUT_S = 60.0
"""The slowest recipe takes 4 s on two idle cores; the rest is for a machine that others use too."""

_H264 = [
    "-c:v",
    "libx264",
    "-pix_fmt",
    "yuv420p",
    "-threads",
    "1",
    "-g",
    "25",
    "-keyint_min",
    "25",
    "-sc_threshold",
    "0",
]


class Clips:
    """Paths of test media; what is missing is made at the first call. Safe with several test runs at once."""

    def __init__(self, folder: Path = CACHE) -> None:
        self.folder = folder

    def make_all(self) -> None:
        """Make what most tests use, two at a time, so that no test waits for ffmpeg in its own time. Of several
        workers that ask at the same moment one makes it, and the others wait."""
        need("ffmpeg")
        self.folder.mkdir(parents=True, exist_ok=True)
        makers: list[Callable[[], Path]] = [
            self.hls_variants,
            self.live_ts,
            lambda: self.live_ts("green", 880),
            self.film_mp4,
            lambda: self.film_mp4("green", 10, 880),
            lambda: self.film_mp4("blue", 10, 660),
            lambda: self.film_mp4("blue", 10, None),
            self.hls,
            self.dash,
            self.black_start_mp4,
            self.black_mp4,
            self.audio_mp3,
            self.audio_ogg,
            self.covered_mp3,
            self.radio_mp3,
            self.truncated_mp4,
            self.undecodable_mp4,
            lambda: self.image("png"),
            lambda: self.image("jpeg"),
            lambda: self.image("webp"),
        ]
        with (self.folder / ".lock").open("w") as turn, ThreadPoolExecutor(2) as pool:
            fcntl.flock(turn, fcntl.LOCK_EX)
            for made in [pool.submit(maker) for maker in makers]:
                made.result()

    def film_mp4(self, colour: str = "red", seconds: float = 10, audio_hz: int | None = 440) -> Path:
        """H.264 640x360 at 25 a second, a key frame every second, index first, AAC sound unless `audio_hz` is None."""
        name = f"film-{colour}-{seconds:g}s-{audio_hz or 'silent'}.mp4"
        if seconds > ENCODED_S:
            short = self.film_mp4(colour, ENCODED_S, audio_hz)
            repeat = ["-stream_loop", "-1", "-i", str(short), "-t", f"{seconds:g}", "-c", "copy", *_FASTSTART]
            return self._ffmpeg(name, repeat)
        return self._ffmpeg(name, [*_source(colour, seconds, audio_hz), *_VERYFAST, *_AAC, *_FASTSTART])

    def film_ts(self, colour: str = "red", seconds: float = 10) -> Path:
        """The same film as a transport stream, which says nothing about its length."""
        film = self.film_mp4(colour, seconds, None)
        return self._ffmpeg(f"film-{colour}-{seconds:g}s.ts", ["-i", str(film), "-c", "copy"])

    def two_tracks(self, kind: str) -> Path:
        """A film with a tone of 440 Hz (English) and one of 880 Hz (German), which is the usual one. `kind` is mkv,
        mp4, ts (where the first is an audio description), or hls (where each is a playlist of its own)."""
        sources = [*_source("red", 8, None)[:-2], *_tone(440, 8), *_tone(880, 8)]
        codecs = ["-map", "[v]", "-map", "2:a", "-map", "3:a", *_VERYFAST, *_AAC]
        codecs += ["-metadata:s:a:0", "language=eng", "-metadata:s:a:1", "language=deu"]
        if kind == "ts":
            return self._ffmpeg("two-tracks.ts", [*sources, *codecs, "-disposition:a:0", "visual_impaired"])
        if kind != "hls":
            flags = ["-disposition:a:0", "0", "-disposition:a:1", "default"]
            return self._ffmpeg(f"two-tracks.{kind}", [*sources, *codecs, *flags])
        groups = "v:0,agroup:a a:0,agroup:a,language:eng a:1,agroup:a,language:deu,default:yes"
        making = [*sources, *codecs, "-f", "hls", "-hls_time", "2", "-hls_playlist_type", "vod"]

        def make(folder: Path) -> None:
            folder.mkdir()
            files = ["-master_pl_name", "master.m3u8", str(folder / "stream-%v.m3u8")]
            self._run([*making, "-var_stream_map", groups, *files])

        return self._once("two-tracks-hls", str([*making, groups]), make) / "master.m3u8"

    def magicyuv_avi(self, colour: str = "green", seconds: float = 4) -> Path:
        """A film in a codec that FFmpeg decodes, and libVLC has no name for."""
        film = ["-i", str(self.film_mp4(colour, seconds, None)), "-c:v", "magicyuv", "-pix_fmt", "yuv420p"]
        return self._ffmpeg(f"magicyuv-{colour}-{seconds:g}s.avi", film)

    def late_subtitle_mkv(self, colour: str = "green", seconds: float = 4, until: float = 30) -> Path:
        """A film whose last subtitle ends long after its last picture: its length is that of the subtitle."""
        line = f"1\n00:00:01,000 --> 00:00:{until:02.0f},000\nStill here\n"
        subtitle = self._once(f"late-{until:g}s.srt", line, lambda to: _write(to, line.encode()))
        both = ["-i", str(self.film_mp4(colour, seconds)), "-i", str(subtitle), "-c", "copy", "-c:s", "srt"]
        return self._ffmpeg(f"late-subtitle-{colour}-{seconds:g}s-{until:g}s.mkv", both)

    def slides_mp4(self, colour: str = "magenta", seconds: float = 12, every: float = 4) -> Path:
        """A lecture: a new picture every few seconds only, none of which differs, and a voice."""
        flat = f"color={hex_of(colour)}:s={SIZE[0]}x{SIZE[1]}:r=1/{every:g}:d={seconds:g},format=yuv420p"
        film = ["-f", "lavfi", "-i", flat, *_tone(440, seconds), *_VERYFAST, "-tune", "zerolatency", *_AAC, *_FASTSTART]
        return self._ffmpeg(f"slides-{colour}-{seconds:g}s-{every:g}s.mp4", film)

    def one_picture(self, kind: str, hz: int = 660, seconds: float = 4) -> Path:
        """Music with a film of a single picture (magenta); `kind` is mp4 or mkv."""
        film = ["-i", str(self.image("png", "magenta")), *_tone(hz, seconds), *_VERYFAST, *_AAC]
        return self._ffmpeg(f"one-picture-{hz}-{seconds:g}s.{kind}", film)

    def black_start_mp4(self, colour: str = "yellow", seconds: float = 8) -> Path:
        """A film that is wholly black, box included, for BLACK_START_S."""
        hide = ["-vf", f"drawbox=t=fill:color=black:enable='lt(t,{BLACK_START_S:g})',format=yuv420p"]
        film = ["-i", str(self.film_mp4(colour, seconds))]
        return self._ffmpeg(
            f"black-start-{colour}-{seconds:g}s.mp4", [*film, *hide, *_VERYFAST, "-c:a", "copy", *_FASTSTART]
        )

    def black_mp4(self, seconds: float = 6) -> Path:
        """Black from the first picture to the last, with no box; silent."""
        source = ["-f", "lavfi", "-i", f"color=black:s=640x360:r=25:d={seconds:g}"]
        return self._ffmpeg(f"black-{seconds:g}s.mp4", [*source, *_VERYFAST, *_FASTSTART])

    def hls_variants(self, seconds: float = 12) -> Path:
        """The master playlist of 360p, 720p and 1080p, each with its own colour (HLS_VARIANTS), segments of 2 s."""

        def make(folder: Path) -> None:
            master = "#EXTM3U\n#EXT-X-VERSION:3\n"
            for height, (colour, bandwidth) in HLS_VARIANTS.items():
                width = height * 16 // 9
                source = _source(colour, seconds, 440, size=(width, height))
                self._run([*source, *_ULTRAFAST, *_AAC, *_hls_to(folder / f"{height}p")])
                size = f"BANDWIDTH={bandwidth},RESOLUTION={width}x{height},FRAME-RATE=25.000"
                codecs = 'CODECS="avc1.42c028,mp4a.40.2"'
                master += f"#EXT-X-STREAM-INF:{size},{codecs}\n{height}p/index.m3u8\n"
            (folder / "master.m3u8").write_text(master)

        recipe = f"{seconds} {HLS_VARIANTS} {_source('red', seconds, 440)} {_ULTRAFAST} {_AAC}"
        return self._once(f"hls-variants-{seconds:g}s", recipe, make) / "master.m3u8"

    def hls(self, colour: str = "cyan", seconds: float = 10, audio_hz: int | None = 660) -> Path:
        """The playlist of a film in one rendition."""
        making = [*_source(colour, seconds, audio_hz), *_VERYFAST, *_AAC]
        name = f"hls-{colour}-{seconds:g}s-{audio_hz or 'silent'}"
        return self._once(name, str(making), lambda to: self._run([*making, *_hls_to(to)])) / "index.m3u8"

    def hls_fmp4(self, colour: str = "blue", seconds: float = 40) -> Path:
        """The folder of `init.mp4` and `seg<number>.m4s`, 2 s each; silent."""
        making = [*_source(colour, seconds, None), *_VERYFAST]
        to_files = ["-f", "hls", "-hls_time", "2", "-hls_list_size", "0", "-hls_segment_type", "fmp4"]

        def make(folder: Path) -> None:
            folder.mkdir()
            names = ["-hls_fmp4_init_filename", "init.mp4", "-hls_segment_filename", str(folder / "seg%d.m4s")]
            self._run([*making, *to_files, *names, str(folder / "index.m3u8")])

        return self._once(f"hls-fmp4-{colour}-{seconds:g}s", str([*making, *to_files]), make)

    def dash(self, colour: str = "magenta", seconds: float = 10, audio_hz: int | None = 660) -> Path:
        """The manifest of a film in one rendition."""
        making = [*_source(colour, seconds, audio_hz), *_VERYFAST, *_AAC, "-f", "dash", "-seg_duration", "2"]

        def make(folder: Path) -> None:
            folder.mkdir()
            self._run([*making, str(folder / "index.mpd")])

        name = f"dash-{colour}-{seconds:g}s-{audio_hz or 'silent'}"
        return self._once(name, str(making), make) / "index.mpd"

    def live_ts(self, colour: str = "red", audio_hz: int = 440, *, key_every_s: int = 1) -> Path:
        """MPEG-TS of LIVE_LOOP_S that `ts.EndlessTs` can repeat without a seam."""
        making = [*_source(colour, LIVE_LOOP_S, audio_hz), *_VERYFAST, "-tune", "zerolatency"]
        if key_every_s > 1:
            making += ["-g", str(25 * key_every_s), "-keyint_min", str(25 * key_every_s)]
        making += ["-c:a", "mp2", "-b:a", "64k", "-muxdelay", "0", "-muxpreload", "0"]
        return self._ffmpeg(f"live-{colour}-{audio_hz}.ts", [*making, "-mpegts_flags", "+pat_pmt_at_frames"])

    def audio_mp3(self, hz: int = 440, seconds: float = 8) -> Path:
        return self._ffmpeg(f"tone-{hz}-{seconds:g}s.mp3", [*_tone(hz, seconds), "-c:a", "libmp3lame", "-b:a", "96k"])

    def audio_ogg(self, hz: int = 660, seconds: float = 8) -> Path:
        return self._ffmpeg(f"tone-{hz}-{seconds:g}s.ogg", [*_tone(hz, seconds), "-c:a", "libvorbis", "-q:a", "4"])

    def spoken(self, seconds: float, kind: str = "mp3", hz: int = 880) -> Path:
        """A message of one tone; `kind` is mp3, wav, ogg, flac or aac."""
        codec = {"mp3": ["-c:a", "libmp3lame"], "ogg": ["-c:a", "libvorbis"]}.get(kind, [])
        return self._ffmpeg(f"spoken-{hz}-{seconds:g}s.{kind}", [*_tone(hz, seconds), *codec])

    def covered_mp3(self, hz: int = 880, seconds: float = 8, colour: str = "magenta") -> Path:
        """An MP3 that carries a cover picture in `colour`."""
        inputs = ["-i", str(self.audio_mp3(hz, seconds)), "-i", str(self.image("png", colour))]
        both = [
            "-map",
            "0:a",
            "-map",
            "1:v",
            "-c",
            "copy",
            "-id3v2_version",
            "3",
            "-disposition:v",
            "attached_pic",
        ]
        return self._ffmpeg(f"covered-{hz}-{seconds:g}s-{colour}.mp3", [*inputs, *both])

    def radio_mp3(self, hz: int = 440) -> Path:
        """12 s of MP3 at a constant 64 kbit/s with no header at all, to be sent over and over."""
        bare = ["-write_xing", "0", "-id3v2_version", "0", "-reservoir", "0"]
        return self._ffmpeg(f"radio-{hz}.mp3", [*_tone(hz, 12), "-c:a", "libmp3lame", "-b:a", "64k", *bare])

    def image(self, kind: str = "png", colour: str = "orange", size: tuple[int, int] = SIZE) -> Path:
        """`kind` is png, jpeg or webp."""
        name = f"image-{colour}-{size[0]}x{size[1]}.{kind}"
        return self._once(name, "1", lambda to: Image.new("RGB", size, PALETTE[colour]).save(to, format=kind))

    def mjpeg_frames(self, colour: str = "cyan", count: int = 10) -> list[bytes]:
        """JPEG pictures in which the box travels."""

        def make(folder: Path) -> None:
            folder.mkdir()
            self._run([*_source(colour, count / 25, None), "-q:v", "4", str(folder / "%03d.jpg")])

        folder = self._once(f"mjpeg-{colour}-{count}", str(_source(colour, count / 25, None)), make)
        return [path.read_bytes() for path in sorted(folder.iterdir())]

    def truncated_mp4(self) -> Path:
        """A film that lost its end, where its index was: nothing can open it."""

        def make(to: Path) -> None:
            self._run([*_source("red", 4, 440), *_VERYFAST, *_AAC, "-f", "mp4", str(to)])
            to.write_bytes(to.read_bytes()[: to.stat().st_size // 2])

        return self._once("truncated.mp4", str(_source("red", 4, 440)), make)

    def undecodable_mp4(self) -> Path:
        """A sound container with one silent picture track in a codec that nobody knows (`zz99`)."""
        film = self.film_mp4("red", 4, None)
        patch = film.read_bytes().replace(b"avc1\x00", b"zz99\x00")
        return self._once("undecodable.mp4", film.name, lambda to: _write(to, patch))

    def silent_m4a(self) -> Path:
        """It opens as AAC sound like any other, and every packet of it is broken: nothing can ever be heard."""

        def make(to: Path) -> None:
            self._run([*_tone(440, 3), *_AAC, *_FASTSTART, str(to)])
            whole = to.read_bytes()
            packets = whole.index(b"mdat") + 4
            to.write_bytes(whole[:packets] + b"\xff" * (len(whole) - packets))  # "end of frame", and nothing before it

        return self._once("silent.m4a", str(_tone(440, 3)), make)

    def noise_mp3(self) -> Path:
        """Garbage that only its name calls an MP3."""
        return self._once("noise.mp3", "1", lambda to: _write(to, self.garbage(60_000)))

    def garbage(self, size: int = 300_000) -> bytes:
        """Bytes that are no medium; the same at every call."""
        return random.Random(7).randbytes(size)

    def _ffmpeg(self, name: str, arguments: list[str]) -> Path:
        return self._once(name, " ".join(arguments), lambda to: self._run([*arguments, str(to)]))

    def _run(self, arguments: list[str]) -> None:
        command = ["ffmpeg", "-nostdin", "-hide_banner", "-v", "error", "-y", *arguments]
        run(command, timeout_s=FFMPEG_TIMEOUT_S)

    def _once(self, name: str, recipe: str, make: Callable[[Path], object]) -> Path:
        # The recipe, not the clip, is hashed: other recipes take a clip's path, which holds its hash, as their input.
        digest = hashlib.sha256(recipe.replace(str(self.folder), "").encode()).hexdigest()[:10]
        stem, dot, suffix = name.partition(".")
        path = self.folder / f"{stem}-{digest}{dot}{suffix}"
        if path.exists():
            return path
        self.folder.mkdir(parents=True, exist_ok=True)
        work = Path(tempfile.mkdtemp(prefix=".making-", dir=self.folder))
        try:
            make(work / name)
            try:
                os.rename(work / name, path)
            except OSError:  # a folder that another run finished first cannot be replaced; it holds the same
                if not path.exists():
                    raise
        finally:
            shutil.rmtree(work, ignore_errors=True)
        return path


_VERYFAST = [*_H264, "-preset", "veryfast"]
_ULTRAFAST = [*_H264, "-preset", "ultrafast", "-crf", "30"]
_AAC = ["-c:a", "aac", "-b:a", "64k"]
_FASTSTART = ["-movflags", "+faststart"]


def _source(colour: str, seconds: float, audio_hz: int | None, *, size: tuple[int, int] = SIZE) -> list[str]:
    width, height = size
    box = height // 9
    flat = f"color={hex_of(colour)}:s={width}x{height}:r=25:d={seconds:g}"
    white = f"color=white:s={box}x{box}:r=25:d={seconds:g}"
    travel = f"overlay=x='mod(t*{width // 4},{width - box})':y={height * 31 // 36},format=yuv420p"
    inputs = ["-f", "lavfi", "-i", flat, "-f", "lavfi", "-i", white]
    graph = ["-filter_complex", f"[0][1]{travel}[v]", "-map", "[v]"]
    if audio_hz is None:
        return [*inputs, *graph]
    return [*inputs, *_tone(audio_hz, seconds), *graph, "-map", "2:a"]


def _tone(hz: int, seconds: float) -> list[str]:
    # ffmpeg's sine has an eighth of full scale; four times that is half.
    return ["-f", "lavfi", "-i", f"sine=frequency={hz}:sample_rate=48000:duration={seconds:g},volume=4"]


def _hls_to(folder: Path) -> list[str]:
    folder.mkdir(parents=True, exist_ok=True)
    vod = ["-f", "hls", "-hls_time", "2", "-hls_list_size", "0", "-hls_playlist_type", "vod"]
    return [*vod, "-hls_segment_filename", str(folder / "seg%d.ts"), str(folder / "index.m3u8")]


def _write(path: Path, data: bytes) -> None:
    path.write_bytes(data)
