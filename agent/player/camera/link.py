"""The connection to one camera, on a thread of its own: everything it sends goes to the tail, and to who watches."""

from __future__ import annotations

import errno
import queue
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

import av
import av.error

from agent.media.redaction import redact
from agent.player.camera.messages import CameraReport
from agent.player.camera.still import Room, decode
from agent.player.camera.tail import Packet, Tail
from agent.player.ffmpeg import reasons
from agent.player.ffmpeg.relay import RTSP_PROTOCOLS
from agent.raw_picture import RawPicture

RETRY_S: Final = 15.0
"""The pause between tries: a camera that is away is left in peace, and a start of it goes to the camera itself."""
REFUSED_RETRY_S: Final = 3600.0
"""The same after a refused password: cameras lock accounts after some in a few minutes."""
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
JUMP_LIMIT_S: Final = 5.0
"""Seconds by which the clock of a camera may jump; beyond that it is connected to anew."""
QUEUE_LIMIT: Final = 512
"""Packets that wait for one viewer: some 10 s. Who takes no more is too slow, and is cut off."""

_OPTIONS: Final = {"fflags": "nobuffer", "analyzeduration": "1000000", "protocol_whitelist": RTSP_PROTOCOLS}


class GoneError(Exception):
    """Nothing is to be had of the camera now."""


class Viewer:
    """One who watches: what it gets first, and all that comes after."""

    def __init__(self, container: Any, first: list[Packet]) -> None:
        self.container = container
        """PyAV's, with the tracks."""
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
        self._container: Any = None
        self._came_at = 0.0
        self._aheads: dict[int, float] = {}
        """The seconds by which the clock of each track is ahead of ours."""
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
            tail, problem = self._tail, self._problem
            if tail is None:
                return CameraReport(self.id, ready=False, problem=problem)
            ready = tail.is_shown and time.monotonic() - self._came_at < FRESH_S
            if tail.outgrown:
                problem = (
                    "The camera sends key frames too seldom to be kept ready: set an interval of 2 to 4 s in its "
                    "settings (often called I-frame interval or GOP)."
                )
            return CameraReport(
                self.id, ready, url, tail.size, round(tail.seconds, 2), viewers=len(self._viewers), problem=problem
            )

    def join(self) -> Viewer:
        """Watch it from now on; `leave` is to follow. Raises GoneError."""
        with self._lock:
            if self._tail is None or not self._tail.is_shown or len(self._viewers) >= VIEWERS_LIMIT:
                raise GoneError
            viewer = Viewer(self._container, self._tail.quick())
            self._viewers.append(viewer)
            return viewer

    def still(self, room: Room) -> RawPicture | None:
        """The picture of its last key frame. Raises GoneError, or an error of FFmpeg."""
        with self._lock:
            key = self._tail.key if self._tail is not None else None
            if key is None:
                raise GoneError
            track = self._container.streams[key.track]
        return decode(track, key.data, room)

    def leave(self, viewer: Viewer) -> None:
        """Watch it no longer. Idempotent."""
        with self._lock, suppress(ValueError):
            self._viewers.remove(viewer)

    def _run(self) -> None:
        while not self._ended.is_set():
            pause_s = RETRY_S
            try:
                self._hold()
            except Exception as error:  # a thread that dies alone would look like a camera that is silent
                pause_s = REFUSED_RETRY_S if isinstance(error, REFUSALS) else RETRY_S
                self._take_note(error)
            self._changed()
            self._ended.wait(pause_s)

    def _hold(self) -> None:
        """Hold the connection until it breaks. Raises what broke it."""
        options = {**_OPTIONS, "rtsp_transport": self._transport}
        container = av.open(self.url, options=options, timeout=(OPEN_LIMIT_S, SILENCE_LIMIT_S))
        try:
            if not container.streams.video:
                raise GoneError("The camera sends no pictures: use the address of its video stream.")
            video = container.streams.video[0]
            tracks = [video, *container.streams.audio[:1]]
            units = {track.index: track.time_base for track in tracks if track.time_base is not None}
            with self._lock:
                self._tail, self._container, self._problem = Tail(video.index, units), container, ""
                self._aheads = {}
            for packet in container.demux(tracks):
                if self._ended.is_set():
                    return
                self._take(packet)
            raise GoneError("The camera ended its stream; cast-agent connects again.")
        finally:
            with self._lock:
                self._tail = self._container = None
                viewers, self._viewers = self._viewers, []
            for viewer in viewers:
                viewer.end()
            # A viewer may be about to read what the tracks are like: the container is closed when nobody has it.

    def _take(self, packet: Any) -> None:
        pts = packet.pts if packet.pts is not None else packet.dts
        if pts is None:
            return  # the empty packet at the end
        dts = packet.dts if packet.dts is not None else pts
        ahead = float(dts * packet.time_base) - time.monotonic()
        before = self._aheads.setdefault(packet.stream_index, ahead)
        self._aheads[packet.stream_index] = ahead
        if abs(ahead - before) > JUMP_LIMIT_S:
            raise GoneError("The clock of the camera jumped; cast-agent connects again.")
        taken = Packet(packet.stream_index, bytes(packet), pts, dts, packet.duration or 0, packet.is_keyframe)
        with self._lock:
            assert self._tail is not None, "it is held"
            was_ready = self._tail.is_shown
            self._tail.add(taken)
            if taken.track == self._tail.video:  # sound alone is no picture of what is on now
                self._came_at = time.monotonic()
            is_ready = self._tail.is_shown
            viewers = list(self._viewers)
        for viewer in viewers:
            viewer.give(taken)
        if is_ready and not was_ready:
            self._changed()

    def _take_note(self, error: Exception) -> None:
        text = str(error)
        if isinstance(error, OSError) and error.errno == errno.EPROTONOSUPPORT:
            self._transport = "udp"  # it refuses TCP
        if not isinstance(error, GoneError):
            known = reasons.explain([text], self.url)
            text = known.message if known else f"The camera cannot be read ({redact(text)})."
        if isinstance(error, REFUSALS):
            text += " It is sent again in an hour, because cameras lock accounts."
        with self._lock:
            self._problem = text
