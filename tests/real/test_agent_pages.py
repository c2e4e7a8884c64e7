"""Web pages, in the real browser: shown like any stream, and true about what becomes of them."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import ssl
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from agent.host.trust import pin_of
from agent.player.chromium.command import is_installed
from tests.support.agent import Agent
from tests.support.colours import PALETTE
from tests.support.leaks import LeakCheck
from tests.support.looking import wait_colour
from tests.support.media_server import MediaServer
from tests.support.recorder import ScreenRecorder
from tests.support.screen import Screen
from tests.support.sound import PulseServer
from tests.support.tls import Certificate, TlsFront, make_certificate
from tests.support.web_pages import PASSWORD, WebPages, refusals
from tests.support.xserver import XServer

pytestmark = pytest.mark.skipif(
    not is_installed(), reason="NOT TRIED: no Chromium here; scripts/setup.sh test installs it"
)

SOON_S = 10.0
"""The longest wait for what takes a second or two on a machine that does nothing else."""

SPARE_S = 20.0
"""The longest wait for the next browser, which starts when the one before has been taken. With others beside it that
takes 7 s."""

KEYS = {"Ctrl": 37, "Shift": 50, "Alt": 64, "Esc": 9, "F4": 70, "F12": 96, "Back": 166}
KEYS |= {"A": 38, "C": 54, "F": 41, "I": 31, "N": 57, "P": 33, "T": 28, "U": 30, "W": 25}
"""The X keycodes of a PC's keyboard."""

CHORDS = {
    **dict.fromkeys(("F12", "Ctrl+Shift+I", "Ctrl+Shift+C"), "tools"),
    "Ctrl+Shift+A": "",
    "Back": "",
    "Ctrl+P": "print",
    "Ctrl+U": "local",
    **dict.fromkeys(("Ctrl+F", "Shift+Esc", "Ctrl+N", "Ctrl+T", "Ctrl+W", "Alt+F4"), ""),
}
"""Keys of the browser, and what is counted: they search, open the task manager, a window or a tab, or close them."""

SIGN_S = 1.0
"""Chromium's own sign of a zoom is over a page for 1.5 s."""

BACK_S = 10.0
"""The time within which a page that crashed or hung is there again."""


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    return make_certificate(tmp_path_factory.mktemp("pinned"))


@pytest.fixture(scope="module")
def secure(certificate: Certificate, pages: WebPages, leaks: LeakCheck) -> Iterator[TlsFront]:
    """The same pages over TLS, with a certificate that nobody vouches for."""
    with leaks.adopting():
        front = TlsFront(certificate, before=pages.port).__enter__()
    yield front
    front.__exit__(None, None, None)


@pytest.fixture(scope="module")
def shared(
    xserver: XServer, pulse: PulseServer, pages: WebPages, certificate: Certificate, secure: TlsFront, leaks: LeakCheck
) -> Iterator[Agent]:
    """An agent that has shown a page: its spare browser is there soon. The key of the secure pages is pinned."""
    pin = pin_of(ssl.PEM_cert_to_DER_cert(certificate.file.read_text()))
    config = f'[web.pins]\n"https://localhost:{secure.port}" = "{pin}"\n'
    with Agent(xserver.display, env=pulse.env, config=config, player__stall_timeout=30) as agent:
        leaks.own_pids(lambda: agent.pids)
        agent.show_page(pages.url("/plain/red"))
        yield agent


def descendants(pid: int) -> dict[int, str]:
    """The descendants of a process: their ids and command lines."""
    found = {}
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in map(int, task.read_text().split()):
            with contextlib.suppress(OSError):  # it has ended meanwhile
                found[child] = Path(f"/proc/{child}/cmdline").read_text().replace("\0", " ")
                found |= descendants(child)
    return found


def alive(pids: Iterable[int]) -> list[int]:
    """Those of them that have a command line: a zombie, which the first process of the system must reap, has none."""
    left = []
    for pid in pids:
        with contextlib.suppress(OSError):
            if Path(f"/proc/{pid}/cmdline").read_bytes():
                left.append(pid)
    return left


def processes(agent: Agent, kind: str = "renderer") -> list[int]:
    """The processes of the page that is on."""
    return [pid for pid, line in descendants(agent.player_pid()).items() if f"--type={kind} " in line]


