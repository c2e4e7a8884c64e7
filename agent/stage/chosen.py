"""The screen that the installation was given, and the advice if there is none."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

DISPLAY_LOG = "journalctl -u cast-agent-display"


@dataclass(frozen=True, slots=True)
class ChosenScreen:
    """`console`, `desktop` (of `user`) or `none`, as `make install` was told; empty where nothing was installed."""

    kind: str = ""
    user: str = ""

    @classmethod
    def of_this_installation(cls, prefix: str = sys.prefix) -> ChosenScreen:
        """The display that scripts/install.sh has recorded beside this program."""
        try:
            kind, _, user = (Path(prefix) / "screen").read_text(encoding="utf-8").strip().partition(" ")
        except (OSError, ValueError):
            return cls()
        return cls(kind, user)

    @property
    def start(self) -> str:
        """The way to get a display where there is none; sentences."""
        match self.kind:
            case "console":
                return (
                    f"Its X server is that of cast-agent-display.service: `{DISPLAY_LOG}` says why it does not run. "
                    "It is restarted automatically."
                )
            case "desktop":
                return (
                    f"This box shows on the desktop of {self.user}: log {self.user} in on its screen, or have the "
                    "display manager do so at each start; cast-agent takes the screen then."
                )
            case "none":
                return (
                    "This box was installed without a screen (--no-display): start an X server, or install again with "
                    "--console or --desktop USER."
                )
        return "Start a desktop session or an X server; cast-agent takes the screen as soon as there is one."

    @property
    def restart(self) -> str:
        """The command, in words, that starts the X server anew."""
        if self.kind == "console":
            return f"`systemctl restart cast-agent-display`; its log: `{DISPLAY_LOG}`"
        return "usually `systemctl restart display-manager`"
