"""The screen under the running agent: it dies, freezes, comes late, changes its size, and is a Wayland session's."""

from __future__ import annotations

import io
import os
import signal
import socket
import time
from pathlib import Path

import pytest
from PIL import Image, ImageChops, ImageStat

from tests.real.test_stage_player import photograph, wayland_session
from tests.support.agent import PATIENT, Agent
from tests.support.clips import Clips
from tests.support.colours import name_of
from tests.support.media_server import MediaServer
from tests.support.painter import Painter
from tests.support.recorder import POINTS, Recording, ScreenRecorder
from tests.support.screen import Screen
from tests.support.tools import need, wait_until
from tests.support.xserver import NO_DISPLAY, XServer, free_display

NOTICED_S = 10.0
"""A frozen server is asked every 5 s, and has 2 s to answer."""
BACK_S = 8.0
"""The stage looks every second; then a spare player is made."""


def test_an_agent_of_a_test_takes_no_screen_of_another(mortal: XServer, media_server: MediaServer) -> None:
    """Without a display an agent takes any that is there, and covers what is on it."""
    with Agent(None) as agent:
        assert_no_display(agent, media_server, says=NO_DISPLAY)


def test_a_screen_that_dies_and_comes_back(mortal: XServer, media_server: MediaServer) -> None:
    """A film on a screen that dies ends failed, the agent says what is the matter, and plays when it is back."""
    with Agent(mortal.display, stream__retry=False) as agent:
        session = agent.start(media_server.url("/live/green.ts"))["session_id"]
        mortal.kill()
        last = agent.wait_ended(session, NOTICED_S)
        assert (last["reason"], last["error"]["code"]) == ("failed", "player_unavailable")
        assert last["error"]["message"].endswith(".")
        assert_no_display(agent, media_server, says=mortal.display)
        mortal.start()
        assert_plays_again(agent, mortal.display, media_server)


def test_a_screen_that_freezes_and_thaws(mortal: XServer, media_server: MediaServer) -> None:
    """A frozen X server is noticed, does not stop the agent from answering, and is used again once it answers."""
    with Agent(mortal.display, stream__retry=False) as agent:
        session = agent.start(media_server.url("/live/green.ts"))["session_id"]
        mortal.pause()
        try:
            frozen = time.monotonic()
            agent.wait_until(lambda: agent.health()["display"] == "unavailable", NOTICED_S, "it is noticed")
            assert time.monotonic() - frozen < NOTICED_S
            assert agent.wait_ended(session)["reason"] == "failed"
            assert_no_display(agent, media_server, says=mortal.display)
            assert "does not answer" in agent.health()["checks"]["display"]["message"]
        finally:
            mortal.resume()
        assert_plays_again(agent, mortal.display, media_server)


def test_a_screen_that_comes_late(media_server: MediaServer) -> None:
    """Without any display the agent runs and says what to do; it takes the screen when there is one."""
    late = XServer()
    late.display = free_display()
    try:
        with Agent(None, display__display=late.display) as agent:
            assert_no_display(agent, media_server, says=late.display)
            late.start()
            assert_plays_again(agent, late.display, media_server)
    finally:
        late.stop()


def test_a_wayland_session_without_xwayland(media_server: MediaServer, tmp_path: Path) -> None:
    """XWayland is named in a Wayland session without an X server."""
    with socket.socket(socket.AF_UNIX) as compositor:
        compositor.bind(str(tmp_path / "wayland-0"))
        compositor.listen()
        with Agent(None, env={"XDG_RUNTIME_DIR": str(tmp_path)}, display__display=free_display()) as agent:
            assert_no_display(agent, media_server, says="apt install xwayland")


def test_the_film_fills_a_screen_that_grows(media_server: MediaServer) -> None:
    """The current film fills the new screen, and so does the next one."""
    corners = [(8, 8), (1271, 8), (640, 360), (1271, 600)]
    with XServer(largest=(1280, 720)) as growing, Agent(growing.display) as agent, Screen(growing.display) as screen:
        agent.start(media_server.url("/live/green.ts"))
        agent.wait_state("playing")
        growing.resize(1280, 720)
        for colour in ("green", "red"):
            wait_until(
                lambda colour=colour: {name_of(rgb) for rgb in screen.pixels(corners)} == {colour},  # type: ignore[misc]
                timeout_s=5,
                what=f"{colour} near every corner",
            )
            agent.start(media_server.url("/film.mp4"))
        assert (agent.health()["checks"]["display"]["width"], agent.health()["checks"]["display"]["height"]) == (
            1280,
            720,
        )
        agent.stop()
        assert screen.grab().getcolors() == [(1280 * 720, (0, 0, 0))]


