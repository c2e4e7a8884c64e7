"""The place where libVLC draws: in a window of the stage, by one of its video outputs.

`set_xwindow()` makes libVLC forget the output and the decoding that its arguments asked for: it sets both variables of
the player to "any" (lib/media_player.c of VLC 3). They are set again behind it, with the function of libvlccore that
libVLC uses for it; libVLC's own API has none.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import Any, Final

from agent.types import VideoOutput

FULL_DEPTH: Final = 24

_VLC_VAR_STRING: Final = 0x0040
"""include/vlc_variables.h of VLC 3."""

_X11 = {b"vout": b"xcb_x11,any", b"avcodec-hw": b"none"}
"""Any other one where its plug-in is missing: a picture that costs more is better than none."""


class _Value(ctypes.Union):
    """`vlc_value_t`."""

    _fields_ = (("text", ctypes.c_char_p), ("integer", ctypes.c_int64))


class Canvas:
    """The video output of one player."""

    def __init__(self, vlc: Any, player: Any, *, output: VideoOutput, depth: int) -> None:
        """`depth`: the bits of colour of the screen. With others than 24 the stage's windows are not of the screen's
        own kind, and X11 draws into them what is not seen."""
        self._player = player
        self._set = _setter(vlc) if output is VideoOutput.X11 and depth == FULL_DEPTH else None
        self.output = VideoOutput.X11 if self._set else VideoOutput.GL
        """The output that draws. Left alone, libVLC takes GL."""

    def embed(self, xid: int) -> None:
        """Draw in this window from the next media on."""
        self._player.set_xwindow(xid)
        if self._set is not None:
            for name, value in _X11.items():
                self._set(self._player, name, _VLC_VAR_STRING, _Value(text=value))


def _setter(vlc: Any) -> Callable[[Any, bytes, int, _Value], int] | None:
    """`var_SetChecked` of libvlccore; None where this libVLC is not of VLC 3, whose variables may be others."""
    if not vlc.libvlc_get_version().startswith(b"3."):
        return None
    function = ctypes.CDLL("libvlccore.so.9").var_SetChecked  # libVLC has loaded it
    function.restype = ctypes.c_int
    function.argtypes = (ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int, _Value)
    setter: Callable[[Any, bytes, int, _Value], int] = function
    return setter
