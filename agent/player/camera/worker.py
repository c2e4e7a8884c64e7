"""The process that keeps cameras ready. It is told which, reports on them each second, and never outlives the daemon.

PyAV, FFmpeg's libraries for Python, reads what cameras send, as players do: a hostile one may take this process over,
which is why it is confined as they are.
"""

from __future__ import annotations

import argparse
import os
import queue
import socket
import sysconfig
import threading
from typing import Final

from agent.player.camera.link import Camera
from agent.player.camera.messages import WANTED_LIMIT, Wanted, decode_wanted, encode_reports
from agent.player.camera.serve import CameraServer
from agent.player.confine import Confinement, confine
from cast_util.privileges import die_with_parent

REPORT_INTERVAL_S: Final = 1.0


class CameraWorker:
    """The cameras, and the line to the daemon."""

    def __init__(self, fd: int) -> None:
        self._line = socket.socket(fileno=fd)
        self._inbox: queue.SimpleQueue[Wanted | None] = queue.SimpleQueue()
        self._cameras: dict[str, Camera] = {}
        self._server = CameraServer()
        threading.Thread(target=self._read, name="commands", daemon=True).start()

    def run(self) -> None:
        """Serve until the daemon goes away or kills."""
        while True:
            try:
                wanted = self._inbox.get(timeout=REPORT_INTERVAL_S)
            except queue.Empty:
                wanted = None
            if wanted is not None:
                self._keep(wanted)
            self._report()

    def _keep(self, wanted: Wanted) -> None:
        for id_ in self._cameras.keys() - wanted.cameras.keys():
            self._cameras.pop(id_).end()
        for id_, url in wanted.cameras.items():
            if id_ in self._cameras:
                self._cameras[id_].url = url
            else:
                self._cameras[id_] = Camera(id_, url, changed=lambda: self._inbox.put(None))
        self._server.serve(self._cameras)

    def _report(self) -> None:
        reports = [camera.report(self._server.url(id_)) for id_, camera in self._cameras.items()]
        try:
            self._line.sendall(encode_reports(reports))
        except OSError:
            os._exit(0)

    def _read(self) -> None:
        with self._line.makefile("rb") as lines:
            while line := lines.readline(WANTED_LIMIT):
                try:
                    self._inbox.put(decode_wanted(line))
                except ValueError:
                    os._exit(2)  # the daemon speaks another version: only a new process helps
        os._exit(0)


def main() -> None:
    parser = argparse.ArgumentParser(description="Keeps cameras ready for cast-agent; started by the daemon only.")
    parser.add_argument("--fd", type=int, required=True)
    parser.add_argument("--parent", type=int, required=True)
    parser.add_argument("--confine", nargs="+", help="what it may reach")
    options = parser.parse_args()
    die_with_parent(options.parent)
    if options.confine:
        libraries = [sysconfig.get_path("purelib"), sysconfig.get_path("platlib")]
        confine(Confinement.from_words(options.confine), libraries=libraries)
    CameraWorker(options.fd).run()


if __name__ == "__main__":
    main()