@pytest.mark.parametrize(("image_format", "differs_by"), [("png", 0.0), ("jpeg", 2.0)])
def test_a_snapshot_is_what_the_screen_shows(
    xserver: XServer, media_server: MediaServer, image_format: str, differs_by: float
) -> None:
    """A snapshot shows what a person in front of the screen sees, in the format that was asked for."""
    with Agent(xserver.display) as agent, Screen(xserver.display) as screen:
        agent.start(media_server.url("/image.png"))
        agent.wait_state("playing")
        answer = agent.call("GET", f"/snapshot?format={image_format}")
        assert answer.headers["Content-Type"] == f"image/{image_format}"
        taken = Image.open(io.BytesIO(answer.content)).convert("RGB")
        assert difference(taken, screen.grab()) <= differs_by
        assert screen.colour_at_centre() == "orange"


def test_a_killed_player_leaves_its_last_picture(xserver: XServer, media_server: MediaServer) -> None:
    """From the death of its player until the screen is cleared, the last picture of a film stays, and nothing else."""
    with Agent(xserver.display, stream__retry=False) as agent:
        session = agent.start(media_server.url("/film/green.mp4"))["session_id"]
        agent.wait_state("playing")
        with ScreenRecorder(xserver.display) as recorder:
            os.kill(agent.player_pid(), signal.SIGKILL)
            last = agent.wait_ended(session)
            wait_for_colour(xserver.display, "black")
            recording = recorder.stop()
        assert (last["reason"], last["error"]["code"]) == ("failed", "player_unavailable")
        assert colours_anywhere(recording) == {"green", "black"}
        assert recording.colours() == ["green", "black"]


def test_the_desktop_is_seen_while_nothing_is_on(xserver: XServer, media_server: MediaServer) -> None:
    """With idle = "desktop" the desktop stays until the first picture and comes back after the last, with nothing else
    in between, also when a start fails."""
    with Screen(xserver.display) as screen, Painter(xserver.display, screen._root) as desktop:
        with Agent(xserver.display, display__idle="desktop") as agent:
            desktop.fill("magenta")
            with ScreenRecorder(xserver.display) as recorder:
                agent.start(media_server.url("/status/404"), expect=502)
                agent.start(media_server.url("/garbage"), expect=502)
                agent.start(media_server.url("/film/green.mp4?delay=0.3"))
                agent.stop()
                desktop.fill("magenta")  # as a desktop does when it is uncovered
                wait_for_colour(xserver.display, "magenta")
                recording = recorder.stop()
        desktop.fill("black")
    seen = [name for name in recording.colours() if name != "black"]  # a bare root window is black until it is painted
    assert seen == ["magenta", "green", "magenta"]
    assert colours_anywhere(recording) <= {"magenta", "green", "black"}


@pytest.mark.parametrize("shape", ["a film on a 4:3 screen", "a tall picture", "a wide picture"])
def test_around_a_picture_there_is_black(media_server: MediaServer, clips: Clips, shape: str) -> None:
    """The area that a picture of another shape leaves free is black from its first moment on."""
    path, colour, size = {
        "a film on a 4:3 screen": (media_server.url("/film/green.mp4"), "green", (640, 480)),
        "a tall picture": (media_server.file_url(clips.image("png", "cyan", (240, 360))), "cyan", (640, 360)),
        "a wide picture": (media_server.file_url(clips.image("png", "cyan", (640, 160))), "cyan", (640, 360)),
    }[shape]
    with XServer(size) as screen_of_its_own, Agent(screen_of_its_own.display) as agent:
        with ScreenRecorder(screen_of_its_own.display) as recorder, Screen(screen_of_its_own.display) as screen:
            agent.start(path)
            agent.wait_state("playing")
            picture = screen.grab()
            recording = recorder.stop()
        assert colours_anywhere(recording) == {"black", colour}
        seen = {name_of(rgb) for _, rgb in picture.quantize(16).convert("RGB").getcolors() or []}  # type: ignore[arg-type]
        assert {"black", colour} <= seen <= {"black", colour, "white", "other"}
        corners = [(2, 2), (size[0] - 3, 2), (2, size[1] - 3), (size[0] - 3, size[1] - 3)]
        assert {name_of(picture.getpixel(at)) for at in corners} == {"black"}  # type: ignore[arg-type]


