"""The door of an X server: connect within a time limit, and learn in words why it refuses.

libxcb has no time limit and tells nobody why it was refused, so the server is asked here before libxcb is.
"""

from __future__ import annotations

import os
import pwd
import socket
import struct
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from agent.errors import PlayerUnavailableError
from agent.stage.displays import DisplayAddress
from agent.stage.xcb import Xcb, xcffib

ANSWER_LIMIT_S = 1.0
"""A local X server answers within some ms; a second also lets a compositor start its XWayland on demand."""

_COOKIE = b"MIT-MAGIC-COOKIE-1"
_FAMILY_LOCAL, _FAMILY_WILD = 256, 65535
_SUCCESS = 1


@dataclass(frozen=True, slots=True)
class Cookie:
    """An authorisation out of an Xauthority file."""

    name: bytes = b""
    data: bytes = b""


def connect(address: DisplayAddress, environ: Mapping[str, str], *, announce: Callable[[socket.socket], None]) -> Xcb:
    """An xcffib connection to the display. Blocks: for a thread of its own.

    Each socket is handed to `announce` before it is waited on: shutting it down ends the wait.
    Raises PlayerUnavailableError with what to do.
    """
    cookie = find_cookie(address.number, environ)
    probe = _open(address)
    announce(probe)
    try:
        _ask(probe, address, cookie)
        # The probe stays open meanwhile: an X server resets itself when its only client leaves.
        line = _open(address)
        line.settimeout(None)
        handle = line.dup()  # libxcb owns the other one from here on
        announce(handle)
        try:
            return _hand_over(line, address, cookie)
        except BaseException:
            handle.close()
            raise
    finally:
        probe.close()


def find_cookie(number: int, environ: Mapping[str, str]) -> Cookie:
    """The cookie for a local display, from `$XAUTHORITY` or ~/.Xauthority; an empty one when there is none."""
    home = environ.get("HOME")
    path = environ.get("XAUTHORITY") or (home and f"{home}/.Xauthority")
    try:
        content = Path(path).read_bytes() if path else b""
    except OSError:
        return Cookie()
    host = os.uname().nodename.encode()
    for family, owner, display, name, data in _entries(content):
        ours = family == _FAMILY_WILD or (family == _FAMILY_LOCAL and owner == host)
        if ours and name == _COOKIE and display in (b"", str(number).encode()):
            return Cookie(name, data)
    return Cookie()


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


def _open(address: DisplayAddress) -> socket.socket:
    line = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    line.settimeout(ANSWER_LIMIT_S)
    try:
        line.connect(str(address.socket))
    except TimeoutError as error:
        line.close()
        raise _silent(address) from error
    except OSError as error:
        line.close()
        raise PlayerUnavailableError(
            f"The X server of the display {address.name} is not running ({error.strerror}). Start it, or remove "
            f"the stale {address.socket}; cast-agent takes the screen as soon as it answers."
        ) from error
    return line


def _ask(line: socket.socket, address: DisplayAddress, cookie: Cookie) -> None:
    """Say hello as any client does (X11 protocol, chapter 8) and read no more than yes or no."""
    order = b"l" if sys.byteorder == "little" else b"B"
    hello = struct.pack("=cxHHHHxx", order, 11, 0, len(cookie.name), len(cookie.data))
    try:
        line.sendall(hello + _padded(cookie.name) + _padded(cookie.data))
        head = line.recv(8, socket.MSG_WAITALL)
        if len(head) == 8 and head[0] == _SUCCESS:
            return
        reason = line.recv(4 * struct.unpack_from("=H", head, 6)[0]) if len(head) == 8 else b""
    except TimeoutError as error:
        raise _silent(address) from error
    except OSError as error:
        raise PlayerUnavailableError(
            f"The X server of the display {address.name} hung up ({error.strerror}). Look at its log."
        ) from error
    said = reason.rstrip(b"\0").decode("latin-1").strip().rstrip(".") or "no reason given"
    raise PlayerUnavailableError(
        f"The display {address.name} refuses cast-agent ({said}). Run the service as the user who is logged in on "
        "that screen, or set XAUTHORITY to that user's Xauthority file, or allow this user from within the session: "
        f"`xhost +si:localuser:{_user()}`."
    )


def _hand_over(line: socket.socket, address: DisplayAddress, cookie: Cookie) -> Xcb:
    # Not xcffib.Connection(auth=...): that one splits name and cookie at ":", which a cookie may hold.
    ffi = xcffib.ffi
    name, data = ffi.new("char[]", cookie.name), ffi.new("char[]", cookie.data)
    auth = ffi.new("xcb_auth_info_t *")
    auth.name, auth.namelen, auth.data, auth.datalen = name, len(cookie.name), data, len(cookie.data)
    pointer = xcffib.lib.xcb_connect_to_fd(line.detach(), auth if cookie.name else ffi.NULL)
    if xcffib.lib.xcb_connection_has_error(pointer):
        xcffib.lib.xcb_disconnect(pointer)
        raise PlayerUnavailableError(f"The X server of the display {address.name} hung up. Look at its log.")
    return xcffib.wrap(pointer)


def _silent(address: DisplayAddress) -> PlayerUnavailableError:
    return PlayerUnavailableError(
        f"The X server of the display {address.name} does not answer: it hangs or is stopped. Restart it (usually "
        "`systemctl restart display-manager`); cast-agent takes the screen as soon as it answers."
    )


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 4)


def _user() -> str:
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:  # a container's user without a name
        return f"#{os.geteuid()}"
