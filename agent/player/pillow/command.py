"""The command of a `pillow` player process, and its purpose."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import PurePosixPath
from urllib.parse import urlsplit

from agent.player.confine import Confinement

SCHEMES = frozenset({"http", "https", "file"})
"""The schemes that the engine can fetch."""

_ENDINGS = frozenset({".jpg", ".jpeg", ".png", ".gif", ".webp", ".avif", ".svg", ".bmp", ".tif", ".tiff", ".jp2"})


def looks_like_picture(url: str) -> bool:
    """Return True if the address ends as those of pictures do. Only its content can tell for certain."""
    parts = urlsplit(url)
    return parts.scheme in SCHEMES and PurePosixPath(parts.path).suffix.lower() in _ENDINGS


def pillow_command(*, confinement: Confinement | None = None) -> Callable[[], list[str]]:
    """The command that starts a picture player. Without a confinement it reaches what the daemon reaches."""
    command = [sys.executable, "-m", "agent.player.pillow.worker"]
    if confinement:
        command += confinement.arguments()
    return lambda: command
