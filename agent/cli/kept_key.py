"""The key of the commands on this machine: kept in the state directory, where only who may make keys can read it."""

from __future__ import annotations

from pathlib import Path
from typing import Final

FILE: Final = "cli-key"

READ_LIMIT: Final = 256
"""Characters; a key has 47."""


def kept_key(folder: Path) -> str | None:
    """The key that is kept in this state directory; None where there is none, or none for this user."""
    try:
        with (folder / FILE).open(encoding="ascii") as stream:
            return stream.read(READ_LIMIT).strip() or None
    except (OSError, UnicodeDecodeError):
        return None


def keep(folder: Path, key: str) -> Path:
    """Keep this key, instead of another one. Raises OSError."""
    from agent.files import write_whole

    write_whole(folder / FILE, f"{key}\n")
    return folder / FILE


def forget(folder: Path) -> None:
    """Keep none any more. Raises OSError."""
    (folder / FILE).unlink(missing_ok=True)
