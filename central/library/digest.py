"""The SHA-256 of a file, computed a piece at a time."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Final

from central.core.threads import in_thread

PIECE: Final = 8 * 1024 * 1024
"""Bytes that are hashed in one go: some 10 ms, after which the service may stop."""


async def sha256_of(path: Path) -> str:
    """In hexadecimal, of all of the file. Raises OSError."""
    found = hashlib.sha256()
    file = await in_thread(path.open, "rb")

    def step() -> bool:
        piece = file.read(PIECE)
        found.update(piece)
        return bool(piece)

    try:
        while await in_thread(step):
            pass
    finally:
        await in_thread(file.close)
    return found.hexdigest()
