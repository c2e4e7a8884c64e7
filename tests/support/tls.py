"""TLS for the tests: certificates of their own, a front that speaks it before any server, a system that trusts it."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from tests.support.tools import need, run

START_S = 5.0
_PIECE_BYTES = 64 * 1024


@dataclass(frozen=True)
class Certificate:
    """Self-signed, as a camera has it."""

    file: Path
    key: Path


def make_certificate(folder: Path, *, name: str = "localhost") -> Certificate:
    made = Certificate(folder / f"{name}.pem", folder / f"{name}.key")
    what = ["-subj", f"/CN={name}", "-addext", f"subjectAltName=DNS:{name}", "-days", "2"]
    ways = ["-newkey", "rsa:2048", "-nodes", "-keyout", str(made.key), "-out", str(made.file)]
    run(["openssl", "req", "-x509", *ways, *what], timeout_s=20)
    return made


def python_that_trusts(certificate: Certificate, folder: Path) -> str:
    """A Python under which this certificate is what the system trusts, as after `update-ca-certificates`: in a mount
    namespace of its own, so root is needed."""
    trusted = folder / "trusted"
    trusted.mkdir()
    number = run(["openssl", "x509", "-in", str(certificate.file), "-noout", "-subject_hash"], timeout_s=20).strip()
    for name in ("ca-certificates.crt", f"{number}.0"):
        (trusted / name).write_bytes(certificate.file.read_bytes())
    program = folder / "python"
    bind = f"mount --bind {trusted} /etc/ssl/certs"
    program.write_text(
        f'#!/bin/sh\nexec {need("unshare")} --mount sh -c \'{bind} && exec {sys.executable} "$@"\' - "$@"\n'
    )
    program.chmod(0o755)
    return str(program)


class TlsFront:
    """`with TlsFront(certificate, before=port) as front: front.port`: TLS there is plain TCP to `before`, whatever it
    carries. What is refused by a client is no error here."""

    def __init__(self, certificate: Certificate, *, before: int) -> None:
        self.port = 0
        self.received = 0
        """Bytes of clients that took the certificate."""
        self.before = before
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(certificate.file, certificate.key)
        self._listening = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), name="tls-front", daemon=True)

    def __enter__(self) -> TlsFront:
        self._thread.start()
        assert self._listening.wait(START_S)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._loop.call_soon_threadsafe(self._serving.cancel)
        self._thread.join(START_S)
        assert not self._thread.is_alive()

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._loop.set_exception_handler(lambda loop, context: None)
        self._serving = asyncio.create_task(asyncio.Event().wait())
        server = await asyncio.start_server(self._carry, "127.0.0.1", 0, ssl=self._context)
        self.port = server.sockets[0].getsockname()[1]
        self._listening.set()
        with contextlib.suppress(asyncio.CancelledError):
            await self._serving
        server.close()

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        behind, to = await asyncio.open_connection("127.0.0.1", self.before)
        ways = {
            asyncio.create_task(_pump(reader, to, seen=self._count)),
            asyncio.create_task(_pump(behind, writer, seen=lambda count: None)),
        }
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            to.transport.abort()
            writer.close()

    def _count(self, count: int) -> None:
        self.received += count


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, seen: Callable[[int], None]) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(_PIECE_BYTES):
            seen(len(data))
            writer.write(data)
            await writer.drain()
