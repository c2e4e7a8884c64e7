"""The command line beside the real agent: from a start on the command line to the pixels."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

from tests.support.agent import Agent
from tests.support.media_server import MediaServer
from tests.support.screen import Screen
from tests.support.xserver import XServer


def test_a_film_from_the_command_line(xserver: XServer, media_server: MediaServer, tmp_path: Path) -> None:
    """`start --wait` returns with the picture on the screen, `snapshot` saves it, `stop` takes it off."""
    with Agent(xserver.display) as agent, Screen(xserver.display) as screen:

        def cli(*arguments: str, expect: int = 0) -> str:
            done = subprocess.run(
                [sys.executable, "-m", "agent.cli", *arguments],
                env=agent.env,
                capture_output=True,
                text=True,
                timeout=60,
                check=False,
            )
            assert done.returncode == expect, done
            return done.stdout + done.stderr

        said = cli("start", media_server.url("/film/green.mp4"), "--wait")
        assert re.match(r"On the screen after \d+\.\d\d s\. Session ", said), said
        assert screen.colour_at_centre() == "green"
        assert media_server.url("/film/green.mp4") in cli("status")
        picture = json.loads(cli("snapshot", str(tmp_path / "screen.png"), "--json"))
        assert (tmp_path / "screen.png").read_bytes().startswith(b"\x89PNG")
        assert (tmp_path / "screen.png").stat().st_size == picture["bytes"]
        assert "404" in cli("start", media_server.url("/nothing.mp4"), "--wait", expect=74)
        assert cli("stop") == "Stream stopped.\n"
        assert screen.colour_at_centre() == "black"
        assert "Nothing is on" in cli("pause", expect=75)
