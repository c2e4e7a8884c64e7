"""A check that a confined player process can open the display. An engine that cannot may not report it: libVLC
crashes."""

from __future__ import annotations

import ctypes
import os

NOT_OPENED = 65
"""The exit code of a player process that cannot open its display; no engine has it."""


class _Screen(ctypes.Structure):
    """`xcb_screen_t` (xcb/xproto.h)."""

    _fields_ = (
        ("root_colormap_pixels_masks", ctypes.c_uint32 * 5),
        ("sizes_and_maps", ctypes.c_uint16 * 6),
        ("root_visual", ctypes.c_uint32),
        ("backing_stores", ctypes.c_uint8),
        ("save_unders", ctypes.c_uint8),
        ("root_depth", ctypes.c_uint8),
    )


class _Screens(ctypes.Structure):
    """`xcb_screen_iterator_t`."""

    _fields_ = (("data", ctypes.POINTER(_Screen)), ("rem", ctypes.c_int), ("index", ctypes.c_int))


def require_display() -> int:
    """The bits of colour of $DISPLAY, of its first screen; 0 when there is none, or nothing here to ask it with. Ends
    this process with NOT_OPENED when it cannot be opened.

    It takes 1 ms, and never returns when the X server hangs: then the daemon misses the process.
    """
    if not os.environ.get("DISPLAY"):
        return 0
    try:
        xcb = ctypes.CDLL("libxcb.so.1")
    except OSError:
        return 0  # the engine has one of its own, or says what it lacks
    xcb.xcb_connect.restype = xcb.xcb_get_setup.restype = ctypes.c_void_p
    xcb.xcb_setup_roots_iterator.restype = _Screens
    connection = ctypes.c_void_p(xcb.xcb_connect(None, None))
    if xcb.xcb_connection_has_error(connection):
        os._exit(NOT_OPENED)
    depth = xcb.xcb_setup_roots_iterator(ctypes.c_void_p(xcb.xcb_get_setup(connection))).data.contents.root_depth
    xcb.xcb_disconnect(connection)
    return int(depth)
