"""Xauthority files, and X servers that let in nobody without what is in one."""

from __future__ import annotations

import secrets
import socket
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tests.support.tools import end, need


def entry(cookie: bytes, *, host: str | None = "", number: str = "") -> bytes:
    """One entry; bound to this host, to another one, or (None) to none."""
    family = b"\xff\xff" if host is None else b"\1\0"
    parts: tuple[bytes, ...] = (b"" if host is None else (host or socket.gethostname()).encode(), number.encode())
    parts += (b"MIT-MAGIC-COOKIE-1", cookie)
    return family + b"".join(len(part).to_bytes(2, "big") + part for part in parts)


def cookie() -> bytes:
    return secrets.token_bytes(16)


@contextmanager
def private_display(content: bytes, folder: Path, *, wayland: Mapping[str, str] | None = None) -> Iterator[str]:
    """An X server that wants a cookie of this authority file; its display. It is Xvfb, or XWayland in a session."""
    file = folder / "of-the-server"
    file.write_bytes(content)
    command = [need("Xvfb"), "-screen", "0", "640x360x24"] if wayland is None else [need("Xwayland")]
    command += ["-auth", str(file), "-nolisten", "tcp", "-noreset", "-displayfd", "1"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=wayland)
    assert process.stdout is not None
    try:
        yield f":{process.stdout.readline().decode().strip()}"
    finally:
        process.stdout.close()
        end(process)
