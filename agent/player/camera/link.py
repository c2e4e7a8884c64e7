"""The connection to one camera, on a thread of its own: everything it sends goes to the tail, and to who watches."""

from __future__ import annotations

import errno
import io
import queue
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any, Final

import av
import av.error
from av.stream import Discard

from agent.media.redaction import redact
from agent.player.camera.errors import GoneError, NotLiveError, RefusedError
from agent.player.camera.messages import FORMAT, CameraReport
from agent.player.camera.reader import Reader
from agent.player.camera.still import Room, decode
from agent.player.camera.tail import Packet, Tail
from agent.player.ffmpeg import reasons
from agent.player.ffmpeg.relay import RTSP_PROTOCOLS
from agent.raw_picture import RawPicture

OPEN_LIMIT_S: Final = 10.0
"""A camera on the LAN answers within 1 s, one that wakes up within some."""
SILENCE_LIMIT_S: Final = 15.0
"""A camera that sends nothing for so long is connected to anew: some send a picture each 10 s at night."""
FRESH_S: Final = 6.0
"""The age of the newest picture of a camera from which a start shows what is on now. A connection that is silent for
SILENCE_LIMIT_S is over anyway."""
REFUSALS: Final = (av.error.HTTPUnauthorizedError, av.error.HTTPForbiddenError)
"""The errors of a password that was refused."""
VIEWERS_LIMIT: Final = 8
"""Of one camera: as many places as a screen has."""
QUEUE_LIMIT: Final = 512
"""Packets that wait for one viewer: some 10 s. Who takes no more is too slow, and is cut off."""

SPARSE: Final = (
    "The camera sends key frames too seldom to be kept ready: set an interval of 2 to 4 s in its settings (often "
    "called I-frame interval or GOP)."
)

_RTSP: Final = {"fflags": "nobuffer", "analyzeduration": "1000000", "protocol_whitelist": RTSP_PROTOCOLS}


class Viewer:
    """One who watches: what it gets first, and all that comes after."""

    def __init__(self, tracks: Mapping[int, Any], first: list[Packet]) -> None:
        self.tracks = tracks
        """Streams of PyAV that are like the tracks of these numbers."""
        self.first = first
        self._waiting: queue.Queue[Packet | None] = queue.Queue(QUEUE_LIMIT)
        self._is_over = False

    def give(self, packet: Packet) -> None:
        """Give it a packet. Never waits."""
        try:
            self._waiting.put_nowait(packet)
        except queue.Full:
            self.end()

    def end(self) -> None:
        """Give it nothing more. Idempotent."""
        self._is_over = True
        with suppress(queue.Full):
            self._waiting.put_nowait(None)

    def take_first(self) -> list[Packet]:
        """The packets that it gets first; they are not kept for it any longer."""
        first, self.first = self.first, []
        return first

    def next(self) -> Packet:
        """The next packet. Raises GoneError when there will be none."""
        packet = None if self._is_over else self._waiting.get()
        if packet is None:
            raise GoneError
        return packet


