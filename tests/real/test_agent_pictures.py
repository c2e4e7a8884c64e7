"""Pictures, still and animated, as people and cameras send them."""

from __future__ import annotations

import hashlib
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import quote
from urllib.request import parse_http_list, parse_keqv_list

import pytest
from PIL import Image, ImageDraw

from tests.support.agent import Agent
from tests.support.clips import Clips
from tests.support.colours import PALETTE, name_of
from tests.support.confined import WITHOUT, Opened
from tests.support.leaks import LeakCheck
from tests.support.looking import wait_colour
from tests.support.media_server import MediaServer
from tests.support.recorder import ScreenRecorder
from tests.support.screen import Screen
from tests.support.tools import wait_until
from tests.support.xserver import XServer

SVG = """<?xml version="1.0"?><!-- a tool was here -->
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 9"><rect width="16" height="9" fill="#ff8000"/></svg>"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("pictures")


@pytest.fixture(scope="module")
def shared(xserver: XServer, folder: Path, leaks: LeakCheck) -> Iterator[Agent]:
    with Agent(xserver.display, audio__output="none", player__media_folders=[str(folder)]) as agent:
        leaks.own_pids(lambda: agent.pids)
        yield agent


def _plain(size: tuple[int, int] = (640, 360), colour: str = "orange") -> Image.Image:
    return Image.new("RGB", size, PALETTE[colour])


def _qr_code(path: Path) -> None:
    """A code that is black on transparent, clear in the middle."""
    code = Image.new("RGBA", (90, 90), (0, 0, 0, 0))
    pen = ImageDraw.Draw(code)
    for x in (5, 25, 65, 80):
        pen.rectangle((x, 5, x + 5, 85), fill=(0, 0, 0, 255))
    code.save(path)


def _turned(path: Path) -> None:
    """Save the picture like a camera that is held upright: on its side, with a note. Upright its upper half is red."""
    picture = _plain((640, 360), "blue")
    picture.paste(_plain((320, 360), "red"), (0, 0))
    exif = Image.Exif()
    exif[0x0112] = 6  # TIFF's Orientation: to be turned by 90 degrees clockwise
    picture.save(path, exif=exif)


def _deep(path: Path) -> None:
    Image.new("I;16", (64, 36), 0x8000).save(path)


MAKERS: dict[str, tuple[Callable[[Path], object], str]] = {
    "panorama.jpg": (lambda path: _plain((9000, 500)).save(path), "orange"),
    "huge.jpg": (lambda path: _plain((8200, 5500)).save(path), "orange"),
    "code.png": (_qr_code, "white"),
    "light.png": (lambda path: Image.new("RGBA", (64, 36), (255, 255, 0, 200)).save(path), "other"),
    "deep.png": (_deep, "grey"),
    "print.jpg": (lambda path: Image.new("CMYK", (64, 36), (0, 255, 255, 0)).save(path), "red"),
    "drawing.svg": (lambda path: path.write_text(SVG), "orange"),
    "modern.avif": (lambda path: _plain().save(path, quality=90), "orange"),
    "scan.tiff": (lambda path: _plain().save(path), "orange"),
    "palette.gif": (lambda path: _plain().quantize(4).save(path), "orange"),
    "old.bmp": (lambda path: _plain().save(path), "orange"),
}


@pytest.mark.parametrize("name", MAKERS)
def test_every_kind_of_picture_is_shown(agent: Agent, screen: Screen, folder: Path, name: str) -> None:
    """Pictures are shown whether they are large, wide, transparent (on a ground that makes them readable), of 16 bits,
    in print colours, SVG or AVIF."""
    make, colour = MAKERS[name]
    make(folder / name)
    agent.start((folder / name).as_uri())
    wait_colour(screen, colour)
    stream = agent.wait_state("playing")
    assert (stream["engine"], stream["media_type"], stream["stream_type"]) == ("pillow", "image", "buffered")
    assert (stream["position"], stream["duration"], stream["attempt"]) == (None, None, 1)


def test_a_photograph_is_shown_upright(agent: Agent, screen: Screen, folder: Path) -> None:
    """The camera's note on its orientation is obeyed, with black at both sides."""
    _turned(folder / "turned.jpg")
    agent.start((folder / "turned.jpg").as_uri())
    wait_until(lambda: name_of(screen.pixel(320, 60)) == "red", timeout_s=3, what="red above")
    assert [name_of(screen.pixel(*at)) for at in ((320, 300), (20, 180), (620, 180))] == ["blue", "black", "black"]


@pytest.mark.parametrize("ending", ["gif", "webp", "png"])
def test_an_animation_moves(agent: Agent, screen: Screen, folder: Path, ending: str) -> None:
    """It goes from picture to picture in its own time, again and again."""
    first, *others = (_plain((64, 36), colour) for colour in ("red", "green", "blue"))
    path = folder / f"moving.{ending}"
    first.save(path, save_all=True, append_images=others, duration=200, loop=0)
    agent.start(path.as_uri())
    for colour in ("red", "green", "blue", "red", "green"):
        wait_colour(screen, colour, timeout_s=2)
    assert agent.status()["stream"]["state"] == "playing"


