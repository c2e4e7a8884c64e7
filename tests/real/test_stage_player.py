"""The stage with a real libVLC in another process, on X and inside a Wayland session."""

from __future__ import annotations

import asyncio
import io
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Literal

import pytest
from PIL import Image

from agent.stage.base import Layer, Place
from agent.stage.x11 import X11Stage
from tests.support.clips import Clips
from tests.support.colours import PALETTE, name_of
from tests.support.painter import Painter
from tests.support.screen import Screen
from tests.support.tools import end, need, run, until, wait_until
from tests.support.xserver import XServer

SOON_S = 8.0
"""A cold libVLC with GL in software draws within 0.4 s on an idle machine."""
START_S = 10.0
COMPOSITOR_S = 20.0
"""Film, X server, compositor and photographs share a CPU, all of them drawing in software."""

_PLAYER = """
import sys, time, vlc
instance = vlc.Instance("--no-disable-screensaver", "--quiet", "--no-audio")
player = instance.media_player_new()
player.set_xwindow(int(sys.argv[1]))
player.set_media(instance.media_new(sys.argv[2], *sys.argv[3:]))
player.play()
time.sleep(60)
"""


_CAP_IPC_OWNER = 15
"""linux/capability.h."""


class Vlc:
    """libVLC in a process of its own, drawing into a window."""

    def __init__(self, display: str, xid: int, clip: Path) -> None:
        command = [sys.executable, "-c", _PLAYER, str(xid), str(clip), ":image-duration=-1"]
        environ = {**os.environ, "DISPLAY": display}
        self._process = subprocess.Popen(command, env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def __enter__(self) -> Vlc:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def kill(self) -> None:
        self._process.kill()
        end(self._process)


@asynccontextmanager
async def on_stage(display: str, idle: Literal["black", "desktop"] = "black") -> AsyncIterator[X11Stage]:
    stage = X11Stage(display, idle)
    await stage.start()
    try:
        assert stage.health.available, stage.health.message
        yield stage
    finally:
        await stage.stop()


def fills(screen: Screen, size: tuple[int, int]) -> bool:
    return screen.size() == size and colours(screen.grab()) == {"green"}


async def photographed(colour: str, environ: dict[str, str], folder: Path) -> None:
    """Return when the compositor shows nothing but `colour`."""
    async with asyncio.timeout(COMPOSITOR_S):
        while colours(photograph(environ, folder)) != {colour}:
            await asyncio.sleep(0.4)  # each photograph costs cage 0.1.4 a frame; taken too often it draws none


def colours(image: Image.Image) -> set[str]:
    """The colours of a grid of points, the moving box at the bottom left out."""
    width, height = image.size
    points = ((width * x // 8, height * y // 8) for x in range(8) for y in range(7))
    return {name_of(image.getpixel(point)) for point in points}  # type: ignore[arg-type]


@pytest.mark.parametrize("idle", ["black", "desktop"])
async def test_hidden_then_raised(xserver: XServer, clips: Clips, idle: Literal["black", "desktop"]) -> None:
    """libVLC draws into a window that nobody sees, and the raise shows its picture and no black."""
    film = clips.film_mp4("green")
    with Screen(xserver.display) as screen:
        async with on_stage(xserver.display, idle) as stage:
            window = await stage.open_window()
            with Vlc(xserver.display, window.xid, film):
                await asyncio.wait_for(window.first_pixel(pictures=lambda: 0), SOON_S)
                assert "green" not in colours(screen.grab())
                await window.show()
                assert colours(screen.grab()) == {"green"}


async def test_a_switch_is_never_black(xserver: XServer, clips: Clips) -> None:
    """From one real film to another, no sample of the screen is anything but one of the two."""
    first, second = clips.film_mp4("red"), clips.film_mp4("green")
    samples: set[str] = set()
    over = threading.Event()

    def watch() -> None:
        with Screen(xserver.display, guarded=False) as screen:
            while not over.wait(0.001):
                samples.update(name_of(rgb) for rgb in screen.pixels([(3, 3), (320, 180), (636, 100)]))

    async with on_stage(xserver.display) as stage:
        old, new = await stage.open_window(), await stage.open_window()
        with Vlc(xserver.display, old.xid, first) as old_player:
            await asyncio.wait_for(old.first_pixel(pictures=lambda: 0), SOON_S)
            await old.show()
            watcher = threading.Thread(target=watch)
            watcher.start()
            try:
                with Vlc(xserver.display, new.xid, second):
                    await asyncio.wait_for(new.first_pixel(pictures=lambda: 0), SOON_S)
                    await new.show()
                    old_player.kill()
                    await old.close()
                    await until(lambda: "green" in samples, timeout_s=SOON_S)
            finally:
                over.set()
                watcher.join()
    assert samples == {"red", "green"}


async def test_the_last_picture_outlives_a_killed_libvlc(xserver: XServer, clips: Clips) -> None:
    """After SIGKILL of libVLC the whole last picture stays on the screen."""
    async with on_stage(xserver.display) as stage:
        window = await stage.open_window()
        with Vlc(xserver.display, window.xid, clips.film_mp4("green")) as player, Screen(xserver.display) as screen:
            await asyncio.wait_for(window.first_pixel(pictures=lambda: 0), SOON_S)
            await window.show()
            player.kill()
            assert colours(screen.grab()) == {"green"}
            assert await stage.snapshot()
            assert colours(screen.grab()) == {"green"}


async def test_libvlc_follows_the_monitor(xserver: XServer, clips: Clips) -> None:
    """After a change of resolution libVLC's picture fills the new screen by itself."""
    async with on_stage(xserver.display) as stage:
        window = await stage.open_window()
        with Vlc(xserver.display, window.xid, clips.film_mp4("green")), Screen(xserver.display) as screen:
            await asyncio.wait_for(window.first_pixel(pictures=lambda: 0), SOON_S)
            await window.show()
            try:
                for size in ((1280, 720), (640, 360)):
                    xserver.resize(*size)
                    await until(partial(fills, screen, size), timeout_s=SOON_S)
            finally:
                xserver.resize(640, 360)


@contextmanager
def wayland_session(compositor: str) -> Iterator[tuple[str, dict[str, str]]]:
    """A compositor without a monitor and with XWayland: its X display, and the environment for Wayland clients."""
    missing = [tool for tool in (compositor, "Xwayland", "grim", "xhost") if shutil.which(tool) is None]
    if missing:
        where = " (Debian 13 and newer have it)" if compositor == "labwc" else ""
        pytest.skip(
            f"NOT TESTED, {compositor}{where}: {', '.join(missing)} missing: "
            f"apt-get install {compositor} xwayland grim x11-xserver-utils"
        )
    with tempfile.TemporaryDirectory(prefix="wayland-") as name:
        folder = Path(name)
        tell = f"xhost +si:localuser:root && cd {folder} && echo $DISPLAY $WAYLAND_DISPLAY > new && mv new up"
        config = folder / "config"
        config.write_text(
            f"xwayland force\noutput HEADLESS-1 resolution 1280x720 bg #0000ff solid_color\nexec {tell}\n"
        )
        command = {
            "sway": ["sway", "-c", str(config)],
            "cage": ["cage", "--", "sh", "-c", f"{tell}; exec cat"],
            # XWayland starts with the first X client, which xhost is.
            "labwc": ["labwc", "-C", name, "-s", f"sh -c '{tell}'"],
        }[compositor]
        if os.geteuid() == 0:  # compositors refuse to run as root
            os.chown(folder, 65534, 65534)
            command = [need("setpriv"), "--reuid=65534", "--regid=65534", "--clear-groups", *_sees_shm(), *command]
        environ = {
            **{key: value for key, value in os.environ.items() if key not in ("DISPLAY", "WAYLAND_DISPLAY")},
            "HOME": name,
            "XDG_RUNTIME_DIR": name,
            "WLR_BACKENDS": "headless",
            "WLR_RENDERER": "pixman",
            "WLR_LIBINPUT_NO_DEVICES": "1",
        }
        with (folder / "log").open("wb") as log:
            # cage lasts as long as its program, which reads until this end of the pipe is closed.
            session = subprocess.Popen(command, env=environ, stdin=subprocess.PIPE, stdout=log, stderr=log)
        try:
            with suppress(TimeoutError):
                wait_until((folder / "up").exists, timeout_s=START_S, what=compositor)
            if not (folder / "up").exists():
                pytest.fail(f"{compositor} did not start: {(folder / 'log').read_text()[-2000:]}")
            display, wayland = (folder / "up").read_text().split()
            yield display, {**os.environ, "XDG_RUNTIME_DIR": name, "WAYLAND_DISPLAY": wayland}
        finally:
            end(session)


def _sees_shm() -> list[str]:
    """The options for setpriv, with which XWayland may read the shared memory of clients of root, as one of the same
    user may. From 25 on Mesa draws nothing where it may not."""
    held = int(Path("/proc/self/status").read_text().partition("CapEff:")[2].split()[0], 16)
    return ["--inh-caps=+ipc_owner", "--ambient-caps=+ipc_owner"] if held >> _CAP_IPC_OWNER & 1 else []


def photograph(environ: dict[str, str], folder: Path) -> Image.Image:
    """The picture of the compositor, taken by a Wayland client of its own."""
    run(["grim", str(folder / "shot.png")], timeout_s=5, env=environ)
    return Image.open(folder / "shot.png").convert("RGB")


@pytest.mark.parametrize(
    ("compositor", "idle"), [("sway", "black"), ("sway", "desktop"), ("cage", "black"), ("labwc", "black")]
)
async def test_in_a_wayland_session(
    clips: Clips, tmp_path: Path, compositor: str, idle: Literal["black", "desktop"]
) -> None:
    """Under XWayland a hidden film is not seen, its first pixel is, and the raise, the snapshot and the end work."""
    nothing = "black" if idle == "black" else "blue"
    with wayland_session(compositor) as (display, environ):
        async with on_stage(display, idle) as stage:
            assert (stage.health.width, stage.health.height) == (1280, 720)
            window = await stage.open_window()
            with Vlc(display, window.xid, clips.film_mp4("green")) as player:
                await asyncio.wait_for(window.first_pixel(pictures=lambda: 0), SOON_S)
                assert colours(photograph(environ, tmp_path)) == {nothing}
                assert colours(Image.open(io.BytesIO(await stage.snapshot()))) == {"black"}
                await window.show()
                await photographed("green", environ, tmp_path)
                assert colours(Image.open(io.BytesIO(await stage.snapshot()))) == {"green"}
                top = await stage.open_window()
                with Vlc(display, top.xid, clips.film_mp4("red")):
                    await asyncio.wait_for(top.first_pixel(pictures=lambda: 0), SOON_S)
                    await top.show()
                    await photographed("red", environ, tmp_path)
                await top.close()
                await photographed("green", environ, tmp_path)
                player.kill()
                assert colours(Image.open(io.BytesIO(await stage.snapshot()))) == {"green"}
                assert colours(photograph(environ, tmp_path)) == {"green"}
            await window.close()
            assert colours(Image.open(io.BytesIO(await stage.snapshot()))) == {"black"}
            if compositor != "cage":  # 0.1.4 without a monitor may drop a frame that no other follows
                await photographed(nothing, environ, tmp_path)
            if compositor == "sway" and idle == "black":
                await layers_are_kept(stage, environ, tmp_path)


async def layers_are_kept(stage: X11Stage, environ: dict[str, str], folder: Path) -> None:
    """A backdrop is seen below everything, and an overlay over a stream that is shown after it."""
    display = stage.health.display or ""
    await stage.set_backdrop(Image.new("RGB", (1280, 720), PALETTE["orange"]))
    await photographed("orange", environ, folder)
    overlay = await stage.open_window(layer=Layer.OVERLAY, place=Place(0.0, 0.0, 0.5, 1.0))
    stream = await stage.open_window()
    with Painter(display, overlay.xid) as above, Painter(display, stream.xid) as below:
        above.fill("white")
        below.fill("green")
        await overlay.show()
        await stream.show()
        async with asyncio.timeout(COMPOSITOR_S):
            while halves(photograph(environ, folder)) != ["white", "green"]:
                await asyncio.sleep(0.1)
        assert halves(Image.open(io.BytesIO(await stage.snapshot()))) == ["white", "green"]


def halves(image: Image.Image) -> list[str]:
    """The colours in the middle of the left half and of the right one."""
    return [name_of(image.getpixel((image.width * part // 4, image.height // 2))) for part in (1, 3)]  # type: ignore[arg-type]
