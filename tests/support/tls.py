"""TLS for the tests: certificates of their own, a front that speaks it before any server, a system that trusts it."""

from __future__ import annotations

import asyncio
import ssl
import sys
from dataclasses import dataclass
from pathlib import Path

from tests.support.running import Front, pump
from tests.support.tools import need, run


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


class TlsFront(Front):
    """`with TlsFront(certificate, before=port) as front: front.port`: TLS there is plain TCP to `before`, whatever it
    carries. What is refused by a client is no error here."""

    def __init__(self, certificate: Certificate, *, before: int) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate.file, certificate.key)
        super().__init__("tls-front", before=before, context=context)
        self.received = 0
        """Bytes of clients that took the certificate."""

    async def _serve(self) -> None:
        asyncio.get_running_loop().set_exception_handler(lambda loop, context: None)
        await super()._serve()

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        behind, to = await asyncio.open_connection("127.0.0.1", self.before)
        ways = {
            asyncio.create_task(pump(reader, to, seen=self._count)),
            asyncio.create_task(pump(behind, writer)),
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
