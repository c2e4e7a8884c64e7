"""A body that is too large to be held: the handler gets it as it comes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Upload:
    """The bytes of a body, to be read once."""

    length: int | None
    """Bytes, as far as the caller said so."""
    chunks: AsyncIterator[bytes]
    """Ends with the body. Raises aiohttp's HTTP errors when it is cut off (400) or the caller is silent (408)."""