def prepared(agent: Agent) -> set[int]:
    """The browsers that were started before they were needed."""
    return {entry["pid"] for entry in agent.log("spare_prepared")}


def test_a_page_is_a_stream(agent: Agent, pages: WebPages, screen: Screen) -> None:
    """It has a state, a kind and an engine; it neither pauses nor seeks, and Chromium's own sandbox is on. The password
    in its address is used, and told to nobody."""
    agent.show_page(pages.url("/guarded/red").replace("//", f"//user:{PASSWORD}@"), title="Wall")
    wait_colour(screen, "red")
    stream = agent.wait_state("playing")
    assert (stream["engine"], stream["media_type"], stream["title"]) == ("chromium", "web", "Wall")
    assert (stream["position"], stream["duration"], stream["error"]) == (None, None, None)
    assert (stream["capabilities"]["pause"], stream["capabilities"]["seek"]) == ("unsupported", "unsupported")
    engine = agent.health()["checks"]["player"]["engines"]["chromium"]
    assert (engine["status"], engine["plays"], engine["features"]["sandbox"]) == ("ok", ["web"], True)
    commands = " ".join(descendants(agent.pid).values())
    assert "--type=renderer" in commands
    assert PASSWORD not in commands + json.dumps([agent.log(), agent.status()])


def test_switches_show_neither_white_nor_black(
    agent: Agent, xserver: XServer, pages: WebPages, media_server: MediaServer, screen: Screen
) -> None:
    """Pages that paint late or are redirected and a film follow one another; a page is seen when it has painted."""
    order = [
        ("green", pages.url("/late/green")),
        ("blue", media_server.url("/film/blue.mp4")),
        ("magenta", pages.url("/away/magenta")),
    ]
    agent.show_page(pages.url("/plain/red"))
    with ScreenRecorder(xserver.display) as recorder:
        for colour, url in order:
            (agent.start if "film" in url else agent.show_page)(url)
            wait_colour(screen, colour)
        recording = recorder.stop()
    assert (recording.seconds_of("black"), recording.seconds_of("white")) == (0, 0)
    assert recording.colours() == ["red", *(colour for colour, _ in order)]


def test_a_page_fills_a_screen_that_grows(agent: Agent, xserver: XServer, pages: WebPages, screen: Screen) -> None:
    """Its window follows that of the stage."""
    agent.show_page(pages.url("/plain/red"))
    try:
        xserver.resize(1280, 720)
        agent.wait_until(lambda: screen.size() == (1280, 720), SOON_S, "the screen has grown")
        agent.wait_until(lambda: screen.pixel(1270, 710) == (255, 0, 0), SOON_S, "the page fills it")
    finally:
        xserver.resize(640, 360)


ERRORS = (
    ("/status/401", "media_unauthorized", "Put it under [[login]]"),
    ("/file", "media_unsupported", "sent a file to keep"),
)


def test_what_is_no_page_is_an_error(agent: Agent, pages: WebPages, screen: Screen, tmp_path: Path) -> None:
    """Each is an error with a code and a sentence, while what was on stays on. Nothing is saved, nobody is asked for a
    password, and a certificate that nobody vouches for is not ignored."""
    agent.show_page(pages.url("/plain/red"))
    with TlsFront(make_certificate(tmp_path), before=pages.port) as front:
        secure = f"https://localhost:{front.port}/plain/red"
        for url, code, says in (
            *((pages.url(path), code, says) for path, code, says in ERRORS),
            (secure, "media_forbidden", "certificate"),
            ("http://127.0.0.1:10080/", "media_forbidden", "no page at 127.0.0.1:10080"),
        ):
            problem = agent.show_page(url, expect=502, refresh=60)
            assert (problem["code"], says in problem["detail"]) == (code, True)
    assert agent.log("player_watch_failed") == []
    assert screen.colour_at_centre() == "red"


def test_a_page_that_never_paints_says_why(xserver: XServer, pages: WebPages) -> None:
    """The server has not answered, or the page that it sent never comes to paint."""
    with Agent(xserver.display, audio__output="none", player__start_timeout=6) as agent:
        for path, code, says in (
            ("/silent", "media_network", f"127.0.0.1:{pages.port} has not answered"),
            ("/endless", "media_decode", f"127.0.0.1:{pages.port} answered, but its page has painted nothing"),
        ):
            problem = agent.show_page(pages.url(path), expect=502)
            assert (problem["code"], says in problem["detail"]) == (code, True), problem["detail"]


