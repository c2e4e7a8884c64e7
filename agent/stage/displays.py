"""The X displays to try, and the advice if there is none."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from agent.errors import PlayerUnavailableError
from agent.stage.chosen import ChosenScreen

SOCKETS = Path("/tmp/.X11-unix")  # noqa: S108 - where every X server puts its sockets

_NAME = re.compile(r"(?:unix)?:(?P<number>\d{1,5})(?:\.(?P<screen>\d{1,2}))?")


@dataclass(frozen=True, slots=True)
class DisplayAddress:
    """An X display of this machine."""

    number: int
    screen: int
    socket: Path
    restart: str = ChosenScreen().restart
    """The way to start its server again; a sentence."""

    @property
    def name(self) -> str:
        return f":{self.number}.{self.screen}" if self.screen else f":{self.number}"


def addresses(
    display: str | None, environ: Mapping[str, str], sockets: Path = SOCKETS, chosen: ChosenScreen | None = None
) -> list[DisplayAddress]:
    """The displays to try, in order: the one that is configured, else `$DISPLAY`, else every socket there is.

    Raises PlayerUnavailableError, with what to do, when there is none to try.
    """
    chosen = chosen or ChosenScreen()
    for name, origin in ((display, "the setting `display`"), (environ.get("DISPLAY"), "$DISPLAY")):
        if name:
            return [_named(name, origin, environ, sockets, chosen)]
    found = sorted((int(path.name[1:]), path) for path in _list(sockets) if re.fullmatch(r"X\d{1,5}", path.name))
    if not found:
        raise PlayerUnavailableError(_none(environ, sockets, chosen))
    return [DisplayAddress(number, 0, path, chosen.restart) for number, path in found]


def _named(name: str, origin: str, environ: Mapping[str, str], sockets: Path, chosen: ChosenScreen) -> DisplayAddress:
    match = _NAME.fullmatch(name)
    if match is None:
        # Another machine's display is not looked for: with the DNS dead, libxcb's TCP attempt blocks for minutes.
        raise PlayerUnavailableError(
            f"The display {name!r} (from {origin}) cannot be used: name a display of this machine, such as `:0`."
        )
    address = DisplayAddress(
        int(match["number"]), int(match["screen"] or 0), sockets / f"X{match['number']}", chosen.restart
    )
    if not address.socket.exists():
        hint = _wayland(environ)
        raise PlayerUnavailableError(
            f"There is no X server on the display {address.name} (from {origin}; {address.socket} does not exist). "
            + (hint or f"{_start_of(address, chosen)} Or name the right display in `[display] display`.")
        )
    return address


def _start_of(address: DisplayAddress, chosen: ChosenScreen) -> str:
    return chosen.start if chosen.kind else f"Start the X server of {address.name}."


def _none(environ: Mapping[str, str], sockets: Path, chosen: ChosenScreen) -> str:
    return _wayland(environ) or (
        f"There is no display: no X server runs on this machine ({sockets} is empty and $DISPLAY is not set). "
        f"{chosen.start}"
    )


def _wayland(environ: Mapping[str, str]) -> str:
    """The advice for a Wayland session without XWayland; empty if there is no Wayland session."""
    name = environ.get("WAYLAND_DISPLAY", "")
    if not name:
        runtime = environ.get("XDG_RUNTIME_DIR")
        names = (path.name for path in _list(Path(runtime)) if path.is_socket()) if runtime else iter(())
        name = next((found for found in sorted(names) if found.startswith("wayland-")), "")
    if not name:
        return ""
    return (
        f"This is a Wayland session ({name}) without XWayland, and cast-agent draws through X11. Install XWayland "
        "(Debian: `apt install xwayland`) and enable it in the compositor (sway: `xwayland enable`), then log in "
        "again; or choose an X session."
    )


def _list(folder: Path) -> Iterable[Path]:
    try:
        return list(folder.iterdir())
    except OSError:  # not there, or not ours to read: the same as empty
        return []
