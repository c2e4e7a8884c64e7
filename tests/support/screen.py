"""The view of a person in front of the screen, read from the root window by a connection of its own."""

from __future__ import annotations

import contextlib
import os
import socket
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Any, TypeVar

import xcffib
import xcffib.res
import xcffib.xfixes
import xcffib.xproto
import xcffib.xtest
from PIL import Image

from tests.support.colours import RGB, name_of

_connect: Any = xcffib.connect  # xcffib has no types

Answer = TypeVar("Answer")

ANSWER_S = 3.0
"""An X server answers in well under a millisecond; the rest is for one that was just woken on a busy machine."""

_SETUP = b"l\0" + (11).to_bytes(2, "little") + bytes(8)
"""The 12 bytes that open an X11 connection: little-endian, protocol 11.0, no authorisation."""


def answers(display: str, *, timeout_s: float = ANSWER_S) -> bool:
    """Return True if the X server of `display` (`:7`) exists and answers a new client in time."""
    try:
        with socket.socket(socket.AF_UNIX) as raw:
            raw.settimeout(timeout_s)
            raw.connect(f"/tmp/.X11-unix/X{display.removeprefix(':').partition('.')[0]}")
            raw.sendall(_SETUP)
            return raw.recv(1) == b"\x01"
    except OSError:
        return False


class Screen:
    """A view of the whole screen, windows of all clients included.

    Every call raises ConnectionError, within about ANSWER_S, when the X server is gone or does not answer. Without
    `guarded` it may wait without end: for a process that can be killed, and needs its time for looking.
    """

    def __init__(self, display: str, *, guarded: bool = True) -> None:
        self._guarded = guarded
        # Connecting is one more thing for which libxcb waits without end.
        if not answers(display):
            raise ConnectionError(f"The X server {display} does not answer")
        self._connection: Any = _connect(display)
        self._core: Any = self._connection.core
        self._descriptor: int = self._connection.get_file_descriptor()
        self._root = self._connection.get_setup().roots[0].root

    def __enter__(self) -> Screen:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Idempotent."""
        self._connection.disconnect()

    @property
    def root(self) -> int:
        """The id of the root window."""
        return int(self._root)

    def size(self) -> tuple[int, int]:
        """Width and height now, in pixels."""
        geometry = self._bounded(lambda: self._core.GetGeometry(self._root).reply())
        return geometry.width, geometry.height

    def grab(self) -> Image.Image:
        """The whole screen."""
        width, height = self.size()
        [data] = self.areas([(0, 0, width, height)])
        return Image.frombytes("RGB", (width, height), data, "raw", "BGRX")

    def pixel(self, x: int, y: int) -> RGB:
        [rgb] = self.pixels([(x, y)])
        return rgb

    def pixels(self, points: list[tuple[int, int]]) -> list[RGB]:
        """Several pixels with one round trip."""
        return [(data[2], data[1], data[0]) for data in self.areas([(x, y, 1, 1) for x, y in points])]

    def areas(self, areas: list[tuple[int, int, int, int]]) -> list[bytes]:
        """The BGRX bytes of several areas (x, y, width, height) with one round trip."""
        whole = xcffib.xproto.ImageFormat.ZPixmap

        def ask() -> list[bytes]:
            cookies = [self._core.GetImage(whole, self._root, *area, 0xFFFFFFFF) for area in areas]
            return [bytes(cookie.reply().data.buf()) for cookie in cookies]

        return self._bounded(ask)

    def colour_at_centre(self) -> str:
        """The palette colour in the middle of the screen, or `other`."""
        width, height = self.size()
        return name_of(self.pixel(width // 2, height // 2))

    def keyboard_owner(self) -> int:
        """The id of the process to whose window keys go; 0 if there is none."""

        def ask() -> int:
            window = self._core.GetInputFocus().reply().focus
            whose: Any = xcffib.res.ClientIdSpec
            pids = whose.synthetic(window, xcffib.res.ClientIdMask.LocalClientPID)
            found = self._connection(xcffib.res.key).QueryClientIds(1, [pids]).reply().ids
            return next((int(each.value[0]) for each in found if len(each.value)), 0)

        return self._bounded(ask)

    def shows_pointer(self) -> bool:
        """Return True if a pointer is seen where the mouse is."""

        def ask() -> bool:
            fixes = self._connection(xcffib.xfixes.key)
            fixes.QueryVersion(4, 0).reply()  # the server refuses who has not asked
            return any(pixel >> 24 for pixel in fixes.GetCursorImage().reply().cursor_image)

        return self._bounded(ask)

    def click(self, button: int = 1) -> None:
        """Press a button of the mouse, the left one unless told otherwise, in the middle of the screen."""
        width, height = self.size()
        self._fake((6, 0), (4, button), (5, button), x=width // 2, y=height // 2)

    def press(self, *keys: int) -> None:
        """Press keys together, each by its X keycode."""
        self._fake(*((2, key) for key in keys), *((3, key) for key in reversed(keys)))

    def _fake(self, *events: tuple[int, int], x: int = 0, y: int = 0) -> None:
        """Send the events of a device: kinds of X events, each with its key or button."""
        test = self._connection(xcffib.xtest.key)
        for kind, detail in events:
            test.FakeInput(kind, detail, 0, self._root, x, y, 0)
        self._connection.flush()

    def _bounded(self, ask: Callable[[], Answer]) -> Answer:
        watch = threading.Timer(ANSWER_S, self._hang_up)
        watch.daemon = True
        if self._guarded:
            watch.start()
        try:
            return ask()
        except xcffib.ConnectionException as error:
            raise ConnectionError("The X server is gone or does not answer") from error
        finally:
            watch.cancel()
            if self._guarded:
                watch.join()

    def _hang_up(self) -> None:
        # Only this wakes libxcb from a wait for a server that does not answer.
        with contextlib.suppress(OSError), socket.socket(fileno=os.dup(self._descriptor)) as raw:
            raw.shutdown(socket.SHUT_RDWR)


def grab(display: str) -> Image.Image:
    """The whole screen of `display`, once."""
    with Screen(display) as screen:
        return screen.grab()


def colour_at_centre(display: str) -> str:
    """The palette colour in the middle of `display` now, or `other`."""
    with Screen(display) as screen:
        return screen.colour_at_centre()
