"""The key of the commands on this machine: kept where only those can read it who may make keys anyway."""

from __future__ import annotations

import grp
import os
from pathlib import Path
from typing import Final

FILE: Final = "cli-key"

READ_LIMIT: Final = 256
"""Characters; a key has 47."""

ADMINS: Final = "sudo"
"""Debian's group of those who may do everything by sudo: a key gives them nothing that they do not have."""


def kept_key(*folders: Path) -> str | None:
    """The first key that is kept in one of these folders; None where there is none, or none for this user."""
    for folder in folders:
        try:
            with (folder / FILE).open(encoding="ascii") as stream:
                if key := stream.read(READ_LIMIT).strip():
                    return key
        except (OSError, UnicodeDecodeError):
            pass
    return None


def keep(folder: Path, key: str, *, for_admins: Path | None = None) -> Path:
    """Keep this key, instead of another one, in the state directory, for its owner and root. In the folder
    `for_admins` the group `sudo` gets it, too, where there is one. Raises OSError."""
    from agent.util.files import write_whole

    write_whole(folder / FILE, f"{key}\n")
    if for_admins is not None and (group := _admins()) is not None:
        write_whole(for_admins / FILE, f"{key}\n")
        os.chown(for_admins / FILE, -1, group)
        (for_admins / FILE).chmod(0o640)
    return folder / FILE


def forget(folder: Path) -> None:
    """Keep none any more. Raises OSError."""
    (folder / FILE).unlink(missing_ok=True)


def _admins() -> int | None:
    try:
        return grp.getgrnam(ADMINS).gr_gid
    except KeyError:
        return None
