"""The cookies that may open a display, wherever sessions keep them, and the file in which players find the one."""

from __future__ import annotations

import os
import pwd
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from agent.util.files import write_whole

COOKIES_AT_MOST = 8
"""The limit for one display; a session has one cookie, and a server says no at once."""

_FILES_AT_MOST = 16
"""Old sessions leave theirs behind; the newest of each kind come first."""
_FILE_BYTES_AT_MOST = 65536
"""An entry takes some 60."""

_COOKIE = b"MIT-MAGIC-COOKIE-1"
_FAMILY_LOCAL, _FAMILY_WILD = 256, 65535

_IN_RUNTIME_DIR = ("gdm/Xauthority", ".mutter-Xwaylandauth.*", "xauth_*", "lyxauth")
"""GDM on X11; GNOME's and KDE's XWayland, whose names end at random at each login; Ly."""
_IN_TMP = "xauth_*"
"""SDDM 0.20 and newer, on X11."""


@dataclass(frozen=True, slots=True)
class Cookie:
    """The credentials for a display."""

    name: bytes = b""
    data: bytes = b""


def cookies(number: int, environ: Mapping[str, str], *, root: Path = Path("/")) -> list[Cookie]:
    """The cookies for a local display, the likeliest first, and no cookie last, because a server may know this user by
    its uid.

    A cookie is bound to the host name of when the session began, which may have changed since: cookies of other names
    come after those of the current name. `root` is for tests.
    """
    ours: list[Cookie] = []
    of_other_names: list[Cookie] = []
    host = os.uname().nodename.encode()
    for file in _files(environ, root):
        for family, owner, display, name, data in _entries(_read(file)):
            if name != _COOKIE or display not in (b"", str(number).encode()):
                continue
            if family == _FAMILY_WILD or (family == _FAMILY_LOCAL and owner == host):
                ours.append(Cookie(name, data))
            elif family == _FAMILY_LOCAL:
                of_other_names.append(Cookie(name, data))
    return [*list(dict.fromkeys([*ours, *of_other_names]))[:COOKIES_AT_MOST], Cookie()]


def hand_on(cookie: Cookie, number: int, file: Path) -> None:
    """Write the authority file of players: with this cookie alone, whatever the host is called.

    Blocks. Raises OSError.
    """
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    parts = (b"", str(number).encode(), cookie.name, cookie.data)
    entry = struct.pack(">H", _FAMILY_WILD) + b"".join(struct.pack(">H", len(part)) + part for part in parts)
    write_whole(file, entry if cookie.name else b"", durable=False)


def _files(environ: Mapping[str, str], root: Path) -> list[Path]:
    home = environ.get("HOME", "")
    found = [environ.get("XAUTHORITY", ""), home and f"{home}/.Xauthority"]
    files = [Path(name) for name in found if os.path.isabs(name)]
    runtime = environ.get("XDG_RUNTIME_DIR", "")
    folders = ([Path(runtime)] if os.path.isabs(runtime) else []) + [root / f"run/user/{os.geteuid()}"]
    for folder in dict.fromkeys(folders):
        for pattern in _IN_RUNTIME_DIR:
            files += _newest(folder, pattern)
    files += _newest(root / "tmp", _IN_TMP)
    files.append(root / f"run/lightdm/{user_name()}/xauthority")  # LightDM with user-authority-in-system-dir
    return [*dict.fromkeys(files)][:_FILES_AT_MOST]


def _newest(folder: Path, pattern: str) -> list[Path]:
    """The newest of these files that belong to this user: in /tmp anybody may put some."""
    found: list[tuple[float, Path]] = []
    try:
        for file in folder.glob(pattern):
            status = file.stat(follow_symlinks=False)
            if status.st_uid == os.geteuid():
                found.append((-status.st_mtime, file))
    except OSError:  # not there, not ours to read, or gone meanwhile
        pass
    return [file for _, file in sorted(found)][:_FILES_AT_MOST]


def _read(file: Path) -> bytes:
    try:
        with open(os.open(file, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as opened:  # a FIFO would hang
            return opened.read(_FILE_BYTES_AT_MOST)
    except OSError:
        return b""


def _entries(content: bytes) -> Iterator[tuple[int, bytes, bytes, bytes, bytes]]:
    """The entries of an Xauthority file (Xau(3)); a file that is cut short ends early."""
    offset = 0
    while offset + 2 <= len(content):
        (family,) = struct.unpack_from(">H", content, offset)
        offset += 2
        parts: list[bytes] = []
        for _ in range(4):
            length = int.from_bytes(content[offset : offset + 2], "big")
            parts.append(content[offset + 2 : offset + 2 + length])
            offset += 2 + length
        yield family, parts[0], parts[1], parts[2], parts[3]


def user_name() -> str:
    """The name of the user of this process."""
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:  # a container's user without a name
        return f"#{os.geteuid()}"
