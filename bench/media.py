"""The media that is played, served by a process of its own so that serving does not disturb the measuring."""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import IO
from urllib.parse import urlsplit

from tests.support.behaviour import GOOD, Behaviour, Then
from tests.support.clips import Clips
from tests.support.media_server import MediaServer
from tests.support.tools import end, run

START_S = 120.0
"""The first run encodes the clips, for up to half a minute on two busy cores; later ones start in a second."""

ENCODE_S = 90.0
FILM_S = 120
"""Longer than a film is interrupted and goes on in any measurement."""
ANSWER_S = 5.0
"""The media server only counts."""
RICH_S = 40
"""Longer than any measurement of what playing costs."""


@dataclass(frozen=True, slots=True)
class Stream:
    url: str
    colour: str
    """A palette colour (`tests.support.colours`); all of the picture but a travelling box has it."""


@dataclass(frozen=True, slots=True)
class Media:
    """Everything that is played. Each of the first four has a colour of its own."""

    mp4: Stream
    hls: Stream
    ts: Stream
    """Live."""
    stuck_hls: Stream
    """Its first segment comes at once; of the second, a few bytes a second."""
    live_hls: Stream
    """Live; segments of 2 s."""
    long_film: Stream
    """MP4 of FILM_S seconds."""
    never: str
    """A server that takes the request and never answers."""
    rich: str
    """MP4 of RICH_S seconds, 720p at 25 pictures a second, with detail and motion everywhere."""
    full_hd: str
    """The same in 1080p."""


class MediaProcess:
    """`with MediaProcess() as media: media.mp4.url`."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Media:
        return self.start()

    def start(self, *, port: int = 0) -> Media:
        """Serve on a free port, or on `port`; return when it takes connections. Raises RuntimeError."""
        self._process = subprocess.Popen(  # noqa: S603 - our own program
            [sys.executable, "-m", "bench.media", str(port)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=Path(__file__).parents[1],
        )
        assert self._process.stdout is not None
        ready, _, _ = select.select([self._process.stdout], [], [], START_S)
        line = self._process.stdout.readline() if ready else b""
        if not line:
            self._end()
            raise RuntimeError("The media server did not start; what it wrote is above")
        urls = json.loads(line)
        for name in ("mp4", "long_film", "hls", "ts", "live_hls", "stuck_hls"):
            urls[name] = Stream(**urls[name])
        return Media(**urls)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    def kill(self) -> None:
        """Break every connection, as a server that loses its power; `start(port=...)` gives it back. Idempotent."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            end(process)

    def silence(self, path: str, silent: bool) -> None:
        """Send no more of the paths that begin with this one, or go on; their connections stay."""
        self._tell({"path": path, "silent": silent})

    def asked(self, url: str) -> int:
        """The number of requests for this URL so far. Raises TimeoutError."""
        answers = self._tell({"path": urlsplit(url).path})
        if not select.select([answers], [], [], ANSWER_S)[0]:
            raise TimeoutError(f"The media server did not answer within {ANSWER_S:g} s")
        return int(answers.readline())

    def _tell(self, order: dict[str, object]) -> IO[bytes]:
        assert self._process is not None
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(order).encode() + b"\n")
        self._process.stdin.flush()
        return self._process.stdout

    def _end(self) -> None:
        if self._process is not None:
            end(self._process)


def _rich(clips: Clips, size: str) -> Path:
    path = clips.folder / f"bench-rich-{size}-{RICH_S}s.mp4"
    if not path.exists():
        short, making = path.with_suffix(".short.mp4"), path.with_suffix(f".{os.getpid()}.mp4")
        source = f"testsrc2=size={size}:rate=25:duration=10"
        tone = "sine=frequency=440:sample_rate=48000:duration=10"
        ffmpeg = ["ffmpeg", "-nostdin", "-v", "error", "-y"]
        codecs = ["-c:v", "libx264", "-preset", "veryfast", "-pix_fmt", "yuv420p", "-g", "50", "-c:a", "aac"]
        inputs = ["-f", "lavfi", "-i", source, "-f", "lavfi", "-i", tone]
        run([*ffmpeg, *inputs, *codecs, str(short)], timeout_s=ENCODE_S)
        repeat = ["-stream_loop", "-1", "-i", str(short), "-t", str(RICH_S), "-c", "copy"]
        run([*ffmpeg, *repeat, "-movflags", "+faststart", str(making)], timeout_s=ENCODE_S)
        making.rename(path)
        short.unlink()
    return path


def main() -> None:
    """The media server's own process: serves until its standard input is closed."""
    clips = Clips()
    clips.folder.mkdir(parents=True, exist_ok=True)
    stuck = clips.hls("orange")
    server = MediaServer(clips, port=int(sys.argv[1]))
    for live in ("blue", "red"):
        server.routes.stream(live)  # made now, not while somebody waits for its first picture
    with server:
        for segment in range(1, 5):
            path = server.file_url(stuck.parent).removeprefix(server.url(""))
            server.behave(f"{path}/seg{segment}.ts", Behaviour(then=Then.TRICKLE))
        media = Media(
            mp4=Stream(server.file_url(clips.film_mp4("green", 30, 880)), "green"),
            long_film=Stream(server.file_url(clips.film_mp4("green", FILM_S, 880)), "green"),
            hls=Stream(server.file_url(clips.hls()), "cyan"),
            ts=Stream(server.url("/live/blue.ts"), "blue"),
            live_hls=Stream(server.url("/live-hls/index.m3u8"), "red"),
            stuck_hls=Stream(server.file_url(stuck), "orange"),
            never=server.url("/never"),
            rich=server.file_url(_rich(clips, "1280x720")),
            full_hd=server.file_url(_rich(clips, "1920x1080")),
        )
        print(json.dumps(asdict(media)), flush=True)
        for line in sys.stdin:
            order = json.loads(line)
            if "silent" in order:
                server.behave(order["path"], Behaviour(then=Then.HOLD) if order["silent"] else GOOD)
            else:
                print(len(server.requests(order["path"])), flush=True)


if __name__ == "__main__":
    main()
