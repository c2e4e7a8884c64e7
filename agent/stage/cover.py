"""The visibility of the picture: windows of other programs may hide it, or another virtual terminal may be in front.

The order of the root's children is looked at, and not VisibilityNotify: under a compositor every window counts as
visible. What may let a picture through does not count: windows with an alpha channel or less than full opacity where a
compositor honours them, and windows that have a shape.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, Final

from agent.stage.screen import Area, Screen
from agent.stage.xcb import Xcb, shape, xcffib, xproto

WINDOWS_LIMIT: Final = 256
"""Above ours; a desktop has some dozens, menus and tooltips included."""

NAME_LIMIT: Final = 80
"""Characters of a window's title."""

_HAS_TERMINAL: Final = "XFree86_has_VT"
"""A property of the root: Xorg has it at 0 while another terminal is in front (hw/xfree86/common/xf86Events.c)."""

_OPAQUE: Final = 0xFFFFFFFF
_NAME_DEPTH: Final = 3
"""A window manager puts the program's window into one or two of its own."""


def hidden_by(xcb: Xcb, screen: Screen, shown: int, ours: Collection[int], place: Area) -> str | None:
    """A sentence on what hides all of window `shown`, a child of the root that fills `place`, and what to do. None
    while any of it is visible, and under a Wayland compositor, which alone knows. `ours` are windows of this
    program."""
    if screen.rootless:
        return None
    if _property(xcb, screen.root, _HAS_TERMINAL) == bytes(4):
        return (
            "Another virtual terminal is in front of the one with this display: nothing of it is seen. Go back to it "
            "with Ctrl-Alt-F7, or whichever it is on."
        )
    children = list(xcb.core.QueryTree(screen.root).reply().children)
    above = children[children.index(shown) + 1 :] if shown in children else []
    composited = _has_compositor(xcb, screen.number)
    free, by = [place], 0
    for window in reversed(above[-WINDOWS_LIMIT:]):
        if window in ours or _is_servers(xcb, window):
            continue
        try:
            area = _opaque_area(xcb, window, composited=composited)
        except xcffib.Error:  # it went meanwhile
            continue
        left = [part for rest in free for part in without(rest, area)] if area is not None else free
        if left != free:
            free, by = left, by or window
        if not free:
            return _covered(_title(xcb, by))
    return None


def _covered(title: str) -> str:
    named = f" ({title!r})" if title else ""
    return (
        f"Another program's window{named} covers what is shown. Close it or send it to the background; the next start "
        "is shown above it."
    )


def without(area: Area, cover: Area) -> list[Area]:
    """The parts of `area` that `cover` leaves."""
    left, right = max(area.x, cover.x), min(area.x + area.width, cover.x + cover.width)
    top, bottom = max(area.y, cover.y), min(area.y + area.height, cover.y + cover.height)
    if left >= right or top >= bottom:
        return [area]
    parts = [
        Area(area.x, area.y, area.width, top - area.y),
        Area(area.x, bottom, area.width, area.y + area.height - bottom),
        Area(area.x, top, left - area.x, bottom - top),
        Area(right, top, area.x + area.width - right, bottom - top),
    ]
    return [part for part in parts if part.width > 0 and part.height > 0]


def _opaque_area(xcb: Xcb, window: int, *, composited: bool) -> Area | None:
    """The area in which nothing shows through this window; None if something may."""
    attributes = xcb.core.GetWindowAttributes(window).reply()
    if attributes.map_state != xproto.MapState.Viewable or attributes._class != xproto.WindowClass.InputOutput:
        return None
    geometry = xcb.core.GetGeometry(window).reply()
    if composited and (geometry.depth == 32 or _opacity(xcb, window) != _OPAQUE):
        return None
    if _is_shaped(xcb, window):
        return None
    border = 2 * geometry.border_width
    return Area(geometry.x, geometry.y, geometry.width + border, geometry.height + border)


def _has_compositor(xcb: Xcb, number: int) -> bool:
    """Return True if a program has the selection that EWMH wants a compositing manager to have."""
    name = f"_NET_WM_CM_S{number}"
    atom = xcb.core.InternAtom(True, len(name), name).reply().atom
    return bool(atom and xcb.core.GetSelectionOwner(atom).reply().owner)


def _is_servers(xcb: Xcb, window: int) -> bool:
    """Return True for the X server's own windows, such as the one that compositors draw the whole screen into."""
    return not window & ~int(xcb.setup.resource_id_mask)


def _is_shaped(xcb: Xcb, window: int) -> bool:
    if not xcb.core.QueryExtension(len("SHAPE"), "SHAPE").reply().present:
        return False
    return bool(xcb(shape.key).QueryExtents(window).reply().bounding_shaped)


def _opacity(xcb: Xcb, window: int) -> int:
    value = _property(xcb, window, "_NET_WM_WINDOW_OPACITY")
    return int.from_bytes(value[:4], "little") if len(value) >= 4 else _OPAQUE


def _title(xcb: Xcb, window: int) -> str:
    """The title of the program's window in or under this one."""
    level: Sequence[int] = [window]
    for _ in range(_NAME_DEPTH):
        for each in level[:16]:
            try:
                text = _property(xcb, each, "_NET_WM_NAME") or _property(xcb, each, "WM_NAME")
            except xcffib.Error:
                continue
            if name := "".join(c for c in text.decode(errors="replace") if c.isprintable())[:NAME_LIMIT].strip():
                return name
        level = _children(xcb, level[:16])
    return ""


def _children(xcb: Xcb, windows: Sequence[int]) -> list[int]:
    found: list[int] = []
    for window in windows:
        try:
            found += reversed(list(xcb.core.QueryTree(window).reply().children))
        except xcffib.Error:
            continue
    return found


def _property(xcb: Xcb, window: int, name: str) -> bytes:
    atom = xcb.core.InternAtom(True, len(name), name).reply().atom
    if not atom:
        return b""
    reply: Any = xcb.core.GetProperty(False, window, atom, xproto.GetPropertyType.Any, 0, NAME_LIMIT).reply()
    return bytes(reply.value.buf()) if reply.format else b""
