"""The process that keeps cameras ready. It is told which, reports on them each second, and never outlives the daemon.

PyAV, FFmpeg's libraries for Python, reads what cameras send, as players do: a hostile one may take this process over,
which is why it is confined as they are.
"""

from __future__ import annotations

import argparse
import queue
import sysconfig
from collections.abc import Mapping
from typing import Final

from agent.player.camera.link import Camera
from agent.player.camera.messages import WANTED_LIMIT, decode_wanted, encode_reports
from agent.player.camera.serve import CameraServer
from agent.player.channel import Channel
from agent.player.confine import Confinement, confine
from cast_util.privileges import die_with_parent

REPORT_INTERVAL_S: Final = 1.0


class CameraWorker:
    """The cameras, and the line to the daemon."""

    def __init__(self, fd: int) -> None:
        self._inbox: queue.SimpleQueue[dict[str, str] | None] = queue.SimpleQueue()
        self._cameras: dict[str, Camera] = {}
        self._server = CameraServer()
        self._channel = Channel(fd, self._inbox, decode=decode_wanted, limit=WANTED_LIMIT)

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

    def _keep(self, wanted: Mapping[str, str]) -> None:
        for id_ in self._cameras.keys() - wanted.keys():
            self._cameras.pop(id_).end()
        for id_, url in wanted.items():
            if id_ in self._cameras:
                self._cameras[id_].url = url
            else:
                self._cameras[id_] = Camera(id_, url, changed=lambda: self._inbox.put(None))
        self._server.serve(self._cameras)

    def _report(self) -> None:
        reports = [camera.report(self._server.url(id_)) for id_, camera in self._cameras.items()]
        self._channel.say(encode_reports(reports))


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
