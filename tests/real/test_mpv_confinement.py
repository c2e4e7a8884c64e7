"""The places that mpv may reach, whatever it is sent to: its options keep it in, and the confinement does where they do
not help. Each of the two is shown without the other. An mpv with neither goes there, so the machine is not the reason.

Each of the two is shown without the other, and that neither is the machine's doing: an mpv with neither goes there.
"""

from __future__ import annotations

import shutil
import zipfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest

from tests.support.agent import Agent
from tests.support.broken_camera import BrokenCamera
from tests.support.clips import Clips
from tests.support.confined import WITHOUT, Opened
from tests.support.looking import wait_moves
from tests.support.media_server import MediaServer
from tests.support.mpv import TRUSTING, Mpv
from tests.support.screen import Screen
from tests.support.sound import PulseServer
from tests.support.xserver import XServer

GL = ["--no-config", "--idle=yes", "--no-terminal", "--gpu-context=x11egl", "--ytdl=no"]


@pytest.fixture
def secret(clips: Clips, tmp_path: Path) -> Path:
    """A blue film in a folder that is no media folder, with a picture and an archive beside it."""
    folder = tmp_path / "secret"
    folder.mkdir()
    film = Path(shutil.copy(clips.film_mp4("blue", 10, None), folder / "film.mp4"))
    shutil.copy(clips.image("png"), folder / "picture.png")
    with zipfile.ZipFile(folder / "films.zip", "w") as archive:
        archive.write(film, "film.mp4")
    return film


def places(film: Path) -> list[str]:
    """The addresses that a stream could name."""
    archive, picture = film.with_name("films.zip"), film.with_name("picture.png")
    return [
        film.as_uri(),
        str(film),
        film.parent.as_uri() + "/",
        f"concat:{film}|{film}",
        f"subfile,,start,0,end,0,,:{film}",
        f"async:{film}",
        f"lavf://file:{film}",
        f"lavf://concat:{film}|{film}",
        f"lavf://concatf:{film}",
        f"lavf://subfile,,start,0,end,0,,:{film}",
        f"lavf://cache:{film}",
        f"lavf://pipe:{film}",
        f"ffmpeg://{film}",
        f"av://lavfi:movie={film}",
        f"av://v4l2:{film}",
        "av://x11grab::0",
        f"edl://{film}",
        f"slice://0@{film}",
        f"appending://{film}",
        f"archive://{archive}|/film.mp4",
        str(archive),
        f"mf://{picture}",
        f"hex://{f'# mpv EDL v0{chr(10)}{film}'.encode().hex()}",
        f"cdda:///{film}",
        f"dvd://1/{film}",
        f"bd:///{film}",
        f"unix:{film}",
        f"smb://127.0.0.1/{film}",
        "fd://0",
        "dvb://",
        "tv://",
        "v4l2:///dev/video0",
        "file:///etc/passwd",
    ]


def asked_directly(film: Path) -> list[str]:
    """The same places, and playlists that need no server."""
    return [
        *places(film),
        f"memory://#EXTM3U\n{film}\n",
        f"memory://# mpv EDL v0\n{film}\n",
        f"memory://ffconcat version 1.0\nfile {film}\n",
    ]


def written(place: str) -> dict[str, str]:
    """Files of a server that name this place, in every language that mpv or FFmpeg reads."""
    hls = "#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-TARGETDURATION:12\n"
    segment = f"#EXTINF:10,\n{place}\n#EXT-X-ENDLIST\n"
    mpd = (
        '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" '
        'mediaPresentationDuration="PT10S" profiles="urn:mpeg:dash:profile:isoff-on-demand:2011"><Period>'
        '<AdaptationSet mimeType="video/mp4"><Representation id="1" bandwidth="100000" codecs="avc1.42c01e">'
        f"<BaseURL>{place}</BaseURL><SegmentBase/></Representation></AdaptationSet></Period></MPD>"
    )
    return {
        "segment.m3u8": hls + segment,
        "map.m3u8": f'{hls}#EXT-X-MAP:URI="{place}"\n{segment}',
        "key.m3u8": f'{hls}#EXT-X-KEY:METHOD=AES-128,URI="{place}"\n{segment}',
        "variant.m3u8": f"#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=100000\n{place}\n",
        "list.m3u": f"#EXTM3U\n{place}\n",
        "list.pls": f"[playlist]\nFile1={place}\nNumberOfEntries=1\n",
        "list.asx": f'<asx version="3.0"><entry><ref href="{place}"/></entry></asx>',
        "list.txt": f"{place}\n",
        "cuts.edl": f"# mpv EDL v0\n{place}\n",
        "cuts.ffconcat": f"ffconcat version 1.0\nfile {place}\n",
        "disc.cue": f'PERFORMER "x"\nFILE "{place}" WAVE\n  TRACK 01 AUDIO\n    INDEX 01 00:00:00\n',
        "dash.mpd": mpd,
    }


def streams(film: Path, server: MediaServer) -> Iterator[str]:
    """Addresses of streams that lead to those places."""
    for place in places(film):
        if not place.startswith("hex:"):
            yield server.url(f"/redirect?to={quote(place, safe='')}")
        for name, text in written(place).items():
            yield server.url(f"/text/{name}?text={quote(text)}")


