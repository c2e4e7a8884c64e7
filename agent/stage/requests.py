"""The requests of the stage to an X server. Each function is one piece of work for the connection's thread.

Three things make the rest work, measured on Xvfb, bare and under openbox, with libVLC (GL and X11 output) and mpv, and
on XWayland 22.1 under sway 1.7 and cage 0.1.4 with libVLC (GL); GL in software everywhere:

A hidden window is *mapped, beyond the left edge* of its parent. Backing store makes Xorg keep its pixels aside
(composite), so that a player draws into it and GetImage reads it as if it were on the screen.

Its parent is the *curtain*, so that moving and raising it is the X server's affair alone: sway does not honour the
order of windows of the root, and cage not even their moves. With the desktop to be seen there is no curtain; then the
parent is the root window, which is good on X and under sway, and shows nothing under cage.

A window has *no background* (None), so that what was drawn last stays when the player's own window dies with it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from PIL import Image

from agent.raw_picture import RawPicture
from agent.stage.screen import Area, Screen
from agent.stage.sentinel import Sentinel
from agent.stage.xcb import Xcb, xcffib, xproto
from agent.util.ximage import Layout, Rows, put

NAME = "cast-agent"
"""The name of our windows."""


@dataclass(frozen=True, slots=True)
class Tools:
    """Made once for each connection."""

    gc: int
    """Draws around a window's children, never over them (ClipByChildren, the protocol's default)."""
    no_cursor: int


def make_tools(xcb: Xcb, screen: Screen) -> Tools:
    gc, like_ours, shape, cursor = (xcb.generate_id() for _ in range(4))
    xcb.core.CreatePixmap(screen.format.depth, like_ours, screen.root, 1, 1)
    xcb.core.CreateGC(gc, like_ours, xproto.GC.GraphicsExposures, [0])
    xcb.core.FreePixmap(like_ours)
    xcb.core.CreatePixmap(1, shape, screen.root, 1, 1)
    clear = xcb.generate_id()
    xcb.core.CreateGC(clear, shape, xproto.GC.Foreground, [0])
    xcb.core.PolyFillRectangle(shape, clear, 1, [xproto.RECTANGLE.synthetic(0, 0, 1, 1)])
    xcb.core.CreateCursor(cursor, shape, shape, 0, 0, 0, 0, 0, 0, 0, 0)
    xcb.core.FreeGC(clear)
    xcb.core.FreePixmap(shape)
    return Tools(gc, cursor)


def make_curtain(xcb: Xcb, screen: Screen, tools: Tools, place: Area) -> int:
    """A black window over everything that is there now, for the others to live in."""
    window = xcb.generate_id()
    background = {xproto.CW.BackPixel: screen.format.pixel(0, 0, 0)}
    _create(xcb, screen, window, screen.root, place, {**background, **_attributes(tools)})
    _name(xcb, window)
    xcb.core.MapWindow(window, is_checked=True).check()
    return int(window)


def make_window(xcb: Xcb, screen: Screen, tools: Tools, parent: int, place: Area, sentinel: Sentinel) -> int:
    """A hidden window that shows its sentinel; `place` is where it belongs in its parent."""
    window = xcb.generate_id()
    keep = {
        xproto.CW.EventMask: xproto.EventMask.SubstructureNotify | xproto.EventMask.SubstructureRedirect,
        xproto.CW.BackPixmap: 0,
        xproto.CW.BitGravity: xproto.Gravity.NorthWest,  # a window that is resized keeps what it shows
        xproto.CW.BackingStore: xproto.BackingStore.Always,
    }
    _create(xcb, screen, window, parent, hidden(place), {**_attributes(tools), **keep})
    _name(xcb, window)
    xcb.core.MapWindow(window)
    paint_sentinel(xcb, tools, window, sentinel, place)
    _round_trip(xcb)
    return int(window)


def make_backdrop(xcb: Xcb, screen: Screen, tools: Tools, curtain: int, picture: Image.Image) -> int:
    """A window in the middle of the curtain and below all others there, which the X server itself keeps painted."""
    window, pixmap, form = xcb.generate_id(), xcb.generate_id(), screen.format
    room: Any = xcb.core.GetGeometry(curtain).reply()
    place = Area((room.width - picture.width) // 2, (room.height - picture.height) // 2, picture.width, picture.height)
    xcb.core.CreatePixmap(form.depth, pixmap, screen.root, picture.width, picture.height)
    put(xcb, _layout(screen).pack(picture), drawable=pixmap, gc=tools.gc, depth=form.depth)
    look = {xproto.CW.BackPixmap: pixmap, xproto.CW.WinGravity: xproto.Gravity.Center}
    _create(xcb, screen, window, curtain, place, {**look, **_attributes(tools)})
    xcb.core.FreePixmap(pixmap)  # the window has it
    xcb.core.ConfigureWindow(window, xproto.ConfigWindow.StackMode, [xproto.StackMode.Below])
    xcb.core.MapWindow(window)
    _round_trip(xcb)
    return int(window)


def hidden(place: Area) -> Area:
    """The off-screen place of a window that is to fill `place`."""
    return Area(-place.width, 0, place.width, place.height)


def paint_sentinel(xcb: Xcb, tools: Tools, window: int, sentinel: Sentinel, place: Area) -> None:
    for pixel, x, width in sentinel.stripes(place.width):
        _fill(xcb, tools, window, pixel, [Area(x, 0, width, place.height)])


def black_out(xcb: Xcb, screen: Screen, tools: Tools, window: int, place: Area) -> None:
    """Paint all of a window black."""
    _fill(xcb, tools, window, screen.format.pixel(0, 0, 0), [Area(0, 0, place.width, place.height)])


def paint_picture(xcb: Xcb, screen: Screen, tools: Tools, window: int, place: Area, picture: RawPicture) -> None:
    """Paint a picture into the middle of a window, on black."""
    black_out(xcb, screen, tools, window, place)
    left, top = (place.width - picture.width) // 2, (place.height - picture.height) // 2
    how = {"drawable": window, "gc": tools.gc, "depth": screen.format.depth}
    put(xcb, _rows(_layout(screen), picture), left=left, top=top, **how)


def fill_around_player(xcb: Xcb, screen: Screen, tools: Tools, window: int, place: Area) -> bool:
    """Paint black what the player's own window inside `window` leaves free; False when there is none.

    The bars are worked out here, and not left to ClipByChildren alone: a player that is killed in between would
    have its last picture painted over.
    """
    children = _mapped_children(xcb, window)
    if not children:
        return False
    left, top = min(c.x for c in children), min(c.y for c in children)
    right, bottom = max(c.x + c.width for c in children), max(c.y + c.height for c in children)
    _fill(xcb, tools, window, screen.format.pixel(0, 0, 0), _around(place, left, top, right, bottom))
    return True


def fill_new_edges(xcb: Xcb, screen: Screen, tools: Tools, window: int, before: Area, now: Area) -> None:
    """Paint black what a window gained by growing: it has no background, so that shows anything."""
    edges = _around(now, 0, 0, before.width, before.height)
    _fill(xcb, tools, window, screen.format.pixel(0, 0, 0), edges)


def place_window(xcb: Xcb, window: int, place: Area) -> None:
    field = xproto.ConfigWindow
    xcb.core.ConfigureWindow(
        window, field.X | field.Y | field.Width | field.Height, [place.x, place.y, place.width, place.height]
    )


def raise_window(xcb: Xcb, window: int, place: Area, above: Sequence[int]) -> None:
    """Into its place and above all its siblings but those of `above`, in one request. Raises xcffib's WindowError.

    `above` is given from the top down, and those windows are raised in that order, over windows of other programs, too:
    so none of them is covered by a lower one at any moment.
    """
    field, over = xproto.ConfigWindow, 0
    for other in above:
        bits, values = _stacked_below(over)
        xcb.core.ConfigureWindow(other, bits, values)
        over = other
    bits, values = _stacked_below(over)
    values = [place.x, place.y, *values]
    xcb.core.ConfigureWindow(window, field.X | field.Y | bits, values, is_checked=True).check()


def gone(xcb: Xcb, windows: Sequence[int]) -> list[int]:
    """The windows that no longer exist."""
    return [window for window in windows if not _exists(xcb, window)]


def _exists(xcb: Xcb, window: int) -> bool:
    try:
        xcb.core.GetWindowAttributes(window).reply()
    except xproto.WindowError:
        return False
    return True


def raise_curtain(xcb: Xcb, curtain: int) -> None:
    """Above whatever other programs have put on the screen since."""
    xcb.core.ConfigureWindow(curtain, xproto.ConfigWindow.StackMode, [xproto.StackMode.Above])


def destroy_window(xcb: Xcb, window: int) -> None:
    xcb.core.DestroyWindow(window, is_checked=True).check()


def _stacked_below(sibling: int) -> tuple[int, list[int]]:
    """The request for a place right below that sibling, or above all siblings if it is 0."""
    field = xproto.ConfigWindow
    if not sibling:
        return field.StackMode, [xproto.StackMode.Above]
    return field.Sibling | field.StackMode, [sibling, xproto.StackMode.Below]


def _attributes(tools: Tools) -> dict[int, int]:
    return {
        xproto.CW.OverrideRedirect: 1,  # no window manager shall frame, move or lower it
        xproto.CW.EventMask: xproto.EventMask.SubstructureNotify,
        xproto.CW.Cursor: tools.no_cursor,
    }


def _create(xcb: Xcb, screen: Screen, window: int, parent: int, place: Area, attributes: Mapping[int, int]) -> None:
    if screen.colormap:
        attributes = {**attributes, xproto.CW.BorderPixel: 0, xproto.CW.Colormap: screen.colormap}
    xcb.core.CreateWindow(
        screen.format.depth,
        window,
        parent,
        place.x,
        place.y,
        place.width,
        place.height,
        0,
        xproto.WindowClass.InputOutput,
        screen.visual,
        sum(attributes),
        [attributes[bit] for bit in sorted(attributes)],  # in the order of the mask's bits; xcffib does not sort
        is_checked=True,
    ).check()


def _name(xcb: Xcb, window: int) -> None:
    """Name a window for `xwininfo` and the like, and for another cast-agent on the same screen."""
    for name, value in ((xproto.Atom.WM_NAME, NAME), (xproto.Atom.WM_CLASS, f"{NAME}\0{NAME}\0")):
        xcb.core.ChangeProperty(
            xproto.PropMode.Replace, window, name, xproto.Atom.STRING, 8, len(value), value.encode()
        )


def _mapped_children(xcb: Xcb, window: int) -> list[Area]:
    found = []
    for child in xcb.core.QueryTree(window).reply().children:
        try:
            attributes = xcb.core.GetWindowAttributes(child).reply()
            if attributes.map_state == xproto.MapState.Unmapped or attributes._class != xproto.WindowClass.InputOutput:
                continue
            geometry: Any = xcb.core.GetGeometry(child).reply()
        except xcffib.Error:  # it died meanwhile
            continue
        found.append(Area(geometry.x, geometry.y, geometry.width, geometry.height))
    return found


def _around(place: Area, left: int, top: int, right: int, bottom: int) -> list[Area]:
    """The bars that a rectangle leaves free inside a window of `place`'s size."""
    left, right = max(0, min(left, place.width)), max(0, min(right, place.width))
    top, bottom = max(0, min(top, place.height)), max(0, min(bottom, place.height))
    bars = [
        Area(0, 0, place.width, top),
        Area(0, bottom, place.width, place.height - bottom),
        Area(0, top, left, bottom - top),
        Area(right, top, place.width - right, bottom - top),
    ]
    return [bar for bar in bars if bar.width > 0 and bar.height > 0]


def _rows(layout: Layout, picture: RawPicture) -> Rows:
    if layout.is_bgrx:
        return Rows(picture.width, picture.height, picture.width * 4, picture.data)
    size = picture.width, picture.height
    return layout.pack(Image.frombuffer("RGB", size, picture.data, "raw", "BGRX", 0, 1))


def _layout(screen: Screen) -> Layout:
    form = screen.format
    return Layout(form.bits, form.byte_order == "little", (form.red, form.green, form.blue))


def _fill(xcb: Xcb, tools: Tools, window: int, pixel: int, areas: list[Area]) -> None:
    if not areas:
        return
    rectangles = [xproto.RECTANGLE.synthetic(a.x, a.y, a.width, a.height) for a in areas]
    xcb.core.ChangeGC(tools.gc, xproto.GC.Foreground, [pixel])
    xcb.core.PolyFillRectangle(window, tools.gc, len(rectangles), rectangles)


def _round_trip(xcb: Xcb) -> None:
    xcb.core.GetInputFocus().reply()