def test_a_pinned_key_counts_for_its_origin_alone(agent: Agent, secure: TlsFront, screen: Screen) -> None:
    """Another origin with that key is refused, although the browser takes it."""
    agent.show_page(f"https://localhost:{secure.port}/plain/cyan")
    wait_colour(screen, "cyan")
    agent.call("POST", "/start", {"url": f"https://127.0.0.1:{secure.port}/plain/red", "as": "page"})
    agent.wait_until(lambda: (agent.status()["last"] or {}).get("error"), SOON_S, "it is refused")
    error = agent.status()["last"]["error"]
    assert (error["code"], "pins has for another address" in error["message"]) == ("media_forbidden", True)


def test_a_page_gets_keys_and_clicks_if_it_may(agent: Agent, pages: WebPages, screen: Screen) -> None:
    """`[web] input` is off unless the configuration says otherwise; a reload is enough. The browser that starts beside
    the page does not take its keyboard."""
    file = agent.folder / "config.toml"
    config = file.read_text()
    pages.told.clear()
    agent.show_page(pages.url("/keyed/yellow"))
    screen.click()
    screen.press(KEYS["A"])
    file.write_text(f"[web]\ninput = true\n{config}")
    os.kill(agent.pid, signal.SIGHUP)
    try:
        agent.wait_until(lambda: agent.log("settings_reloaded"), SOON_S, "the settings are read")
        before = prepared(agent)
        agent.show_page(pages.url("/keyed/green"))
        own = agent.player_pid()  # may have been started as a spare, too, and be prepared just now
        agent.wait_until(lambda: prepared(agent) - before - {own}, SPARE_S, "another browser has started")
        # It is on the screen a moment before that of before has gone, and only then gets the keyboard.
        agent.wait_until(lambda: screen.keyboard_owner() == own, SOON_S, "it has the keyboard")
        screen.press(KEYS["A"])
        screen.click()
        assert screen.shows_pointer()
        expected = [{"page": "/keyed/green", "input": kind} for kind in ("keydown", "mousedown")]
        agent.wait_until(lambda: len(pages.told) >= 2, SOON_S, "it gets them")
        assert pages.told == expected
        nothing_of_the_browser_answers(agent, pages, screen)
    finally:
        file.write_text(config)
        os.kill(agent.pid, signal.SIGHUP)


def nothing_of_the_browser_answers(agent: Agent, pages: WebPages, screen: Screen) -> None:
    """Its keys and its menu open, print, find and close nothing, although the page hears the keys."""
    pid = agent.player_pid()
    for chord, kind in CHORDS.items():
        keys = [KEYS[key] for key in chord.split("+")]
        before = refusals(agent, kind) if kind else 0
        pages.told.clear()
        screen.press(*keys)
        agent.wait_until(lambda: len(pages.told) >= len(keys), SOON_S, f"the page hears {chord}")  # noqa: B023
        assert not kind or refusals(agent, kind) == before + 1
    screen.click(button=3)
    until = time.monotonic() + SIGN_S
    while time.monotonic() < until:
        assert screen.grab().getcolors() == [(screen.size()[0] * screen.size()[1], PALETTE["green"])]
    assert agent.player_pid() == pid


def test_a_page_may_not_leave_its_frame(agent: Agent, pages: WebPages, screen: Screen) -> None:
    """Dialogs, printing, pop-ups, downloads, mail programs and local files are refused unseen, and the page goes on."""
    agent.show_page(pages.url("/nasty"))
    agent.wait_until(lambda: refusals(agent, "dialog") >= 3, SOON_S, "its dialogs are answered")
    agent.wait_until(lambda: refusals(agent, "download") >= 1, SOON_S, "its download is refused")
    silent = ("pop_up", "print", "permission", "local", "program")
    agent.wait_until(lambda: all(refusals(agent, kind) for kind in silent), SOON_S, "all else is refused")
    agent.wait_state("playing")
    width, height = screen.size()
    until, seen = time.monotonic() + SIGN_S, set()
    while time.monotonic() < until:
        seen.add(screen.grab().crop((20, 0, width, height)).tobytes())  # in the corner it beats
    assert (len(seen), screen.colour_at_centre()) == (1, "green")

    def others() -> list[str]:
        running = filter(None, descendants(agent.player_pid()).values())
        return [line for line in running if "--type=" not in line]

    agent.wait_until(lambda: not others(), SOON_S, "no other program runs, but for one that is refused right now")
    assert not list(agent.folder.rglob("x.bin*"))