@pytest.mark.parametrize("compositor", ["sway", "labwc"])
def test_a_wayland_session_with_xwayland(media_server: MediaServer, tmp_path: Path, compositor: str) -> None:
    """In a Wayland session a film, a switch and the end are on the compositor's screen, and in a snapshot."""
    for tool in ("sway", "Xwayland", "grim", "xhost"):
        need(tool)

    def screen_of(environment: dict[str, str]) -> set[str]:
        # Each photograph costs the compositor a frame: not more often than needed.
        time.sleep(0.3)
        picture = photograph(environment, tmp_path)
        return {name_of(picture.getpixel((int(1280 * x), int(720 * y)))) for x, y in POINTS}  # type: ignore[arg-type]

    with wayland_session(compositor) as (display, environment):
        of_session = {name: environment[name] for name in ("XDG_RUNTIME_DIR", "WAYLAND_DISPLAY")}
        with Agent(display, env=of_session) as agent:
            for path, colour in (("/film/green.mp4", "green"), ("/film.mp4", "red")):
                agent.start(media_server.url(path))
                agent.wait_until(lambda: screen_of(environment) == {colour}, 5, f"{colour} on the screen")  # noqa: B023
                taken = Image.open(io.BytesIO(agent.call("GET", "/snapshot").content)).convert("RGB")
                assert (taken.size, name_of(taken.getpixel((640, 360)))) == ((1280, 720), colour)  # type: ignore[arg-type]
            agent.stop()
            agent.wait_until(lambda: screen_of(environment) == {"black"}, 5, "an empty screen")


def assert_no_display(agent: Agent, media_server: MediaServer, *, says: str) -> None:
    """The agent lives, says what is the matter, and refuses what needs a screen."""
    assert agent.call("GET", "/health/live").status == 200
    health = agent.health()
    assert (health["status"], health["display"], health["player"]) == ("degraded", "unavailable", "unavailable")
    assert says in health["checks"]["display"]["message"]
    for method, path, body in (("POST", "/start", {"url": media_server.url("/film.mp4")}), ("GET", "/snapshot", None)):
        answer = agent.call(method, path, body)
        assert (answer.status, answer.json["code"]) == (503, "player_unavailable")
        assert int(answer.headers["Retry-After"]) > 0
        assert says in answer.json["detail"]
    assert agent.status()["stream"] is None


def assert_plays_again(agent: Agent, display: str, media_server: MediaServer) -> None:
    """By itself the agent is well again, and a film is seen."""
    agent.wait_until(lambda: agent.health()["status"] == "healthy", BACK_S, "it is well again")
    agent.start(media_server.url("/film.mp4"))
    agent.wait_state("playing")
    with Screen(display) as screen:
        assert screen.colour_at_centre() == "red"


def wait_for_colour(display: str, colour: str) -> None:
    with Screen(display) as screen:
        wait_until(lambda: screen.colour_at_centre() == colour, timeout_s=5, what=f"{colour} on the screen")


def colours_anywhere(recording: Recording) -> set[str]:
    return set().union(*(recording.colours(point) for point in range(len(POINTS))))


def difference(one: Image.Image, other: Image.Image) -> float:
    """The mean difference of all channels of all pixels, 0-255."""
    assert one.size == other.size
    means = ImageStat.Stat(ImageChops.difference(one, other)).mean
    return sum(means) / len(means)


@pytest.mark.parametrize("engine", ["vlc", "mpv"])
@pytest.mark.parametrize("depth", [15, 16, 30])
def test_colours_are_right_on_a_screen_of_another_depth(media_server: MediaServer, engine: str, depth: int) -> None:
    """With fewer or more bits of colour than usual the picture is right with either player, and so is the snapshot."""
    with (
        XServer(depth=depth) as server,
        Agent(server.display, audio__output="none", player__engines=f'{{"http": "{engine}"}}', **PATIENT) as agent,
    ):
        for colour in ("green", "red"):
            agent.start(media_server.url(f"/film/{colour}.mp4"), loop=True)
            assert agent.status()["stream"]["engine"] == engine
            picture = Image.open(io.BytesIO(agent.call("GET", "/snapshot").content)).convert("RGB")
            seen = picture.getpixel((picture.width // 2, picture.height // 2))
            assert isinstance(seen, tuple)
            assert name_of((int(seen[0]), int(seen[1]), int(seen[2]))) == colour
