"""The doctor as its command, beside a real agent, real players and a real screen."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.support.agent import Agent
from tests.support.looking import wait_colour, wait_moves
from tests.support.media_server import MediaServer
from tests.support.screen import Screen
from tests.support.sound import PulseServer
from tests.support.xserver import XServer

SAID_WITHIN_S = 10.0


def doctor(env: Mapping[str, str], *arguments: str, expect: int = 0) -> str:
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", "agent.cli", "doctor", *arguments],
        env=dict(env),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert time.monotonic() - began < SAID_WITHIN_S
    assert (done.returncode, done.stderr) == (expect, ""), done.stdout + done.stderr
    return done.stdout


def findings(env: Mapping[str, str], expect: int = 0) -> dict[str, Any]:
    return {f["name"]: f for f in json.loads(doctor(env, "--json", expect=expect))}


@pytest.fixture
def env(tmp_path: Path) -> dict[str, str]:
    """A machine without a display, with an agent's settings."""
    kept = {name: os.environ[name] for name in ("PATH", "LANG", "HOME", "PYTHONPATH") if name in os.environ}
    (tmp_path / "temporary").mkdir()
    return {
        **kept,
        "TMPDIR": str(tmp_path / "temporary"),
        "CAST_AGENT_STATE__DIR": str(tmp_path / "state"),
        "CAST_AGENT_API__PORT": "0",
        "CAST_AGENT_ESPHOME__PORT": "0",
    }


def test_a_good_machine_is_good(env: dict[str, str], xserver: XServer, pulse: PulseServer, tmp_path: Path) -> None:
    """Every line is ok on a complete machine, and nothing is left behind."""
    lines = doctor({**env, **xserver.env, **pulse.env}).splitlines()
    # Its clock, its networks and its namespaces are the machine's own, and not for a test to set.
    lines = [line for line in lines if line.split()[1] not in ("clock", "mDNS", "DNS", "page")]
    assert [line for line in lines if not line.startswith("ok")] == []
    names = [line[6:20].strip().partition("  ")[0] for line in lines]
    assert names == [
        "configuration", "state folder", "display", "vlc", "plug-in cache", "pillow", "mpv", "chromium", "rtsp",
        "confinement", "hardware", "sound", "fonts", "port", "Home Assistant", "DLNA", "central API",
    ]  # fmt: skip
    assert f"{xserver.display} answers, 640x360." in lines[2]
    assert "libVLC 3" in lines[3]
    assert list((tmp_path / "temporary").iterdir()) == []
    assert not (tmp_path / "state").exists()


def test_it_does_not_disturb_a_film(xserver: XServer, media_server: MediaServer) -> None:
    """The doctor may be run while a film is on: it stays on, and the doctor finds the agent."""
    with Agent(xserver.display) as agent, Screen(xserver.display) as screen:
        session_id = agent.start(media_server.url("/film/green.mp4"), loop=True)["session_id"]
        wait_colour(screen, "green")
        found = findings(agent.env)
        wait_moves(screen, "green")
        assert found["port"]["found"] == f"An agent answers on {agent.port}."
        stream = agent.wait_state("playing")
        assert (stream["session_id"], stream["attempt"]) == (session_id, 1)


def test_without_a_display_it_says_what_to_do(env: dict[str, str], xserver: XServer) -> None:
    """A display that is not there is a failure with the stage's sentence; the engines are asked all the same."""
    found = findings({**env, "DISPLAY": ":59999"}, expect=1)
    assert found["display"]["level"] == "fail"
    assert "There is no X server on the display :59999" in found["display"]["found"]
    assert (found["vlc"]["level"], found["mpv"]["level"]) == ("ok", "ok")


def test_an_agent_without_a_display_is_doubtful(env: dict[str, str]) -> None:
    """The doctor repeats what a running agent that could show nothing says of itself."""
    with Agent(":59999") as agent:
        found = findings(agent.env, expect=1)
    assert found["port"]["level"] == "warn"
    assert ":59999" in found["port"]["advice"]


def test_a_missing_mpv_is_doubtful(env: dict[str, str], xserver: XServer) -> None:
    """Without mpv there are pictures, but no cameras: a warning that says how to install it."""
    found = findings({**env, **xserver.env, "PATH": "/nowhere"})
    assert found["mpv"]["level"] == found["rtsp"]["level"] == "warn"
    assert "apt install mpv" in found["mpv"]["advice"]


def test_mpv_is_not_needed_where_vlc_plays_all(env: dict[str, str], xserver: XServer) -> None:
    """A table that gives RTSP to a libVLC that cannot play it is told; an mpv that nothing needs may be missing."""
    engines = json.dumps(dict.fromkeys(("rtsp", "rtsps", "rtmps"), "vlc"))
    found = findings({**env, **xserver.env, "PATH": "/nowhere", "CAST_AGENT_PLAYER__ENGINES": engines})
    assert found["mpv"]["level"] == "ok"
    assert found["rtsp"]["level"] == "warn", "or Debian's libVLC has learnt RTSP"
    assert 'rtsp = "mpv"' in found["rtsp"]["advice"]


def test_a_missing_libvlc_is_a_failure(env: dict[str, str], xserver: XServer) -> None:
    """Without libVLC nothing plays: a failure that says what to install."""
    found = findings({**env, **xserver.env, "PYTHON_VLC_LIB_PATH": "/nowhere/libvlc.so"}, expect=1)
    assert found["vlc"]["level"] == "fail"
    assert "apt install libvlc5" in found["vlc"]["advice"]


def test_players_without_confinement_are_told(env: dict[str, str], xserver: XServer) -> None:
    """A warning is shown if nothing keeps players from files."""
    found = findings({**env, **xserver.env, "CONFINE_WITHOUT": "landlock,namespace"})
    assert found["confinement"]["level"] == "warn"
    assert "vlc and pillow and mpv" in found["confinement"]["found"]


def test_a_display_that_hangs_does_not_hold_it_up(env: dict[str, str]) -> None:
    """An X server that does not answer costs some seconds, and is a failure."""
    with XServer() as frozen:
        frozen.pause()
        try:
            found = findings({**env, **frozen.env}, expect=1)
        finally:
            frozen.resume()
    assert found["display"]["level"] == "fail"


def test_a_screen_of_few_colours_is_told(env: dict[str, str]) -> None:
    """Such a screen works, and the line says what would look better."""
    with XServer(depth=16) as server:
        found = findings({**env, **server.env})["display"]
    assert (found["level"], "It shows 16 bits of colour." in found["found"]) == ("ok", True)
    assert "depth of 24" in found["advice"]
