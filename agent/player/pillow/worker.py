"""The `pillow` player process: shows one picture, still or animated, then waits to be killed.

The main thread answers the daemon; another one fetches, decodes and draws, which may take seconds for a large picture.
How long that may take in all is the daemon's affair.
"""

from __future__ import annotations

import argparse
import math
import os
import queue
import resource
import sysconfig
import threading
import time
import traceback
from dataclasses import dataclass
from typing import Any

import PIL

from agent.player import ipc
from agent.player.channel import Channel
from agent.player.confine import NONE, Confinement, confine
from agent.player.confine.display import require_display
from agent.player.pillow.canvas import Canvas
from agent.player.pillow.decode import Picture
from agent.player.pillow.fetch import NoPictureError, fetch
from agent.player.web import trusted
from agent.types import Failure, MediaType, StreamType
from agent.util.memory import available_bytes
from cast_util.privileges import die_with_parent

REPORT_INTERVAL_S = 0.25

MEMORY_LIMIT = 1024 * 1024 * 1024
"""Bytes for the data of this process, and half of what the box has left at the most: a picture of 250 megapixels that
has to be decoded whole. What needs more is refused in words; otherwise the kernel would end something else."""


@dataclass(frozen=True, slots=True)
class Drawn:
    """A picture was put on the window."""


class PictureWorker:
    """The pictures on the screen, and the answers to the daemon."""

    def __init__(self, *, channel_fd: int, confinement: Confinement | None) -> None:
        libraries = [sysconfig.get_path("purelib"), sysconfig.get_path("platlib")]  # they import when they need it
        self._confined = confine(confinement, libraries=libraries) if confinement else NONE
        require_display()
        self._inbox: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._pictures = 0
        self._is_loaded = False
        self._channel = Channel(channel_fd, self._inbox)

    def run(self) -> None:
        """Serve commands until the daemon goes away or kills."""
        features: dict[str, bool | str] = {"confinement": self._confined}
        self._channel.send(ipc.Hello(engine="pillow", version=PIL.__version__, features=features))
        while True:
            try:
                self._handle(self._inbox.get(timeout=REPORT_INTERVAL_S if self._is_loaded else None))
            except queue.Empty:
                self._report()

    def _handle(self, item: Any) -> None:
        match item:
            case ipc.Ping(id=ping_id):
                self._channel.send(ipc.Pong(ping_id))
            case ipc.Warm():
                trusted()
                self._channel.send(ipc.Warmed(True))  # all else that takes time was imported
            case ipc.Load():
                self._is_loaded = True
                threading.Thread(target=self._work, args=(item,), name="picture", daemon=True).start()
            case ipc.Pause() | ipc.Seek() | ipc.Sound() | ipc.SetVolume():
                self._channel.send(ipc.Done())  # nothing of that is in a picture
            case Drawn():
                self._pictures += 1
                self._report()  # first: the daemon asks for the facts as soon as the picture is open
                if self._pictures == 1:
                    self._channel.send(ipc.OpenedReport(MediaType.IMAGE, False))
            case Failure():
                self._channel.send(ipc.Failed(item.code, item.message, is_full=item.is_full))

    def _report(self) -> None:
        self._channel.send(
            ipc.ProgressReport(
                pictures=self._pictures,
                lost=0,
                audio_buffers=0,
                clock=None,
                position=None,
                duration=None,
                stream_type=StreamType.BUFFERED if self._pictures else None,
                hardware_decoding=None,
            )
        )

    def _work(self, load: ipc.Load) -> None:
        try:
            self._show(load)
        except NoPictureError as error:
            self._inbox.put(error.failure)
        except BaseException:  # a thread that dies alone would look like a picture that stands
            traceback.print_exc()
            os._exit(1)

    def _show(self, load: ipc.Load) -> None:
        picture, due = _fetched(load)
        canvas = Canvas(load.xid)
        while True:
            for frame, seconds in picture.frames(canvas.size):
                canvas.show(frame)
                self._inbox.put(Drawn())
                pause = min(max(0.0, due - time.monotonic()), math.inf if seconds is None else seconds)
                if not canvas.wait(None if pause == math.inf else pause):
                    break  # the window has another size: from the beginning
                if time.monotonic() >= due:
                    break
            if time.monotonic() >= due:  # what is shown stays until the next one is there
                picture, due = _fetched(load)


def _fetched(load: ipc.Load) -> tuple[Picture, float]:
    """The picture, and the monotonic time at which it is to be fetched again. Raises NoPictureError."""
    due = time.monotonic() + (load.refresh or math.inf)
    return Picture(fetch(load.url), url=load.url), due


def limit_memory() -> None:
    """Make oversized allocations fail in this process, with MemoryError."""
    with open("/proc/self/status", encoding="ascii") as file:
        used = next(int(line.split()[1]) * 1024 for line in file if line.startswith("VmData:"))
    limit = used + min(MEMORY_LIMIT, available_bytes() // 2)
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    if hard == resource.RLIM_INFINITY or limit < hard:
        resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))


def main() -> None:
    parser = argparse.ArgumentParser(description="A player process of cast-agent; started by the daemon only.")
    parser.add_argument("--fd", type=int, required=True)
    parser.add_argument("--parent", type=int, required=True)
    parser.add_argument("--confine", nargs="+", help="what it may reach")
    options = parser.parse_args()
    die_with_parent(options.parent)
    limit_memory()
    PictureWorker(
        channel_fd=options.fd,
        confinement=Confinement.from_words(options.confine) if options.confine else None,
    ).run()


if __name__ == "__main__":
    main()
