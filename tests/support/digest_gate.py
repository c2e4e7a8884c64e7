"""A door before a camera: it wants a password by the methods of the test, and lets the right one through."""

from __future__ import annotations

import contextlib
import socket
import threading
from types import TracebackType

from tests.support import digest


class DigestGate:
    """`with DigestGate(cameras.port, ["MD5", "SHA-256"]) as gate: gate.url("/red")`. The challenges are sent in that
    order, a header each. `proofs` are the Authorization headers that came, "" for a request without one."""

    def __init__(self, port: int, offered: list[str]) -> None:
        self._port = port
        self._offered = offered
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._open: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept, name="digest-gate", daemon=True)]
        self.proofs: list[str] = []

    def __enter__(self) -> DigestGate:
        self._threads[0].start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for each in (self._listener, *self._open):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(2)
        for each in (self._listener, *self._open):
            each.close()

    def url(self, path: str, *, userinfo: str) -> str:
        return f"rtsp://{userinfo}@127.0.0.1:{self._listener.getsockname()[1]}{path}"

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
                camera = socket.create_connection(("127.0.0.1", self._port))
            except OSError:
                return
            self._open += [client, camera]
            for work in ((self._let_in, client, camera), (_carry, camera, client)):
                thread = threading.Thread(target=work[0], args=work[1:], name="digest-gate-line", daemon=True)
                self._threads.append(thread)
                thread.start()

    def _let_in(self, client: socket.socket, camera: socket.socket) -> None:
        """Requests one by one until the password was right; then everything."""
        text = b""
        with contextlib.suppress(OSError):
            while piece := client.recv(4096):
                text += piece
                while b"\r\n\r\n" in text:
                    head, _, text = text.partition(b"\r\n\r\n")
                    method, *_ = lines = head.decode().split("\r\n")
                    fields = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines[1:])}
                    proof = fields.get("authorization", "")
                    self.proofs.append(proof)
                    if digest.lets_in(proof, method.split(" ")[0], self._offered):
                        kept = [line for line in lines if not line.lower().startswith("authorization:")]
                        camera.sendall("\r\n".join(kept).encode() + b"\r\n\r\n" + text)
                        _carry(client, camera)
                        return
                    asks = "".join(f"WWW-Authenticate: {digest.challenge(way)}\r\n" for way in self._offered)
                    client.sendall(f"RTSP/1.0 401 Unauthorized\r\nCSeq: {fields['cseq']}\r\n{asks}\r\n".encode())


def _carry(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while piece := source.recv(65536):
            target.sendall(piece)
    for each in (source, target):
        with contextlib.suppress(OSError):
            each.shutdown(socket.SHUT_RDWR)
