"""The page at `/` in a real browser, beside a real agent that plays real media."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

from agent.access.keys import KeyFile
from agent.player.chromium.command import is_installed
from tests.support.agent import Agent
from tests.support.chromium import AXE, LIVE, Chromium, Page
from tests.support.colours import RGB, name_of
from tests.support.leaks import LeakCheck
from tests.support.media_server import MediaServer
from tests.support.web_pages import WebPages
from tests.support.xserver import XServer

SOON_S = 10.0

SLEPT = "const now = Date.now.bind(Date); window.slept = 0; Date.now = () => now() + window.slept;"
"""A script that has a device sleep: its clock goes on by `slept` milliseconds, and its timers do not."""


@pytest.fixture(scope="module")
def shared(xserver: XServer, leaks: LeakCheck) -> Iterator[Agent]:
    with Agent(
        xserver.display,
        device__name="Living Room",
        esphome__enabled=True,
        esphome__port=0,
        dlna__enabled=True,
        dlna__port=0,
        dlna__host="127.0.0.1",
    ) as agent:
        leaks.own_pids(lambda: agent.pids)
        yield agent


def command(agent: Agent, *arguments: str) -> str:
    """Run a command beside the agent; its standard output."""
    done = subprocess.run(
        [sys.executable, "-m", "agent.cli", *arguments], env=agent.env, capture_output=True, text=True, timeout=SOON_S
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def colour(page: Page) -> str:
    """The colour at the centre of the picture that the page shows; empty when it shows none."""
    rgb: RGB | None = page.run(
        "(picture => { if (picture.hidden || !picture.naturalWidth) return null;"
        "const canvas = new OffscreenCanvas(1, 1).getContext('2d');"
        "canvas.drawImage(picture, picture.naturalWidth / 2, picture.naturalHeight / 2, 1, 1, 0, 0, 1, 1);"
        "return [...canvas.getImageData(0, 0, 1, 1).data].slice(0, 3); })(document.querySelector('#picture'))"
    )
    return "" if rgb is None else name_of(rgb)


def wait_colour(agent: Agent, page: Page, wanted: str) -> None:
    agent.wait_until(lambda: colour(page) == wanted, SOON_S, f"the page shows {wanted}")


def cast(page: Page, url: str) -> None:
    page.type("#address", url)
    page.click("#cast [type=submit]")


def test_the_page_steers_what_is_on(agent: Agent, page: Page, media_server: MediaServer) -> None:
    """An address that is typed is on; the picture follows the screen; what waits is named and comes back; each control
    does what it says; nothing in it is refused by its own content policy."""
    assert page.text("#name") == "Living Room"
    assert page.text("#title") == "Nothing is on"
    page.click("#settings summary")
    page.wait_text("#settings-list", "player.start_timeout")
    cast(page, media_server.url("/film/green.mp4"))
    page.wait_text("#state", "Playing")
    page.wait_text("#title", "green.mp4")
    wait_colour(agent, page, "green")
    film = agent.status()["stream"]["session_id"]

    page.click("#pause")
    page.wait_text("#state", "Paused")
    assert "Resume" in page.text("#pause")
    agent.wait_state("paused")
    page.click("#forward")
    agent.wait_until(lambda: agent.status()["stream"]["position"] > 9, SOON_S, "it was sought")

    page.click("#how label:last-child")
    cast(page, media_server.url("/live/red.ts"))
    wait_colour(agent, page, "red")
    page.wait_text("#waiting-list", "green.mp4")
    page.wait("!document.querySelector('#live').hidden")
    page.click("[data-extend='900']")
    page.wait_text("#time-left", "Ends in 14:")

    page.click("#mute")
    page.wait("document.querySelector('#mute').ariaPressed == 'true'")
    assert agent.status()["volume"]["muted"] is True
    page.run("document.querySelector('#volume').value = 30")
    page.run("document.querySelector('#volume').dispatchEvent(new Event('change'))")
    page.wait_text("#volume-text", "30 %")
    assert agent.status()["volume"] == {"volume_level": 0.3, "muted": False}

    page.click("#stop")
    page.wait_text("#title", "green.mp4")
    assert agent.status()["stream"]["session_id"] == film
    page.click("#stop")
    page.wait_text("#title", "Nothing is on")
    assert colour(page) == ""
    assert page.complaints() == []


@pytest.mark.skipif(not is_installed(), reason="NOT TRIED: no Chromium for the agent here")
def test_a_web_page_is_cast(agent: Agent, page: Page, pages: WebPages) -> None:
    """The keyboard is enough to say that there is a web page at an address. The next address is of a stream again,
    unless a start was refused: then all stays as it was put in."""
    chosen = "document.querySelector('#cast [name=as]:checked').value"
    page.run("document.querySelector('#cast [name=as]:checked').focus()")
    page.press("ArrowDown")
    assert page.run(chosen) == "page"
    cast(page, "rtsp://camera.example/1")
    page.wait_text("#cast-problem", "must begin with http")
    assert page.run(chosen) == "page"
    page.run("document.querySelector('#address').value = ''")
    cast(page, pages.url("/plain/green"))
    page.wait_text("#state", "Playing")
    wait_colour(agent, page, "green")
    assert agent.status()["stream"]["media_type"] == "web"
    assert page.run(chosen) == ""
    assert page.complaints() == []


@pytest.mark.skipif(not is_installed(), reason="NOT TRIED: no Chromium for the agent here")
def test_a_web_page_that_is_on_is_reloaded(
    agent: Agent, page: Page, pages: WebPages, media_server: MediaServer
) -> None:
    """A web page has that button instead of the one that pauses; all else has none. Axe finds nothing then, either."""
    agent.start(media_server.url("/film/red.mp4"))
    page.wait_text("#state", "Playing")
    assert page.run("document.querySelector('#reload').hidden")
    agent.show_page(pages.url("/plain/blue"))
    page.wait_text("#reload", "Reload the web page")
    page.wait("!document.querySelector('#reload').disabled")
    assert page.run("document.querySelector('#pause').hidden")
    asked = pages.asked["/plain/blue"]
    page.click("#reload")
    agent.wait_until(lambda: pages.asked["/plain/blue"] > asked, SOON_S, "the web page is loaded anew")
    assert page.violations() == []
    page.resize(320, 700)
    assert page.run("document.documentElement.scrollWidth <= innerWidth")
    page.click("#stop")
    page.wait_text("#title", "Nothing is on")
    agent.start(media_server.url("/film/red.mp4"))
    page.wait_text("#pause", "Pause")
    assert page.run("document.querySelector('#reload').hidden")
    assert page.complaints() == []


def test_a_start_makes_the_page_ask_for_the_recent_addresses_alone(
    agent: Agent, page: Page, media_server: MediaServer
) -> None:
    """The presets have not changed, so nobody asks for them."""
    before = len(page.requests())
    agent.start(media_server.url("/film/blue.mp4"), title="A blue film")
    agent.wait_until(lambda: "recent" in page.requests()[before:], SOON_S, "the page asks for the recent addresses")
    assert "presets" not in page.requests()[before:]
    page.wait_text("#recent-list", "A blue film")


def test_home_assistant_and_dlna_are_told_of(agent: Agent, page: Page) -> None:
    """Until they use the box, the page says what to do, there or in the settings."""
    page.wait(LIVE)
    page.wait_text("#facts", "press Add there")
    page.wait_text("#facts", "players in the network find this screen")
    page.wait_text("#health-list", "add the addresses of others to allow under [dlna]")


def test_the_screen_is_switched_where_it_can_be(agent: Agent, page: Page) -> None:
    """This X server cannot switch it, so there is no button. The page alone is told of one that could; what the box
    answers to the click is shown."""
    assert page.run("document.querySelector('#power').hidden")
    page.run(
        "(async () => { const status = await (await fetch('status')).json();"
        "const { showNow } = await import(new URL('now.js', document.querySelector('script[type=module]').src));"
        "showNow({ ...status, screen: { on: true } }); })()"
    )
    page.wait_text("#power", "Switch the screen off")
    page.click("#power")
    page.wait_text("#notice-text", "cannot switch a screen off")


def test_what_is_wrong_is_told(agent: Agent, page: Page, media_server: MediaServer) -> None:
    """A bad address is told beside its field, which keeps it; a stream that fails is told with what to do."""
    cast(page, "ftp://nas/film.mp4")
    page.wait_text("#cast-problem", "must begin with")
    assert page.run("document.querySelector('#address').value") == "ftp://nas/film.mp4"
    assert page.run("document.activeElement.id") == "address"
    page.run("document.querySelector('#address').value = ''")
    cast(page, media_server.url("/status/404"))
    page.wait_text("#state", "failed")
    assert page.text("#trouble-text") == agent.status()["last"]["error"]["message"]


def test_old_state_is_never_shown_as_live(agent: Agent, page: Page, media_server: MediaServer) -> None:
    """A page whose agent was killed, or that is not seen, says that it is connecting and hides the old state; with the
    agent back it shows the state of now."""
    shown = "getComputedStyle(document.querySelector('#title')).visibility"
    agent.start(media_server.url("/live/blue.ts"))
    wait_colour(agent, page, "blue")
    agent.kill()
    page.wait(f"!({LIVE})")
    assert page.run(shown) == "hidden"
    assert colour(page) == ""
    page.wait_text("#connection", "No answer")
    agent.run(until_spare=False)
    page.wait(LIVE)
    wait_colour(agent, page, "blue")

    page.run(
        "Object.defineProperty(document, 'visibilityState', {get: () => window.seen ?? 'hidden', configurable: true})"
    )
    page.run("document.dispatchEvent(new Event('visibilitychange'))")
    assert page.text("#connection") == "Connecting…"
    assert page.run(shown) == "hidden"
    agent.stop()
    page.run("window.seen = 'visible'; document.dispatchEvent(new Event('visibilitychange'))")
    page.wait(LIVE)
    assert page.text("#title") == "Nothing is on"


def test_a_line_that_is_silent_is_given_up(agent: Agent, browser: Chromium) -> None:
    """A device that wakes after ten minutes asks for the true state at once. An agent that stands still is not taken
    for one where nothing happens: after 20 s without a heartbeat the page says so, and connects again."""
    page = browser.page("about:blank")
    page.send("Page.addScriptToEvaluateOnNewDocument", source=SLEPT)
    page.open(agent.base)
    page.wait(LIVE)
    page.run("window.slept += 600_000")
    agent.wait_until(lambda: page.requests().count("events") == 2, SOON_S, "the page asks anew")
    page.wait(LIVE)
    os.kill(agent.pid, signal.SIGSTOP)
    try:
        page.run("window.slept += 21_000")
        page.wait(f"!({LIVE})", timeout_s=5)
    finally:
        os.kill(agent.pid, signal.SIGCONT)
    page.wait(LIVE)
    page.close()


def test_a_device_is_let_in_and_out(browser: Chromium) -> None:
    """A link lets it in, and so does a key. No key is in the log."""
    with Agent(None, device__name="Kitchen") as agent:
        keys = KeyFile(agent.folder / "state")
        token = pair(agent, browser)
        key = keys.add("phone")
        before = [one.name for one in keys.read()]
        page = browser.page(agent.base)
        given = sign_in(page, key, keys)
        page.wait("!document.querySelector('#session').hidden")
        page.click("#sign-out")
        page.wait_text("#entry-heading", "asks for a key")
        assert [one.name for one in keys.read()] == before
        assert page.cookies() == []
        page.close()
        log = (agent.folder / "log").read_text()
    assert not [secret for secret in (token, key, given) if secret in log]


def pair(agent: Agent, browser: Chromium) -> str:
    """In protected mode the page says what to run; the link that it prints signs the device in after one press, leaves
    no trace in the address, and does so for no other device. The first pairing asks everyone for a key."""
    link = command(agent, "pair")
    path = link.partition(f":{agent.port}")[2]
    page = browser.page(agent.base + path)
    page.wait_text("#entry-heading", "Pair this device")
    assert page.run("location.pathname + location.hash") == "/"
    page.click("#pair")
    page.wait(LIVE)
    page.wait_text("#session-name", "page-")
    assert agent.call("GET", "/status").status == 401
    other = browser.page(agent.base + path)
    other.wait_text("#entry-heading", "Pair this device")
    other.click("#pair")
    other.wait_text("#entry-problem", "not valid any more")
    page.close()
    other.close()
    return path.partition("#")[2]


def sign_in(page: Page, key: str, keys: KeyFile) -> str:
    """With keys the page asks for one, takes it once, and has one of its own from then on, in a cookie that scripts do
    not see; when that is revoked, it asks again."""
    known = {one.name for one in keys.read()}
    page.wait_text("#entry-heading", "asks for a key")
    assert page.violations() == []
    page.type("#key", "cak_wrong")
    page.click("#key-form [type=submit]")
    page.wait_text("#entry-problem", "does not know the key")
    page.run("document.querySelector('#key').value = ''")
    page.type("#key", key)
    page.click("#key-form [type=submit]")
    page.wait(LIVE)
    assert page.text("#name") == "Kitchen"
    [cookie] = page.cookies()
    assert (cookie["httpOnly"], cookie["sameSite"]) == (True, "Strict")
    assert page.run("document.cookie") == ""
    [name] = {one.name for one in keys.read()} - known
    page.wait_text("#session-name", name)
    keys.revoke(name)
    page.wait_text("#entry-heading", "asks for a key")
    page.type("#key", key)
    page.click("#key-form [type=submit]")
    page.wait(LIVE)
    return str(cookie["value"])


def test_axe_finds_nothing(agent: Agent, browser: Chromium, media_server: MediaServer) -> None:
    """The page is checked with something on, something waiting and something wrong, on a phone and on a desktop, light
    and dark. It fits the narrowest phone, from right to left, too."""
    assert hashlib.sha256(AXE.read_bytes()).hexdigest() in (AXE.with_name("README.md")).read_text()
    agent.start(media_server.url("/film/green.mp4"), title="A film", duration=600)
    agent.start(media_server.url("/live/red.ts"), interrupt=True, title="A camera")
    page = browser.page(agent.base, height=1600)
    page.wait(LIVE)
    page.wait_text("#state", "Playing")
    page.run("document.querySelector('#notice').hidden = false")
    page.run("document.querySelector('#notice-text').textContent = 'Something went wrong.'")
    assert page.violations() == []
    page.resize(1280, 1000)
    assert page.violations() == []
    assert page.run("document.documentElement.scrollWidth <= innerWidth")
    page.resize(320, 700)  # the narrowest phone
    assert page.run("document.documentElement.scrollWidth <= innerWidth")
    page.run("document.documentElement.dir = 'rtl'")
    assert page.run("document.documentElement.scrollWidth <= innerWidth")
    assert page.run("document.querySelector('.mark').getBoundingClientRect().left > innerWidth / 2")
    assert page.run("(pause => pause.offsetWidth == pause.offsetHeight)(document.querySelector('#pause'))")
    page.close()
