"""The SHA-256 of a file, computed a piece at a time."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import BinaryIO, Final

from central.core.threads import in_thread, open_in_thread

PIECE: Final = 8 * 1024 * 1024
"""Bytes that are hashed in one go: some 10 ms, after which the service may stop."""


async def sha256_of(path: Path) -> str:
    """In hexadecimal, of all of the file. Raises OSError."""
    found = hashlib.sha256()

    def take() -> BinaryIO:
        return path.open("rb")

    async with open_in_thread(take) as file:

        def step() -> bool:
            piece = file.read(PIECE)
            found.update(piece)
            return bool(piece)

        while await in_thread(step):
            pass
    return found.hexdigest()
