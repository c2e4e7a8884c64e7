"""Players reach what playing needs and nothing else, whatever a stream sends them to; on the real libVLC."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from urllib.parse import quote

import pytest

from agent.types import VideoOutput
from tests.support import without_namespaces
from tests.support.agent import Agent
from tests.support.clips import Clips
from tests.support.confined import NOTHING, WITHOUT, Opened
from tests.support.looking import wait_colour, wait_moves
from tests.support.media_server import MediaServer
from tests.support.screen import Screen
from tests.support.sound import PulseServer
from tests.support.tls import TlsFront, make_certificate, python_that_trusts
from tests.support.xserver import XServer


@pytest.fixture
def secret(clips: Clips, tmp_path: Path) -> Path:
    """A blue film that is in no media folder."""
    return Path(shutil.copy(clips.film_mp4("blue", 10, None), tmp_path / "secret.mp4"))


def agent_confined_by(
    means: str, xserver: XServer, pulse: PulseServer, clips: Clips, *, output: VideoOutput = VideoOutput.AUTO
) -> Agent:
    return Agent(
        xserver.display,
        env={**pulse.env, "CONFINE_WITHOUT": WITHOUT[means]},
        player__media_folders=[str(clips.folder)],
        player__output=output,
        player__start_timeout=3,
    )


def confinement_of(agent: Agent) -> str:
    return str(agent.health()["checks"]["player"]["engines"]["vlc"]["features"]["confinement"])


def places(secret: Path) -> list[str]:
    """The addresses to which a stream may send a player."""
    return [
        secret.as_uri(),
        str(secret),
        secret.parent.as_uri() + "/",
        f"stream://{secret}",
        f"avio://{secret}",
        f"concat:{secret}",
        f"concat://{secret}",
        f"dvd://{secret}",
        f"bluray://{secret}",
        "file:///etc/passwd",
        "/etc/passwd",
        "v4l2:///dev/video0",
        "screen://",
    ]


@pytest.mark.parametrize("way", ["redirect?to", "list.m3u?entry"], ids=["redirect", "playlist"])
def test_a_stream_leads_nowhere(
    means: str,
    way: str,
    xserver: XServer,
    pulse: PulseServer,
    clips: Clips,
    media_server: MediaServer,
    screen: Screen,
    secret: Path,
) -> None:
    """A redirect or a playlist to a file, a device or the screen fails: nothing is shown, and no file is opened."""
    with agent_confined_by(means, xserver, pulse, clips) as agent, Opened(secret.parent) as opened:
        assert confinement_of(agent).startswith(means)
        for place in places(secret):
            answer = agent.call("POST", "/start?wait=8", {"url": media_server.url(f"/{way}={quote(place, safe='')}")})
            assert answer.status == 502, (place, answer.content)
            assert screen.colour_at_centre() == "black", place
            # The folder itself may be opened where names are all that is left of it; a file may not.
            assert secret.name not in opened.names(), place
            agent.stop(all=True)


def test_unconfined_it_would_lead_there(
    xserver: XServer, pulse: PulseServer, clips: Clips, media_server: MediaServer, screen: Screen, secret: Path
) -> None:
    """Without any means the same redirect shows the film, and /health says that there is none: the test above can
    fail."""
    with agent_confined_by(NOTHING, xserver, pulse, clips) as agent, Opened(secret.parent) as opened:
        assert confinement_of(agent) == NOTHING
        agent.start(media_server.url(f"/redirect?to={quote(secret.as_uri(), safe='')}"))
        wait_colour(screen, "blue")
        assert secret.name in opened.names()


def test_where_there_is_none_it_says_so(
    xserver: XServer, media_server: MediaServer, screen: Screen, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No Landlock, and a unit that forbids namespaces: films play all the same, /health says `none` and what to do,
    and the doctor names the line of the unit."""
    environment = {"CONFINE_WITHOUT": "landlock"}
    monkeypatch.setattr(sys, "executable", without_namespaces.wrapper(tmp_path))
    with Agent(xserver.display, audio__output="none", env=environment) as agent:
        agent.start(media_server.url("/film/red.mp4"))
        wait_moves(screen, "red")
        check = agent.health()["checks"]["player"]
        assert (check["status"], check["engines"]["vlc"]["features"]["confinement"]) == ("ok", NOTHING)
        assert "cast-agent doctor" in check["message"]
        found = subprocess.run(
            [sys.executable, "-m", "agent.cli", "doctor", "--json"], env=agent.env, capture_output=True, timeout=20
        )
    [finding] = [finding for finding in json.loads(found.stdout) if finding["name"] == "confinement"]
    assert finding["level"] == "warn"
    assert "RestrictNamespaces=user mnt" in finding["advice"]


def test_playing_goes_on_as_ever(
    means: str, xserver: XServer, pulse: PulseServer, clips: Clips, media_server: MediaServer, screen: Screen
) -> None:
    """Confined, a host's name resolves, the graphics driver draws, sound is heard, and media folders play."""
    with agent_confined_by(means, xserver, pulse, clips, output=VideoOutput.GL) as agent:
        agent.start(media_server.url("/live/green.ts").replace("127.0.0.1", "localhost"))
        wait_moves(screen, "green", timeout_s=5)
        pulse.wait_heard(880)
        mapped = Path(f"/proc/{agent.player_pid()}/maps").read_text()
        assert "libGL" in mapped
        agent.start(clips.film_mp4("red").as_uri())
        wait_moves(screen, "red")
        pulse.wait_heard(440)
        assert {line["preroll_shown"] for line in agent.log("spare_prepared")} == {True}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can put a certificate before the others")
def test_certificates_are_checked(
    means: str,
    xserver: XServer,
    pulse: PulseServer,
    clips: Clips,
    media_server: MediaServer,
    screen: Screen,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A server whose certificate the system knows plays over TLS; one that it does not know is refused."""
    certificate = make_certificate(tmp_path)
    with TlsFront(certificate, before=media_server.port) as front:
        url = f"https://localhost:{front.port}/film/green.mp4"
        with agent_confined_by(means, xserver, pulse, clips) as agent:
            agent.start(url, expect=502)
            assert screen.colour_at_centre() == "black"
        monkeypatch.setattr(sys, "executable", python_that_trusts(certificate, tmp_path))
        with agent_confined_by(means, xserver, pulse, clips) as agent:
            assert confinement_of(agent).startswith(means)
            agent.start(url)
            wait_moves(screen, "green")
