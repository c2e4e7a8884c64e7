"""A check that a confined player process can open the display. An engine that cannot may not report it: libVLC
crashes."""

from __future__ import annotations

import ctypes
import os

NOT_OPENED = 65
"""The exit code of a player process that cannot open its display; no engine has it."""


def require_display() -> None:
    """End this process with NOT_OPENED when $DISPLAY names a display that cannot be opened.

    It takes 1 ms, and never returns when the X server hangs: then the daemon misses the process.
    """
    if not os.environ.get("DISPLAY"):
        return
    try:
        xcb = ctypes.CDLL("libxcb.so.1")
    except OSError:
        return  # the engine has one of its own, or says what it lacks
    xcb.xcb_connect.restype = ctypes.c_void_p
    connection = ctypes.c_void_p(xcb.xcb_connect(None, None))
    failed = xcb.xcb_connection_has_error(connection)
    xcb.xcb_disconnect(connection)
    if failed:
        os._exit(NOT_OPENED)