def test_a_page_may_send_much(agent: Agent, pages: WebPages, screen: Screen) -> None:
    """The page sends more than is read of what the browser tells of it."""
    agent.show_page(pages.url("/sending/magenta"))
    wait_colour(screen, "magenta")


def test_a_page_whose_server_is_away_buffers(agent: Agent, screen: Screen) -> None:
    """The requests of the page to its own server tell of the failure, or its proxy does; the page plays again when the
    server answers."""
    with WebPages() as server:
        agent.show_page(server.url("/live/cyan"))
        agent.wait_state("playing")
        server.pause()
        agent.wait_state("buffering")
        assert screen.colour_at_centre() == "cyan"
        server.start()
        agent.wait_state("playing")
        server.cut_lines(True)
        agent.wait_state("buffering")
        server.cut_lines(False)
        agent.wait_state("playing")
        agent.stop(all=True)


@pytest.mark.parametrize("kind", ["renderer", "gpu-process"])
def test_a_page_that_crashes_comes_back_unseen(agent: Agent, xserver: XServer, pages: WebPages, kind: str) -> None:
    """Its last picture stays until the new one has painted, and the session is the same."""
    session = agent.show_page(pages.url("/plain/red"))["session_id"]
    agent.wait_state("playing")
    agent.wait_until(lambda: processes(agent, kind), SOON_S, "it has a process")
    before = pages.asked["/plain/red"]
    with ScreenRecorder(xserver.display) as recorder:
        for pid in processes(agent, kind):
            os.kill(pid, signal.SIGKILL)
        agent.wait_until(lambda: pages.asked["/plain/red"] > before, BACK_S, "it is loaded anew")
        stream = agent.wait_state("playing")
        recording = recorder.stop()
    assert stream["session_id"] == session
    assert recording.colours() == ["red"]
    assert (recording.seconds_of("white"), recording.seconds_of("black")) == (0, 0)


def test_a_page_that_hangs_comes_back(agent: Agent, pages: WebPages, screen: Screen) -> None:
    """It buffers, and is then made anew; the browser of before is gone, although it was stopped."""
    agent.show_page(pages.url("/plain/green"))
    agent.wait_state("playing")
    hanging, before = processes(agent), pages.asked["/plain/green"]
    for pid in hanging:
        os.kill(pid, signal.SIGSTOP)
    agent.wait_state("buffering")
    agent.wait_until(lambda: pages.asked["/plain/green"] > before, BACK_S, "it is loaded anew")
    agent.wait_state("playing")
    assert screen.colour_at_centre() == "green"
    agent.wait_until(lambda: not alive(hanging), SOON_S, "what hung is gone")


def test_a_page_is_reloaded_when_asked(agent: Agent, xserver: XServer, pages: WebPages, screen: Screen) -> None:
    """The page is loaded anew each `refresh` seconds, unseen."""
    agent.show_page(pages.url("/plain/yellow"), refresh=1)
    wait_colour(screen, "yellow")
    with ScreenRecorder(xserver.display) as recorder:
        before = pages.asked["/plain/yellow"]
        agent.wait_until(lambda: pages.asked["/plain/yellow"] >= before + 2, 10, "it was reloaded twice")
        recording = recorder.stop()
    assert recording.colours() == ["yellow"]


def test_a_page_is_renewed_unseen(agent: Agent, xserver: XServer, pages: WebPages) -> None:
    """A second process takes over when it has painted, as it does each night; the old one is gone then."""
    session, first = agent.show_page(pages.url("/late/magenta"))["session_id"], agent.player_pid()
    with ScreenRecorder(xserver.display) as recorder:
        assert agent.call("POST", "/reload").status == 200
        agent.wait_until(lambda: not alive([first]), SOON_S, "the old one is gone")
        recording = recorder.stop()
    assert recording.colours() == ["magenta"]
    assert (recording.seconds_of("white"), recording.seconds_of("black")) == (0, 0)
    assert agent.wait_state("playing")["session_id"] == session


