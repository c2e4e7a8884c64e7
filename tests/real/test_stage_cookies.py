"""Displays that want a cookie, wherever a session keeps it, and players on them."""

from __future__ import annotations

import os
import pwd
import stat
import time
from pathlib import Path

import pytest

from agent.errors import DisplayRefusedError
from agent.player.base import KillReason
from agent.player.confine import Confinement
from agent.player.ipc_client import WorkerPlayer
from agent.player.mpv.options import mpv_command
from agent.player.mpv.player import MpvPlayer
from agent.player.spawn import worker_environment
from agent.player.vlc.command import vlc_command
from agent.stage.cookies import COOKIES_AT_MOST, Cookie, cookies, hand_on
from agent.stage.x11 import X11Stage
from agent.types import VideoOutput
from tests.real.test_stage_player import wayland_session
from tests.support.agent import Agent
from tests.support.authority import cookie, entry, private_display
from tests.support.media_server import MediaServer

USER = pwd.getpwuid(os.geteuid()).pw_name


@pytest.mark.parametrize(
    "place",
    [
        "home/.Xauthority",
        "session/gdm/Xauthority",
        "session/.mutter-Xwaylandauth.4TQ2B3",
        "session/xauth_hWvUcJ",
        "tmp/xauth_kOcZyP",
        f"run/lightdm/{USER}/xauthority",
        f"run/user/{os.geteuid()}/xauth_xRlGRn",
    ],
)
async def test_the_usual_places_are_looked_at(tmp_path: Path, place: str) -> None:
    """The places are those in which GDM, GNOME, KDE, SDDM and LightDM keep the cookie, and in which X clients look
    themselves."""
    right = cookie()
    file = tmp_path / place
    file.parent.mkdir(parents=True)
    file.write_bytes(entry(right))
    environ = {"HOME": f"{tmp_path}/home", "XDG_RUNTIME_DIR": f"{tmp_path}/session", "XAUTHORITY": f"{tmp_path}/none"}
    assert [each.data for each in cookies(0, environ, root=tmp_path)] == [right, b""]


@pytest.mark.parametrize("host", ["", "the-old-name", None])
async def test_a_display_is_opened_by_the_cookie_that_fits(tmp_path: Path, host: str | None) -> None:
    """The cookie is found beside those of earlier sessions, whatever the host was called then, and handed on for any
    name of the host."""
    right, runtime = cookie(), tmp_path / "run"
    runtime.mkdir()
    for age in range(3):
        (runtime / f".mutter-Xwaylandauth.OLD{age}").write_bytes(entry(cookie(), host=host))
    (runtime / "xauth_new").write_bytes(entry(right, host=host))
    handed = tmp_path / "of-players" / "Xauthority"
    with private_display(entry(right, host=host), tmp_path) as display:
        stage = X11Stage(display, "black", environ={"XDG_RUNTIME_DIR": str(runtime)}, authority=handed)
        await stage.start()
        try:
            assert stage.health.available, stage.health.message
        finally:
            await stage.stop()
        assert handed.read_bytes() == entry(right, host=None, number=display[1:])
        assert stat.S_IMODE(handed.stat().st_mode) == 0o600


def test_players_are_let_into_xwayland(media_server: MediaServer, tmp_path: Path) -> None:
    """The session is like one of GNOME, whose XWayland wants a cookie."""
    right, runtime = cookie(), tmp_path / "run"
    runtime.mkdir()
    (runtime / ".mutter-Xwaylandauth.4TQ2B3").write_bytes(entry(right))
    with (
        wayland_session("sway") as (_, environ),
        private_display(entry(right), tmp_path, wayland=environ) as display,
        Agent(display, env={"XDG_RUNTIME_DIR": str(runtime)}) as agent,
    ):
        agent.start(media_server.url("/film.mp4"))
        agent.wait_state("playing")


