"""Cameras over HTTP on a port of this machine, each behind a path that nobody can guess, as NUT without end."""

from __future__ import annotations

import http.server
import secrets
import socket
import sys
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from typing import Any, Final

import av
import av.error

from agent.player.camera.errors import GoneError
from agent.player.camera.link import Camera, Viewer
from agent.player.camera.messages import CAMERAS_LIMIT, FORMAT, OWN_ADDRESS
from agent.player.camera.still import SIZE_HEADER, TYPE, Room
from agent.player.camera.tail import Packet

THREADS_LIMIT: Final = 2 * CAMERAS_LIMIT + 64
"""Two for each camera, and one for each of those who watch. A port of this machine is open to its other users."""

_OPTIONS: Final = {"flush_packets": "1", "write_index": "0"}
"""Each packet goes out at once."""
_REQUEST_LIMIT_S: Final = 5.0
"""A player asks at once, and takes what comes; who does not is cut off."""


class CameraServer:
    """The port, and the paths of the cameras."""

    def __init__(self) -> None:
        self._cameras: dict[str, Camera] = {}
        self._paths: dict[str, str] = {}
        self._server = _Server(("127.0.0.1", 0), partial(_Handler, lambda path: self._cameras.get(path)))
        threading.Thread(target=self._server.serve_forever, name="http", daemon=True).start()

    def serve(self, cameras: Mapping[str, Camera]) -> None:
        """Serve these, by id, from now on; each under the path that it had."""
        self._paths = {id_: self._paths.get(id_) or f"/{secrets.token_urlsafe(16)}.nut" for id_ in cameras}
        self._cameras = {self._paths[id_]: camera for id_, camera in cameras.items()}

    def url(self, id_: str) -> str:
        """The address of this camera."""
        return f"{OWN_ADDRESS}{self._server.server_address[1]}{self._paths[id_]}"


class _Server(http.server.ThreadingHTTPServer):
    def process_request(self, request: Any, client_address: Any) -> None:
        if threading.active_count() < THREADS_LIMIT:
            super().process_request(request, client_address)
        else:
            self.shutdown_request(request)


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = _REQUEST_LIMIT_S

    def __init__(self, find: Callable[[str], Camera | None], *arguments: Any) -> None:
        self._find = find
        super().__init__(*arguments)  # serves the request

    def do_GET(self) -> None:
        self.close_connection = True
        path, _, query = self.path.partition("?")
        camera = self._find(path)
        if camera is not None and query:
            self._send_still(camera, query)
        else:
            self._send_stream(camera)

    def _send_still(self, camera: Camera, query: str) -> None:
        try:
            made = camera.still(Room.of(query))
        except (av.error.FFmpegError, GoneError, ValueError):  # a start shows moving pictures in any case
            made = None
        if made is None:
            self.send_error(404)
            return
        with suppress(OSError):
            self.send_response(200)
            self.send_header("Content-Type", TYPE)
            self.send_header(SIZE_HEADER, f"{made.width} {made.height}")
            self.send_header("Content-Length", str(len(made.data)))
            self.end_headers()
            self.wfile.write(made.data)

    def _send_stream(self, camera: Camera | None) -> None:
        try:
            viewer = camera.join() if camera is not None else None
        except GoneError:
            viewer = None
        if camera is None or viewer is None:
            self.send_error(404)
            return
        try:
            with suppress(OSError, GoneError):  # it watches no longer, or there is nothing more
                self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self.send_response(200)
                self.send_header("Content-Type", "video/x-nut")
                self.send_header("Connection", "close")
                self.end_headers()
                _Remux(viewer, self.wfile).run()
        except (av.error.FFmpegError, ValueError) as error:
            print(f"A camera cannot be passed on: {error}", file=sys.stderr)
        finally:
            camera.leave(viewer)

    def log_message(self, *_: Any) -> None:
        """Say nothing: the path is a secret."""


class _Remux:
    """What one viewer gets."""

    def __init__(self, viewer: Viewer, out: Any) -> None:
        self._viewer = viewer
        self._container = av.open(out, "w", format=FORMAT, options=_OPTIONS)
        self._tracks = {
            number: self._container.add_stream_from_template(track) for number, track in viewer.tracks.items()
        }
        self._units = {number: track.time_base for number, track in viewer.tracks.items()}
        self._last: dict[int, int] = {}
        """The time of the last packet of each track."""

    def run(self) -> None:
        """Write until one of both sides ends. Raises GoneError, OSError or an error of FFmpeg."""
        for packet in self._viewer.take_first():
            self._write(packet)
        while True:
            self._write(self._viewer.next())

    def _write(self, packet: Packet) -> None:
        # A camera that says what time it is (RTCP) may set its clock back a little; FFmpeg takes no time twice.
        dts = max(packet.dts, self._last.get(packet.track, packet.dts - 1) + 1)
        self._last[packet.track] = dts
        written = av.Packet(packet.data)
        written.time_base = self._units[packet.track]
        written.pts, written.dts, written.duration = max(packet.pts, dts), dts, packet.duration
        written.is_keyframe = packet.is_key
        written.stream = self._tracks[packet.track]
        self._container.mux(written)