def test_a_page_looks_as_it_is_wanted(agent: Agent, pages: WebPages, screen: Screen) -> None:
    """The page is larger, further down, in the dark, abroad, and without its header, of which a part is an element's
    own."""
    look = {"zoom": 2, "scroll": 300, "dark": True, "language": "de", "time_zone": "Asia/Tokyo", "user_agent": "Wall/1"}
    agent.show_page(pages.url("/looking/green"), page={**look, "css": "header {display: none !important}"})
    assert screen.colour_at_centre() == "green"
    expected = {
        "width": 320,
        "scroll": 300,
        "dark": True,
        "number": "1,5",
        "time_zone": "Asia/Tokyo",
        "user_agent": "Wall/1",
    }
    # What it told before may arrive after it.
    agent.wait_until(lambda: expected in pages.told, SOON_S, "it is shown so")
    assert pages.languages[-1].startswith("de")


def test_nothing_of_the_browser_is_over_a_page(agent: Agent, pages: WebPages, screen: Screen) -> None:
    """No sign of its zoom, no scroll bar and no pointer: nobody has a mouse."""
    agent.show_page(pages.url("/looking/green"), page={"zoom": 1.5, "css": "header {display: none !important}"})
    until = time.monotonic() + SIGN_S
    while time.monotonic() < until:
        assert screen.grab().getcolors() == [(screen.size()[0] * screen.size()[1], PALETTE["green"])]
        assert not screen.shows_pointer()


def test_pages_follow_one_another_unseen(agent: Agent, xserver: XServer, pages: WebPages) -> None:
    """Each is shown for its time, in one session, without white or black; the old browser is gone then."""
    session = agent.show_page(
        pages.url("/plain/red"), page={"seconds": 2, "then": [{"url": pages.url("/late/green")}]}
    )["session_id"]
    first = agent.player_pid()
    with ScreenRecorder(xserver.display) as recorder:
        before = pages.asked["/plain/red"]
        agent.wait_until(lambda: pages.asked["/plain/red"] > before, 20, "the first one has its turn again")
        recording = recorder.stop()
    assert recording.colours()[:2] == ["red", "green"]
    assert (recording.seconds_of("white"), recording.seconds_of("black")) == (0, 0)
    assert agent.status()["stream"]["session_id"] == session
    assert not alive([first])


def test_a_page_that_was_interrupted_is_there_at_once(
    agent: Agent, xserver: XServer, pages: WebPages, screen: Screen
) -> None:
    """The page is not loaded again, and no other picture is between."""
    agent.show_page(pages.url("/plain/red"))
    before = pages.asked["/plain/red"]
    agent.show_page(pages.url("/plain/blue"), interrupt=True)
    with ScreenRecorder(xserver.display) as recorder:
        agent.stop()
        wait_colour(screen, "red")
        recording = recorder.stop()
    agent.wait_state("playing")
    assert recording.colours() == ["blue", "red"]
    assert (recording.seconds_of("white"), recording.seconds_of("black")) == (0, 0)
    assert pages.asked["/plain/red"] == before


def test_a_page_is_heard_while_it_is_seen(agent: Agent, pages: WebPages, pulse: PulseServer) -> None:
    """A page is silent while it is prepared; a muted one holds no sound device."""

    def heard(pitch: int) -> None:
        agent.wait_until(lambda: pitch in listener.heard().heard(), 5, f"{pitch} Hz is heard")

    with pulse.listen() as listener, pulse.watch() as watch:
        agent.show_page(pages.url("/sounding/red/660"))
        heard(660)
        agent.show_page(pages.url("/sounding/blue/880"))
        heard(880)
        assert watch.most_at_once() == 1
        agent.call("POST", "/volume", {"muted": True})
        agent.wait_until(lambda: all(one.corked for one in pulse.sink_inputs()), SOON_S, "it is silent")
        agent.call("POST", "/volume", {"muted": False})


def test_nothing_is_left_of_a_page(agent: Agent, pages: WebPages) -> None:
    """No process is left, and no file of its profile."""
    agent.show_page(pages.url("/plain/red"))
    pid = agent.player_pid()
    profile = agent.folder / "state" / "players" / "pages" / str(pid)
    children = descendants(pid)
    assert profile.is_dir()
    assert len(children) > 2
    agent.stop(all=True)
    agent.wait_until(lambda: not profile.exists(), SOON_S, "its profile is gone")
    agent.wait_until(lambda: not alive(children), SOON_S, "its processes are gone")