def test_so_many_cookies_are_tried_and_the_newest_first(tmp_path: Path) -> None:
    made = [cookie() for _ in range(2 * COOKIES_AT_MOST)]
    for age, each in enumerate(made):
        file = tmp_path / f"xauth_{age:02}"
        file.write_bytes(entry(each))
        os.utime(file, (time.time() - age,) * 2)
    found = cookies(0, {"XDG_RUNTIME_DIR": str(tmp_path)}, root=tmp_path)
    assert [each.data for each in found] == [*made[:COOKIES_AT_MOST], b""]


def test_what_others_put_into_tmp_is_left_alone(tmp_path: Path) -> None:
    """A FIFO would hang, a link may lead anywhere, and another display's cookie opens nothing."""
    (tmp_path / "tmp").mkdir()
    os.mkfifo(tmp_path / "tmp" / "xauth_fifo")
    (tmp_path / "tmp" / "xauth_link").symlink_to("/dev/zero")
    (tmp_path / "tmp" / "xauth_other").write_bytes(entry(cookie(), number="7"))
    assert cookies(0, {}, root=tmp_path) == [Cookie()]


@pytest.mark.parametrize("engine", ["vlc", "mpv", "pillow"])
def test_every_player_is_let_in(media_server: MediaServer, tmp_path: Path, engine: str) -> None:
    """Players are let in on a desktop whose cookie is in no file that an X client looks into, and is bound to the name
    before."""
    right, runtime = cookie(), tmp_path / "run"
    runtime.mkdir()
    (runtime / "xauth_hWvUcJ").write_bytes(entry(right, host="the-old-name"))
    path = "/image.png" if engine == "pillow" else "/film.mp4"
    engines = '{"http": "mpv"}' if engine == "mpv" else "{}"
    with (
        private_display(entry(right, host="the-old-name"), tmp_path) as display,
        Agent(display, env={"XDG_RUNTIME_DIR": str(runtime)}, player__engines=engines) as agent,
    ):
        agent.start(media_server.url(path))
        agent.wait_state("playing")


def test_where_the_cookie_cannot_be_handed_on_players_look_for_it(media_server: MediaServer, tmp_path: Path) -> None:
    """A full disk, or one that is read-only, costs no picture where the cookie is where X clients look."""
    right, runtime = cookie(), tmp_path / "run"
    (runtime / "cast-agent" / "Xauthority").mkdir(parents=True)  # nothing can take its place
    (tmp_path / "usual").write_bytes(entry(right))
    env = {"XDG_RUNTIME_DIR": str(runtime), "XAUTHORITY": str(tmp_path / "usual")}
    with private_display(entry(right), tmp_path) as display, Agent(display, env=env) as agent:
        assert agent.log("authority_write_failed")
        agent.start(media_server.url("/film.mp4"))
        agent.wait_state("playing")


async def test_a_player_that_cannot_open_the_display_says_so(tmp_path: Path) -> None:
    """The message does not say that libVLC is installed badly, although libVLC crashes there."""
    folder = tmp_path / "players"
    with private_display(entry(cookie()), tmp_path) as display:
        hand_on(Cookie(b"MIT-MAGIC-COOKIE-1", cookie()), int(display[1:]), tmp_path / "wrong")
        environment = worker_environment(display, base=os.environ, authority=tmp_path / "wrong")
        vlc = vlc_command(output=VideoOutput.X11, audio_output="none", audio_device=None)()
        with pytest.raises(DisplayRefusedError, match="X server accepts cast-agent but no player"):
            await WorkerPlayer.spawn(vlc, environment=environment)
        confinement = Confinement(folder=str(folder))
        mpv = mpv_command(output=VideoOutput.X11, audio_output="none", audio_device=None, confinement=confinement)()
        player = await MpvPlayer.spawn(mpv, environment=environment)
        try:
            assert isinstance(await player.gone(), DisplayRefusedError)
        finally:
            await player.kill(KillReason.ENDED)
