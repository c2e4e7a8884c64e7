"""The properties of an X server's screen: its pixels, its extensions, and our monitor."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from agent.errors import PlayerUnavailableError
from agent.stage.base import Place
from agent.stage.xcb import Xcb, dpms, randr, render, xcffib, xproto

FULL_DEPTH: Final = 24
"""Bits of colour in a pixel: what GL draws without fail."""


@dataclass(frozen=True, slots=True)
class Area:
    """A rectangle in the coordinates of the root window, in pixels."""

    x: int
    y: int
    width: int
    height: int

    def part(self, place: Place) -> Area:
        """The pixels of `place` if this is the screen; one at least."""
        left, top = min(round(self.width * place.x), self.width - 1), min(round(self.height * place.y), self.height - 1)
        right, bottom = round(self.width * (place.x + place.width)), round(self.height * (place.y + place.height))
        return Area(self.x + left, self.y + top, max(1, right - left), max(1, bottom - top))


@dataclass(frozen=True, slots=True)
class PixelFormat:
    """The layout of one pixel in the root's visual."""

    depth: int
    bits: int
    """Bits of storage per pixel: 16, 24 or 32."""
    byte_order: Literal["little", "big"]
    red: int
    green: int
    blue: int
    """Masks, such as 0xff0000."""

    @property
    def colours(self) -> int:
        """The mask of all that is seen; what is left is padding or alpha."""
        return self.red | self.green | self.blue

    @property
    def opaque(self) -> int:
        """The alpha bits, set."""
        return (1 << self.depth) - 1 & ~self.colours

    def pixel(self, red: int, green: int, blue: int) -> int:
        """The opaque pixel of a colour, each part 0-255, as near as the depth allows."""
        parts = ((red, self.red), (green, self.green), (blue, self.blue))
        return self.opaque | sum(
            round(value / 255 * (mask // (mask & -mask))) * (mask & -mask) for value, mask in parts
        )

    def pack(self, pixel: int) -> bytes:
        """One pixel as it is stored in an image."""
        return pixel.to_bytes(self.bits // 8, self.byte_order)


@dataclass(frozen=True, slots=True)
class Screen:
    """The facts that stay the same while the connection lives."""

    number: int
    root: int
    root_format: PixelFormat
    visual: int
    """The visual of our windows, and `format` is theirs: that of the root, or one of more colours where the root has
    few."""
    format: PixelFormat
    colormap: int
    """The colormap for that visual; 0 when it is the root's own."""
    has_monitors: bool
    """RandR 1.5 or newer."""
    has_dpms: bool
    """It can be switched off."""
    has_screensaver: bool
    rootless: bool
    """XWayland inside a Wayland session: the root window has no pixels, each window is the compositor's."""
    picture_formats: Mapping[int, int]
    """The Render extension's name for the pixels of each visual of our depth; empty without that extension."""


def read_screen(xcb: Xcb, number: int) -> Screen:
    """Look at screen `number`, and ask to be told when its size or its monitors change.

    Raises PlayerUnavailableError when the server has no such screen, or one of a kind that nobody has any more.
    """
    if number >= len(xcb.setup.roots):
        raise PlayerUnavailableError(f"The X server has no screen {number}: name another one in `[display] display`.")
    root = xcb.setup.roots[number]
    has_monitors = _has(xcb, "RANDR") and _speaks_monitors(xcb)
    # Its own size, and the windows of all programs: which are over ours.
    events = xproto.EventMask.StructureNotify | xproto.EventMask.SubstructureNotify
    xcb.core.ChangeWindowAttributes(root.root, xproto.CW.EventMask, [events])
    if has_monitors:
        masks = randr.NotifyMask
        xcb(randr.key).SelectInput(root.root, masks.ScreenChange | masks.CrtcChange | masks.OutputChange)
    depth, visual = _best_visual(root)
    colormap = 0
    if visual.visual_id != root.root_visual:
        colormap = xcb.generate_id()
        xcb.core.CreateColormap(xproto.ColormapAlloc._None, colormap, root.root, visual.visual_id)
    return Screen(
        number=number,
        root=root.root,
        root_format=_pixel_format(xcb, root.root_depth, _visual_of_root(root)),
        visual=visual.visual_id,
        format=_pixel_format(xcb, depth, visual),
        colormap=colormap,
        has_monitors=has_monitors,
        has_dpms=_has(xcb, "DPMS") and bool(xcb(dpms.key).Capable().reply().capable),
        has_screensaver=_has(xcb, "MIT-SCREEN-SAVER"),
        rootless=_is_rootless(xcb, root.root),
        picture_formats=_picture_formats(xcb, depth) if _has(xcb, "RENDER") else {},
    )


def read_monitor(xcb: Xcb, screen: Screen) -> Area:
    """The place of the primary monitor; of the first one if none is primary, of the whole root if none is known."""
    if screen.has_monitors:
        monitors = list(xcb(randr.key).GetMonitors(screen.root, 1).reply().monitors)
        monitors.sort(key=lambda monitor: not monitor.primary)
        for monitor in monitors:
            if monitor.width and monitor.height:
                return Area(monitor.x, monitor.y, monitor.width, monitor.height)
    geometry = xcb.core.GetGeometry(screen.root).reply()
    return Area(0, 0, geometry.width, geometry.height)


def _has(xcb: Xcb, extension: str) -> bool:
    return bool(xcb.core.QueryExtension(len(extension), extension).reply().present)


def _picture_formats(xcb: Xcb, depth: int) -> dict[int, int]:
    """What the Render extension calls the pixels of each visual of this depth."""
    extension = xcb(render.key)
    extension.QueryVersion(0, 11).reply()  # as the protocol has it, before anything else
    screens = extension.QueryPictFormats().reply().screens
    depths = [each for screen in screens for each in screen.depths if each.depth == depth]
    return {each.visual: each.format for of_depth in depths for each in of_depth.visuals}


def _speaks_monitors(xcb: Xcb) -> bool:
    version = xcb(randr.key).QueryVersion(1, 5).reply()
    return (version.major_version, version.minor_version) >= (1, 5)


def _is_rootless(xcb: Xcb, root: int) -> bool:
    # XWayland 22.1 under sway 1.7 refuses the root's pixels with BadMatch; every server with a real root has them.
    try:
        xcb.core.GetImage(xproto.ImageFormat.ZPixmap, root, 0, 0, 1, 1, 0xFFFFFFFF).reply()
    except xcffib.Error:
        return True
    return False


def _visual_of_root(root: Any) -> Any:
    visuals = (visual for depth in root.allowed_depths for visual in depth.visuals)
    return next(visual for visual in visuals if visual.visual_id == root.root_visual)


def _best_visual(root: Any) -> tuple[int, Any]:
    """The depth and the visual for our windows. On a screen of 15 or 16 bits that has others beside its own (Composite)
    GL draws garbage with its own (libVLC 3.0 with Mesa 22). With the others all is right, and the X server itself
    brings such windows to the screen. With 30 bits it is the other way round: its own is right, and the server is not.
    """
    if root.root_depth < FULL_DEPTH:
        for depth in root.allowed_depths:
            for visual in depth.visuals:
                if depth.depth >= FULL_DEPTH and visual._class == xproto.VisualClass.TrueColor:
                    return depth.depth, visual
    return root.root_depth, _visual_of_root(root)


def _pixel_format(xcb: Xcb, depth: int, visual: Any) -> PixelFormat:
    bits = next(entry.bits_per_pixel for entry in xcb.setup.pixmap_formats if entry.depth == depth)
    if bits not in (16, 24, 32) or not (visual.red_mask and visual.green_mask and visual.blue_mask):
        raise PlayerUnavailableError(
            f"The X server shows {depth} bits per pixel with a palette, which cast-agent cannot read: configure a "
            "depth of 24."
        )
    return PixelFormat(
        depth=depth,
        bits=bits,
        byte_order="little" if xcb.setup.image_byte_order == xproto.ImageOrder.LSBFirst else "big",
        red=visual.red_mask,
        green=visual.green_mask,
        blue=visual.blue_mask,
    )
