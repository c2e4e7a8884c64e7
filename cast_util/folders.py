"""The folders of a program."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path


def state_folder(program: str, environ: Mapping[str, str]) -> Path:
    """The folder in which systemd, or else the XDG rules, have the state of this program. Raises RuntimeError when this
    user has no home directory."""
    if by_systemd := environ.get("STATE_DIRECTORY"):
        return Path(by_systemd.split(":")[0])  # systemd lists several with colons
    xdg = Path(environ.get("XDG_STATE_HOME", ""))
    home = xdg if xdg.is_absolute() else Path.home() / ".local" / "state"  # XDG has relative ones ignored
    return home / program
