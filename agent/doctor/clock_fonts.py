"""The checks of the clock, and of the fonts for subtitles."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from agent.doctor.findings import Finding, Level
from agent.host.clock import synchronised

FONT_FOLDERS = (
    Path("/usr/share/fonts"),
    Path("/usr/local/share/fonts"),
    Path("~/.local/share/fonts"),
    Path("~/.fonts"),
)
"""The default font folders of fontconfig."""

FONT_SUFFIXES = {".ttf", ".otf", ".ttc", ".pfb"}

BUILT = 1_760_000_000.0
"""October 2025, in seconds since 1970: no clock that is right shows an earlier time."""


def clock(now: Callable[[], float] = time.time, kept: Callable[[], bool] = synchronised) -> Finding:
    """Check whether the clock is right, which deadlines, certificates and reports rely on."""
    if now() < BUILT:
        found = f"The clock is wrong: it shows the year {time.gmtime(now()).tm_year}."
        advice = "Certificates of https streams are refused until it is right. Set it (timedatectl set-ntp true)."
        return Finding(Level.FAIL, "clock", found, advice)
    if not kept():
        found = "Nothing sets the clock by the network: after a power cut a box without a battery comes up in the past."
        return Finding(Level.WARN, "clock", found, "Enable NTP (apt install systemd-timesyncd; timedatectl).")
    return Finding(Level.OK, "clock", "A network time service keeps it.")


def fonts(folders: Sequence[Path] = FONT_FOLDERS) -> Finding:
    """Check whether subtitles can be drawn. Blocks for the file system."""
    for folder in folders:
        for _, _, names in os.walk(folder.expanduser()):
            if any(Path(name).suffix.lower() in FONT_SUFFIXES for name in names):
                return Finding(Level.OK, "fonts", f"There are some in {folder}.")
    return Finding(
        Level.WARN, "fonts", "No fonts are installed, so subtitles are not shown.", "apt install fonts-dejavu-core."
    )
