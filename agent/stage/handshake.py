"""The door of an X server: connect within a time limit, and learn in words why it refuses.

libxcb has no time limit and tells nobody why it was refused, so the server is asked here before libxcb is.
"""

from __future__ import annotations

import socket
import struct
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

import structlog

from agent.errors import PlayerUnavailableError
from agent.stage.cookies import Cookie, cookies, hand_on, user_name
from agent.stage.displays import DisplayAddress
from agent.stage.xcb import Xcb, xcffib

ANSWER_LIMIT_S = 1.0
"""A local X server answers within some ms; a second also lets a compositor start its XWayland on demand."""

_SUCCESS = 1

_log = structlog.get_logger(__name__)


class _RefusedError(PlayerUnavailableError):
    """The server does not take this cookie."""


def connect(
    address: DisplayAddress,
    environ: Mapping[str, str],
    *,
    announce: Callable[[socket.socket], None],
    authority: Path | None = None,
) -> Xcb:
    """An xcffib connection to the display, by the first cookie that opens it. Blocks: for a thread of its own.

    Each socket is handed to `announce` before it is waited on: shutting it down ends the wait. `authority` is the file
    in which players find that cookie. Raises PlayerUnavailableError with what to do.
    """
    refusal: _RefusedError | None = None
    for cookie in cookies(address.number, environ):
        try:
            xcb = _connect_by(cookie, address, announce)
        except _RefusedError as error:
            refusal = refusal or error
            continue
        if authority is not None:
            _hand_on(cookie, address, authority)
        return xcb
    assert refusal is not None, "no cookie at all is the last that is tried"
    raise refusal


def _connect_by(cookie: Cookie, address: DisplayAddress, announce: Callable[[socket.socket], None]) -> Xcb:
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


def _hand_on(cookie: Cookie, address: DisplayAddress, authority: Path) -> None:
    try:
        hand_on(cookie, address.number, authority)
    except OSError as error:  # a full disk, say: players look for a cookie themselves then, as any X client does
        with suppress(OSError):
            authority.unlink()
        _log.warning("authority_write_failed", file=str(authority), reason=error.strerror)


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
            f"The X server of the display {address.name} is not running ({error.strerror}). Start it "
            f"({address.restart}), or remove the stale {address.socket}; cast-agent takes the screen as soon as it "
            "answers."
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
            f"The X server of the display {address.name} closed the connection ({error.strerror}). Look at its log."
        ) from error
    said = reason.rstrip(b"\0").decode("latin-1").strip().rstrip(".") or "no reason given"
    raise _RefusedError(
        f"The display {address.name} refuses cast-agent ({said}). Run the service as the user who is logged in on "
        "that screen, or set XAUTHORITY to that user's Xauthority file, or allow this user from within the session: "
        f"`xhost +si:localuser:{user_name()}`."
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
        raise PlayerUnavailableError(
            f"The X server of the display {address.name} closed the connection. Look at its log."
        )
    return xcffib.wrap(pointer)


def _silent(address: DisplayAddress) -> PlayerUnavailableError:
    return PlayerUnavailableError(
        f"The X server of the display {address.name} does not answer: it hangs or is stopped. Restart it "
        f"({address.restart}); cast-agent takes the screen as soon as it answers."
    )


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 4)
