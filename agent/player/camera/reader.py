"""What a camera sends, read as fast as it comes and given on when it is due."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Iterator, Sequence
from typing import Any, Final

from agent.player.camera.errors import GoneError, NotLiveError
from agent.player.camera.pace import ClockJumpedError, Pace
from agent.player.camera.tail import BYTES_LIMIT, PACKETS_LIMIT, Packet

AHEAD_LIMIT_S: Final = 30.0
"""Live HLS comes up to three pieces of 10 s ahead of its time; a film comes as fast as the network carries it."""


class Reader:
    """A thread that reads these tracks of a container of PyAV, until `ended` is set or `leave` is called."""

    def __init__(self, container: Any, tracks: Sequence[Any], *, ended: threading.Event) -> None:
        self._container = container
        self._tracks = tracks
        self._ended = ended
        self._is_left = False
        self._paces = {track.index: Pace() for track in tracks}
        self._queue: queue.SimpleQueue[tuple[float, Packet] | None] = queue.SimpleQueue()
        self._error: Exception | None = None
        self._last_due = 0.0
        self._put = self._got = 0
        """Bytes in and out of the queue. Each is counted by one thread."""
        self._thread = threading.Thread(target=self._run, name="camera-reader", daemon=True)
        self._thread.start()

    def packets(self) -> Iterator[Packet]:
        """Each packet when it is due, until `ended` is set. Raises what broke the connection; NotLiveError at once, all
        else behind the packets that came before."""
        while (waiting := self._queue.get()) is not None:
            due, packet = waiting
            self._got += len(packet.data)
            if self._ended.wait(max(0.0, due - time.monotonic())):
                return
            if isinstance(self._error, NotLiveError):
                break
            yield packet
        if self._error is not None:
            raise self._error

    @property
    def size(self) -> int:
        """Bytes that wait until they are due."""
        return self._put - self._got

    def leave(self) -> None:
        """Return when it reads no more: as soon as the connection says something or is silent for too long, for which
        it has limits of its own. The container may be closed then. Idempotent."""
        self._is_left = True
        self._thread.join()

    def _run(self) -> None:
        try:
            for packet in self._container.demux(self._tracks):
                if self._is_left or self._ended.is_set():
                    return
                self._take(packet)
            raise GoneError("The camera ended its stream; cast-agent connects again.")
        except Exception as error:  # a thread that dies alone would look like a camera that is silent
            self._error = error
        finally:
            self._queue.put(None)

    def _take(self, packet: Any) -> None:
        pts = packet.pts if packet.pts is not None else packet.dts
        if pts is None:
            return  # the empty packet at the end
        dts = packet.dts if packet.dts is not None else pts
        taken = Packet(packet.stream_index, bytes(packet), pts, dts, packet.duration or 0, packet.is_keyframe)
        now = time.monotonic()
        try:
            due = self._paces[taken.track].due(float(dts * packet.time_base), now)
        except ClockJumpedError as error:
            raise GoneError("The clock of the camera jumped; cast-agent connects again.") from error
        if due - now > AHEAD_LIMIT_S:
            raise NotLiveError
        if self.size > BYTES_LIMIT or self._queue.qsize() > PACKETS_LIMIT:
            raise GoneError("The camera sends too much ahead of its time to be kept ready: leave keep_ready out.")
        self._last_due = max(self._last_due, due)  # one track does not pass the other
        self._put += len(taken.data)
        self._queue.put((self._last_due, taken))