def test_an_animation_that_ends_keeps_its_last_picture(agent: Agent, screen: Screen, folder: Path) -> None:
    """A picture that is to be played once stands then, and is still on."""
    path = folder / "once.gif"
    _plain((64, 36), "red").save(path, save_all=True, append_images=[_plain((64, 36), "blue")], duration=100)
    agent.start(path.as_uri())
    wait_colour(screen, "blue")
    agent.wait_state("playing")
    assert agent.status()["stream"]["media_type"] == "image"


def test_a_picture_follows_the_screen(media_server: MediaServer, clips: Clips) -> None:
    """The picture fills a screen of another size, with nothing left of the old."""
    with XServer((640, 360), largest=(1280, 720)) as server, Agent(server.display, audio__output="none") as agent:
        agent.start(media_server.url("/image.png"))
        agent.wait_state("playing")
        server.resize(1280, 720)
        with Screen(server.display) as screen:
            points = [(20, 20), (1260, 700), (640, 360)]
            wait_until(
                lambda: {name_of(screen.pixel(*at)) for at in points} == {"orange"}, timeout_s=5, what="a full screen"
            )


@pytest.mark.parametrize(
    ("name", "content", "code", "says"),
    [
        ("page.jpg", b"<!doctype html><html><body>Log in</body></html>", "media_unsupported", "check what is at"),
        ("phone.png", b"\0\0\0\x18ftypheic" + bytes(64), "media_unsupported", "HEIC"),
        ("empty.png", b"", "media_unsupported", "not video, audio or a picture"),
        ("broken.svg", b"<svg xmlns='http://www.w3.org/2000/svg'><g>", "media_decode", "damaged or was cut off"),
    ],
)
def test_what_is_no_picture_says_so(
    agent: Agent, folder: Path, name: str, content: bytes, code: str, says: str
) -> None:
    """The answer says in a sentence what is wrong."""
    (folder / name).write_bytes(content)
    answer = agent.start((folder / name).as_uri(), expect=502)
    assert (answer["code"], says in answer["detail"]) == (code, True), answer


def test_a_picture_that_was_cut_off_says_so(agent: Agent, folder: Path) -> None:
    """Half a JPEG is an error and not half a picture."""
    whole = folder / "whole.jpg"
    Image.effect_noise((640, 360), 90).save(whole)
    (folder / "half.jpg").write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    answer = agent.start((folder / "half.jpg").as_uri(), expect=502)
    assert answer["code"] == "media_decode"


def test_a_bomb_is_refused_in_words(agent: Agent, folder: Path) -> None:
    """A small file that would take more memory than there is ends with a sentence; the next picture is shown."""
    bomb = folder / "bomb.png"
    Image.new("1", (60_000, 60_000)).save(bomb)  # as RGB it is 10 GB
    answer = agent.start(bomb.as_uri(), expect=502)
    assert answer["code"] == "media_unsupported"
    assert "60000 x 60000 pixels" in answer["detail"]


def test_a_picture_without_an_ending_is_found_out(agent: Agent, screen: Screen, camera: Camera) -> None:
    """A camera's address says nothing of pictures: libVLC finds out, and it is shown without an error."""
    agent.start(camera.url("/snapshot.cgi"))
    wait_colour(screen, "cyan")
    agent.start(camera.url("/drawing"))
    wait_colour(screen, "orange")
    stream = agent.wait_state("playing")
    assert (stream["engine"], stream["media_type"], stream["error"]) == ("pillow", "image", None)


def test_an_ending_may_be_wrong(agent: Agent, screen: Screen, media_server: MediaServer, camera: Camera) -> None:
    """A film that is called a picture, or a camera that sends one picture after the other, is played all the same."""
    agent.start(camera.url("/video.jpg"))
    wait_colour(screen, "cyan")
    assert agent.wait_state("playing")["media_type"] == "video"


class Camera:
    """A camera that shows one picture to who has its password, by HTTP digest, and counts what it is asked."""

    def __init__(self, picture: bytes, port: int) -> None:
        self.picture = picture
        self.port = port
        self.asked: list[str] = []
        """The authorization of each request."""

    def url(self, path: str, login: str = "") -> str:
        return f"http://{login}127.0.0.1:{self.port}{path}"


@pytest.fixture
def camera(clips: Clips) -> Iterator[Camera]:
    with _served(clips.image("jpeg", "cyan").read_bytes()) as camera:
        yield camera


