"""The plug-ins of libVLC: their folders, their presence, and their list."""

from __future__ import annotations

import os
from pathlib import Path


def has_plugin(file_name: str) -> bool:
    """Return True if the loaded libVLC has this plug-in."""
    return any(next(Path(folder).rglob(file_name), None) for folder in plugin_folders())


def has_plugin_cache() -> bool:
    """Return True if libVLC has a list of its plug-ins. Without one each player opens some 300 files when it starts."""
    return any(Path(folder, "plugins.dat").exists() for folder in plugin_folders())


def plugin_folders() -> list[str]:
    """The plug-in folders of the loaded libVLC."""
    folders = [Path(p) for p in os.environ.get("VLC_PLUGIN_PATH", "").split(os.pathsep) if p]
    with open("/proc/self/maps", encoding="utf-8", errors="replace") as maps:
        files = {line.rstrip("\n").partition("/")[2] for line in maps}
    folders += {Path("/" + f).parent / "vlc" / "plugins" for f in files if "libvlccore.so" in f}
    return [str(folder) for folder in folders]