def test_asked_directly_it_reaches_nothing(means: str, tmp_path: Path, secret: Path) -> None:
    """Confined, mpv opens no file and no device even where its options allow everything: what hijacked it could ask
    for no more."""
    with Mpv(tmp_path, means=means, options=TRUSTING) as mpv, Opened(secret.parent) as opened:
        assert mpv.confined_by.startswith(means)
        for place in asked_directly(secret):
            if place.startswith("av://x11grab"):
                continue  # the X server's socket is what pictures need: the options keep streams away from it
            assert not mpv.plays(place), place
            assert opened.names() <= {"."}, place


def test_unconfined_it_goes_there(tmp_path: Path, secret: Path) -> None:
    """The same mpv without confinement opens the files: the test above can fail."""
    reached = set()
    with Mpv(tmp_path, options=TRUSTING) as mpv, Opened(secret.parent) as opened:
        for place in asked_directly(secret):
            mpv.plays(place)
            if opened.names() - {"."}:
                reached.add(place.partition(":")[0].lower())
    assert {"file", "lavf", "ffmpeg", "av", "edl", "slice", "archive", "mf", "hex", "dvd", "memory"} <= reached


def test_no_stream_leads_anywhere(tmp_path: Path, secret: Path, media_server: MediaServer) -> None:
    """With the agent's options alone, unconfined, no redirect and no kind of playlist is followed to a file, a device
    or the screen, though each is read."""
    with Mpv(tmp_path) as mpv, Opened(secret.parent) as opened:
        for number, url in enumerate(streams(secret, media_server), 1):
            assert not mpv.plays(url), url
            assert opened.names() == set(), url
            assert len(media_server.requests("/text")) + len(media_server.requests("/redirect")) >= number
        for place in (secret.as_uri(), str(secret)):
            with BrokenCamera(leads_to=place) as camera:
                assert not mpv.plays(camera.url)
        assert opened.names() == set()


def test_without_the_options_they_would(tmp_path: Path, secret: Path, media_server: MediaServer) -> None:
    """An mpv that trusts what it reads opens the file for many of these streams: the test above can fail."""
    reached = set()
    with Mpv(tmp_path, options=TRUSTING) as mpv, Opened(secret.parent) as opened:
        for name, text in written(str(secret)).items():
            mpv.plays(media_server.url(f"/text/{name}?text={quote(text)}"))
            if opened.names():
                reached.add(name)
    assert {"segment.m3u8", "map.m3u8", "key.m3u8", "variant.m3u8", "list.m3u", "list.pls", "cuts.edl"} <= reached


def test_nobody_else_tells_it_what_to_do(tmp_path: Path, media_server: MediaServer) -> None:
    """Neither a configuration nor a script of the user is read; without the agent's options both would be."""
    home = tmp_path / "home"
    (home / "scripts").mkdir(parents=True)
    (home / "mpv.conf").write_text("user-agent=configured\n")
    (home / "scripts" / "script.lua").write_text(f'io.open("{tmp_path}/ran", "w"):close()\n')
    environment = {"MPV_HOME": str(home)}
    with Mpv(tmp_path, environment=environment) as mpv:
        assert mpv.plays(media_server.url("/film.mp4"))
        assert mpv.ask("get_property", "options/user-agent") != "configured"
        assert mpv.ask("get_property", "options/ytdl") is False
        assert not (tmp_path / "ran").exists()
    with Mpv(tmp_path, environment=environment, options=["--idle=yes", "--no-terminal"]) as mpv:
        assert mpv.plays(media_server.url("/film.mp4"))
        assert mpv.ask("get_property", "options/user-agent") == "configured"
        assert (tmp_path / "ran").exists()


def test_the_graphics_driver_draws(means: str, tmp_path: Path, xserver: XServer, media_server: MediaServer) -> None:
    """Confined, mpv opens its GL output, by name and driver."""
    environment = {"DISPLAY": xserver.display}
    with Mpv(tmp_path, means=means, options=GL, video_output="gpu", environment=environment) as mpv:
        assert mpv.plays(media_server.url("/film.mp4"), ask=["current-vo"])
        assert mpv.said["current-vo"] == "gpu"
        assert "libEGL" in Path(f"/proc/{mpv.process.pid}/maps").read_text()


def test_playing_goes_on_as_ever(
    means: str, xserver: XServer, pulse: PulseServer, clips: Clips, media_server: MediaServer, secret: Path
) -> None:
    """In the agent, a confined mpv resolves a name, is heard, plays from a media folder, and shows nothing of a file
    that a stream leads to."""
    agent = Agent(
        xserver.display,
        env={**pulse.env, "CONFINE_WITHOUT": WITHOUT[means]},
        player__engines='{"http": "mpv", "file": "mpv"}',
        player__media_folders=[str(clips.folder)],
        stream__retry=False,
    )
    with agent, Screen(xserver.display) as screen, Opened(secret.parent) as opened:
        agent.start(media_server.url("/live/green.ts").replace("127.0.0.1", "localhost"))
        wait_moves(screen, "green", timeout_s=5)
        pulse.wait_heard(880)
        agent.start(clips.film_mp4("red").as_uri())
        wait_moves(screen, "red")
        pulse.wait_heard(440)
        assert str(agent.health()["checks"]["player"]["engines"]["mpv"]["features"]["confinement"]).startswith(means)
        agent.stop(all=True)
        leading = [f"/redirect?to={quote(secret.as_uri(), safe='')}"]
        leading += [f"/text/{name}?text={quote(text)}" for name, text in written(str(secret)).items() if "m3u8" in name]
        for path in leading:
            problem = agent.start(media_server.url(path), expect=502)
            assert problem["code"].startswith("media_")
            assert screen.colour_at_centre() == "black"
        assert opened.names() == set()