@contextmanager
def _served(picture: bytes) -> Iterator[Camera]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            camera.asked.append(given := self.headers.get("Authorization", ""))
            if self.path.startswith("/digest") and not _is_right(given, self.path):
                self.send_response(401)
                self.send_header("WWW-Authenticate", 'Basic realm="camera"')
                self.send_header("WWW-Authenticate", 'Digest realm="camera", qop="auth", nonce="n1", algorithm=MD5')
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            self.send_response(200)
            if self.path == "/video.jpg":
                self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
                self.end_headers()
                self._stream()
                return
            is_drawing = self.path == "/drawing"
            body = SVG.encode() if is_drawing else picture
            self.send_header("Content-Type", "image/svg+xml" if is_drawing else "image/jpeg")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def _stream(self) -> None:
            head = f"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {len(picture)}\r\n\r\n".encode()
            try:
                while not closing.wait(0.1):
                    self.wfile.write(head + picture + b"\r\n")
            except OSError:
                self.close_connection = True

        def log_message(self, *args: object) -> None:
            pass

    closing = threading.Event()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    camera = Camera(picture, server.server_address[1])
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield camera
    finally:
        closing.set()
        server.shutdown()
        server.server_close()
        thread.join()


def _is_right(given: str, path: str) -> bool:
    if not (match := re.fullmatch(r"Digest (.+)", given)):
        return False
    said = parse_keqv_list(parse_http_list(match[1]))

    def md5(text: str) -> str:
        return hashlib.md5(text.encode()).hexdigest()

    ha1, ha2 = md5("user:camera:p@ss"), md5(f"GET:{path}")
    wanted = md5(f"{ha1}:n1:{said.get('nc')}:{said.get('cnonce')}:auth:{ha2}")
    return (said.get("username"), said.get("response")) == ("user", wanted)


def test_a_camera_with_digest_is_shown(agent: Agent, screen: Screen, camera: Camera) -> None:
    """The password is never sent in clear where the camera knows better."""
    agent.start(camera.url("/digest.jpg", "user:p%40ss@"))
    wait_colour(screen, "cyan")
    assert [given.partition(" ")[0] for given in camera.asked if given] == ["Digest"]


def test_a_wrong_password_is_sent_once(agent: Agent, camera: Camera) -> None:
    """It is named at once, and not tried again, because that locks accounts."""
    answer = agent.start(camera.url("/digest.jpg", "user:wrong@"), expect=502)
    assert answer["code"] == "media_unauthorized"
    assert [given.partition(" ")[0] for given in camera.asked if given] == ["Digest"]


def test_a_picture_reaches_no_other_file(
    means: str, xserver: XServer, media_server: MediaServer, clips: Clips, tmp_path: Path
) -> None:
    """Confined by each means, it resolves a name and shows a file of a media folder; a drawing that names a file
    outside opens nothing."""
    secret = tmp_path / "secret"
    secret.mkdir()
    _plain(colour="blue").save(secret / "picture.png")
    drawing = (
        '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" viewBox="0 0 16 9">'
        '<rect width="16" height="9" fill="red"/>'
        f'<image xlink:href="{secret}/picture.png" width="16" height="9"/></svg>'
    )
    of_means = {"CONFINE_WITHOUT": WITHOUT[means]}
    with (
        Agent(xserver.display, env=of_means, player__media_folders=[str(clips.folder)]) as agent,
        Screen(xserver.display) as screen,
        Opened(secret) as opened,
    ):
        agent.start(media_server.url("/image.png").replace("127.0.0.1", "localhost"))
        wait_colour(screen, "orange")
        assert str(agent.health()["checks"]["player"]["engines"]["pillow"]["features"]["confinement"]).startswith(means)
        agent.start(clips.image("png", "cyan").as_uri())
        wait_colour(screen, "cyan")
        agent.start(media_server.url(f"/text/drawing.svg?text={quote(drawing)}"))
        wait_colour(screen, "red")
        assert opened.names() <= {"."}


def test_a_snapshot_is_fetched_again_without_black(
    agent: Agent, xserver: XServer, screen: Screen, folder: Path
) -> None:
    """The picture before stays until the next one is there, by the same player; one that is away for a moment is tried
    again with the last picture on the screen."""
    file = folder / "snapshot.png"
    with ScreenRecorder(xserver.display) as recorder:
        _plain(colour="orange").save(file)
        session_id = agent.start(file.as_uri(), refresh=1)["session_id"]
        wait_colour(screen, "orange")
        pid = agent.player_pid()
        _replace(file, "green")
        wait_colour(screen, "green", timeout_s=4)
        assert (agent.status()["stream"]["state"], agent.player_pid()) == ("playing", pid)
        file.unlink()
        agent.wait_until(lambda: agent.status()["stream"]["error"], 5, "it is away")
        wait_colour(screen, "green")
        _replace(file, "blue")
        wait_colour(screen, "blue", timeout_s=8)
        seen = recorder.stop().colours()
        assert seen[seen.index("orange") :] == ["orange", "green", "blue"]
    stream = agent.status()["stream"]
    assert (stream["session_id"], stream["state"], stream["media_type"]) == (session_id, "playing", "image")


def _replace(file: Path, colour: str) -> None:
    """Replace the file as a whole, as a server would."""
    new = file.with_suffix(".new")
    _plain(colour=colour).save(new, format="png")
    new.replace(file)
