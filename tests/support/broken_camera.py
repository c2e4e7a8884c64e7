"""Cameras that misbehave from the start: they speak just enough RTSP to be believed."""

from __future__ import annotations

import socket
import threading
from types import TracebackType


class BrokenCamera:
    """Takes connections on a free port. It never answers; or, with `answers`, it agrees to play and sends nothing; or
    it redirects every request to the address `leads_to`."""

    def __init__(self, *, answers: bool = False, leads_to: str = "") -> None:
        self._answers = answers or bool(leads_to)
        self._leads_to = leads_to
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._held: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self._accepting = threading.Thread(target=self._accept, name="broken-camera", daemon=True)

    def __enter__(self) -> BrokenCamera:
        self._accepting.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._accepting.join(2)
        for connection in self._held:
            connection.close()
        for thread in self._threads:
            thread.join(2)

    @property
    def url(self) -> str:
        return f"rtsp://127.0.0.1:{self._listener.getsockname()[1]}/camera"

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self._held.append(connection)
            if self._answers:
                thread = threading.Thread(target=self._talk, args=(connection,), name="broken-talk", daemon=True)
                self._threads.append(thread)
                thread.start()

    def _talk(self, connection: socket.socket) -> None:
        text = b""
        while True:
            try:
                piece = connection.recv(4096)
            except OSError:
                return
            if not piece:
                return
            text += piece
            while b"\r\n\r\n" in text:
                request, _, text = text.partition(b"\r\n\r\n")
                connection.sendall(_answer(request.decode(), self._leads_to))


_SDP = (
    "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=camera\r\nt=0 0\r\nm=video 0 RTP/AVP 96\r\n"
    "a=rtpmap:96 H264/90000\r\na=fmtp:96 packetization-mode=1\r\na=control:track0\r\n"
)


def _answer(request: str, leads_to: str) -> bytes:
    method = request.split(" ", 1)[0]
    number = next(line for line in request.splitlines() if line.lower().startswith("cseq"))
    if leads_to:
        return f"RTSP/1.0 302 Moved\r\n{number}\r\nLocation: {leads_to}\r\n\r\n".encode()
    head, body = f"RTSP/1.0 200 OK\r\n{number}\r\nSession: 1\r\n", ""
    match method:
        case "OPTIONS":
            head += "Public: OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN\r\n"
        case "DESCRIBE":
            body = _SDP
            head += f"Content-Type: application/sdp\r\nContent-Length: {len(body)}\r\n"
        case "SETUP":
            head += "Transport: RTP/AVP/TCP;unicast;interleaved=0-1\r\n"
    return f"{head}\r\n{body}".encode()
