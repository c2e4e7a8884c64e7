"""xcffib's modules. They carry no type annotations, so they pass as Any from here on, and only here."""

from __future__ import annotations

from typing import Any

import xcffib as _xcffib
import xcffib.dpms as _dpms
import xcffib.randr as _randr
import xcffib.render as _render
import xcffib.res as _res
import xcffib.screensaver as _screensaver
import xcffib.shape as _shape
import xcffib.xproto as _xproto

xcffib: Any = _xcffib
xproto: Any = _xproto
randr: Any = _randr
render: Any = _render
res: Any = _res
dpms: Any = _dpms
screensaver: Any = _screensaver
shape: Any = _shape

Xcb = Any
"""An `xcffib.Connection`; used on the thread of its connection only."""

__all__ = ["Xcb", "dpms", "randr", "render", "res", "screensaver", "shape", "xcffib", "xproto"]
