"""The window that a player makes for itself inside one of the stage's, which hears its requests and does them."""

from __future__ import annotations

from agent.stage.xcb import Xcb, xproto


def let(xcb: Xcb, request: xproto.MapRequestEvent | xproto.ConfigureRequestEvent) -> None:
    """Do what a player asked for its own window inside one of ours. It is mapped without a background: that of an
    output which draws with X11 is black, and would be seen before its first picture and whenever it is made anew."""
    if isinstance(request, xproto.MapRequestEvent):
        xcb.core.ChangeWindowAttributes(request.window, xproto.CW.BackPixmap, [0])
        xcb.core.MapWindow(request.window)
        return
    values = (
        (xproto.ConfigWindow.X, request.x),
        (xproto.ConfigWindow.Y, request.y),
        (xproto.ConfigWindow.Width, request.width),
        (xproto.ConfigWindow.Height, request.height),
        (xproto.ConfigWindow.BorderWidth, request.border_width),
        (xproto.ConfigWindow.Sibling, request.sibling),
        (xproto.ConfigWindow.StackMode, request.stack_mode),
    )
    asked = [value for field, value in values if request.value_mask & field]
    xcb.core.ConfigureWindow(request.window, request.value_mask, asked)
