"""Another program's windows on the screen: of any size, shape, depth and opacity."""

from __future__ import annotations

from types import TracebackType
from typing import Any

import xcffib
import xcffib.composite
import xcffib.shape
import xcffib.xproto
from xcffib.xproto import CW, Atom, PropMode, WindowClass

_connect: Any = xcffib.connect  # xcffib has no types


class Stranger:
    """`with Stranger(display) as stranger: stranger.window(0, 0, 640, 360)`. Its windows go with it."""

    def __init__(self, display: str) -> None:
        self._connection: Any = _connect(display)
        self._connection.composite = self._connection(xcffib.composite.key)
        self._connection.shape = self._connection(xcffib.shape.key)
        self._setup = self._connection.get_setup()
        self._screen = self._setup.roots[0]

    def __enter__(self) -> Stranger:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._connection.disconnect()

    def window(
        self, x: int, y: int, width: int, height: int, *, title: str = "", alpha: bool = False, mapped: bool = True
    ) -> int:
        """A window on top of all; `alpha` gives it an alpha channel."""
        core, window = self._connection.core, self._connection.generate_id()
        depth, visual = self._alpha_visual() if alpha else (self._screen.root_depth, self._screen.root_visual)
        colours = self._connection.generate_id()
        core.CreateColormap(0, colours, self._screen.root, visual)
        attributes = {CW.BackPixel: 0xFF808080, CW.BorderPixel: 0, CW.OverrideRedirect: 1, CW.Colormap: colours}
        values = [attributes[bit] for bit in sorted(attributes)]
        kind = WindowClass.InputOutput
        core.CreateWindow(
            depth, window, self._screen.root, x, y, width, height, 0, kind, visual, sum(attributes), values,
            is_checked=True,
        ).check()  # fmt: skip
        if title:
            name = title.encode()
            core.ChangeProperty(PropMode.Replace, window, Atom.WM_NAME, Atom.STRING, 8, len(name), name)
        if mapped:
            core.MapWindow(window)
        self._done()
        return int(window)

    def destroy(self, window: int) -> None:
        self._connection.core.DestroyWindow(window)
        self._done()

    def cut_out(self, window: int) -> None:
        """Leave a frame of it: one sees through its middle."""
        rectangles = [xcffib.xproto.RECTANGLE.synthetic(0, 0, 640, 10)]  # type: ignore[no-untyped-call]
        self._connection.shape.Rectangles(0, 0, 0, window, 0, 0, len(rectangles), rectangles)
        self._done()

    def begin_compositing(self) -> None:
        """Say so, as EWMH wants it, and have the X server's window for the whole screen, which is over all others."""
        name = "_NET_WM_CM_S0"
        atom = self._connection.core.InternAtom(False, len(name), name).reply().atom
        owner = self.window(-10, -10, 1, 1, mapped=False)
        self._connection.core.SetSelectionOwner(owner, atom, 0)
        self._connection.composite.QueryVersion(0, 4).reply()
        self._connection.composite.GetOverlayWindow(self._screen.root).reply()
        self._done()

    def switch_terminal(self, *, away: bool) -> None:
        """Say what Xorg says when another virtual terminal comes to the front, or this one does again."""
        name = "XFree86_has_VT"
        atom = self._connection.core.InternAtom(False, len(name), name).reply().atom
        root, has = self._screen.root, int(not away).to_bytes(4, "little")
        self._connection.core.ChangeProperty(PropMode.Replace, root, atom, Atom.INTEGER, 32, 1, has)
        self._done()

    def make_translucent(self, window: int) -> None:
        name = "_NET_WM_WINDOW_OPACITY"
        atom = self._connection.core.InternAtom(False, len(name), name).reply().atom
        half = (0x80000000).to_bytes(4, "little")
        self._connection.core.ChangeProperty(PropMode.Replace, window, atom, Atom.CARDINAL, 32, 1, half)
        self._done()

    def _alpha_visual(self) -> tuple[int, int]:
        for depth in self._screen.allowed_depths:
            if depth.depth == 32 and depth.visuals:
                return 32, depth.visuals[0].visual_id
        raise AssertionError("the X server has no visual with an alpha channel")

    def _done(self) -> None:
        self._connection.core.GetInputFocus().reply()