class Camera:
    """One camera that is kept ready. `changed` is called, on the camera's thread, when it is to be reported."""

    def __init__(self, id_: str, url: str, *, changed: Callable[[], None]) -> None:
        self.id = id_
        self.url = url
        """The address for the next connection."""
        self._changed = changed
        self._lock = threading.Lock()
        self._tail: Tail | None = None
        self._reader: Reader | None = None
        self._tracks: dict[int, Any] = {}
        self._chosen_lines = 0
        self._came_at = 0.0
        self._viewers: list[Viewer] = []
        self._problem = ""
        self._transport = "tcp"
        self._ended = threading.Event()
        threading.Thread(target=self._run, name="camera", daemon=True).start()

    def end(self) -> None:
        """Let it go, as soon as its connection says something or is silent for too long. Idempotent."""
        self._ended.set()

    def report(self, url: str) -> CameraReport:
        """Its state; players get it from `url`."""
        with self._lock:
            tail, reader, problem = self._tail, self._reader, self._problem
            if tail is None:
                return CameraReport(self.id, ready=False, problem=problem)
            ready = tail.is_shown and time.monotonic() - self._came_at < FRESH_S
            if tail.outgrown:
                problem = SPARSE
            return CameraReport(
                id=self.id,
                ready=ready,
                url=url,
                size=tail.size + (reader.size if reader is not None else 0),
                seconds=round(tail.seconds, 2),
                chosen_lines=self._chosen_lines,
                viewers=len(self._viewers),
                problem=problem,
            )

    def join(self) -> Viewer:
        """Watch it from now on; `leave` is to follow. Raises GoneError."""
        with self._lock:
            if self._tail is None or not self._tail.is_shown or len(self._viewers) >= VIEWERS_LIMIT:
                raise GoneError
            viewer = Viewer(self._tracks, self._tail.quick())
            self._viewers.append(viewer)
            return viewer

    def still(self, room: Room) -> RawPicture | None:
        """The picture of its last key frame. Raises GoneError, or an error of FFmpeg."""
        with self._lock:
            key = self._tail.key if self._tail is not None else None
            if key is None:
                raise GoneError
            track = self._tracks[key.track]
        return decode(track, key.data, room)

    def leave(self, viewer: Viewer) -> None:
        """Watch it no longer. Idempotent."""
        with self._lock, suppress(ValueError):
            self._viewers.remove(viewer)

    def _run(self) -> None:
        while not self._ended.is_set():
            try:
                self._hold()
            except Exception as error:  # a thread that dies alone would look like a camera that is silent
                pause_s = self._take_note(error)
                self._changed()
                self._ended.wait(pause_s)

    def _hold(self) -> None:
        """Hold the connection until it breaks. Raises what broke it."""
        if not self.url.lower().startswith("http"):
            options = {**_RTSP, "rtsp_transport": self._transport}
            with av.open(self.url, options=options, timeout=(OPEN_LIMIT_S, SILENCE_LIMIT_S)) as container:
                self._hear(container)
            return
        from agent.player.camera.http_source import opened  # httpx, 6 MiB that a box with cameras need not spend

        with opened(self.url, silence_s=SILENCE_LIMIT_S) as container:
            self._hear(container)

    def _hear(self, container: Any) -> None:
        """Pass on what comes until it ends. Raises what ended it."""
        if not container.streams.video:
            raise GoneError("The camera sends no pictures: use the address of its video stream.")
        if container.duration is not None:
            raise NotLiveError
        video = max(container.streams.video, key=_worth)
        if not video.height:
            raise GoneError(SPARSE)
        sound = container.streams.best("audio", related=video)
        tracks = [video, *([sound] if sound is not None else [])]
        for stream in container.streams:
            if stream not in tracks:
                stream.discard = Discard.all  # FFmpeg fetches no other rendition then
        units = {track.index: track.time_base for track in tracks}
        with self._lock:
            self._tail, self._tracks, self._problem = Tail(video.index, units), _lasting(tracks), ""
            self._chosen_lines = video.height if len(container.streams.video) > 1 else 0
        self._reader = reader = Reader(container, tracks, ended=self._ended)
        try:
            for packet in reader.packets():
                self._take(packet)
        finally:
            with self._lock:
                self._tail, self._reader, self._tracks = None, None, {}
                viewers, self._viewers = self._viewers, []
            for viewer in viewers:
                viewer.end()
            reader.leave()

    def _take(self, packet: Packet) -> None:
        with self._lock:
            assert self._tail is not None, "it is held"
            was_ready = self._tail.is_shown
            self._tail.add(packet)
            if packet.track == self._tail.video:  # sound alone is no picture of what is on now
                self._came_at = time.monotonic()
            is_ready = self._tail.is_shown
            viewers = list(self._viewers)
        for viewer in viewers:
            viewer.give(packet)
        if is_ready and not was_ready:
            self._changed()

    def _take_note(self, error: Exception) -> float:
        """Tell what broke the connection. Returns the pause before the next one, in seconds."""
        if isinstance(error, OSError) and error.errno == errno.EPROTONOSUPPORT:
            self._transport = "udp"  # it refuses TCP
        gone = error if isinstance(error, GoneError) else self._explained(error)
        with self._lock:
            self._problem = str(gone)
        return gone.pause_s

    def _explained(self, error: Exception) -> GoneError:
        """An error of FFmpeg, or a bug, in words."""
        if isinstance(error, av.error.ExitError):
            return GoneError("No picture came for too long: is the camera on, and does it send?")
        known = reasons.explain([str(error)], self.url)
        text = known.message if known else f"The camera cannot be read ({redact(str(error))})."
        return RefusedError(text) if isinstance(error, REFUSALS) else GoneError(text)


def _lasting(tracks: Sequence[Any]) -> dict[int, Any]:
    """Streams like these tracks, by number, for who comes to watch and goes on when the container is closed."""
    model = av.open(io.BytesIO(), "w", format=FORMAT)
    return {track.index: model.add_stream_from_template(track) for track in tracks}


def _worth(video: Any) -> tuple[int, int]:
    """The order of the renditions of one stream: by lines, then by bits a second."""
    return video.height, int(video.metadata.get("variant_bitrate", 0))
