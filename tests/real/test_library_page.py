"""The page of the central API in a real browser: logging in, uploading, and what the library shows."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen
from uuid import uuid4

import pytest

from tests.central.support.process import CentralProcess, central_process
from tests.central.support.service import Box
from tests.support.chromium import Chromium, Page
from tests.support.clips import FFMPEG_TIMEOUT_S, Clips
from tests.support.leaks import LeakCheck
from tests.support.tools import run, wait_until

READY_S = 30.0
"""Two looks of ffprobe and one picture, on a busy machine."""

PADDING = 20_000_000
"""Bytes: more than the 16 MiB of a part."""

SLOW_BPS = 8_000_000


@pytest.fixture(scope="module")
def central(tmp_path_factory: pytest.TempPathFactory, leaks: LeakCheck) -> Iterator[CentralProcess]:
    folder = tmp_path_factory.mktemp("central")
    with central_process(f"sqlite:///{folder}/central.db", CAST_CENTRAL_LIBRARY__DIR=f"{folder}/library") as process:
        leaks.own_pids(lambda: process.pids)
        yield process


@pytest.fixture(scope="module")
def admin(central: CentralProcess) -> str:
    return central.command("key", "add", "editor")


@pytest.fixture
def page(central: CentralProcess, browser: Chromium, admin: str) -> Iterator[Page]:
    """The page, logged in as an admin, of a library with nothing in it: a second try finds nothing of the first."""
    if not central.pids:
        central.start()
    for video in ask(central, admin, "GET", "/api/v1/videos")["items"]:
        ask(central, admin, "DELETE", f"/api/v1/videos/{video['id']}/stats")
        ask(central, admin, "DELETE", f"/api/v1/videos/{video['id']}")
    page = opened(central, browser, height=1200)
    log_in(page, admin)
    yield page
    assert page.complaints() == []
    page.close()


def opened(central: CentralProcess, browser: Chromium, **window: int) -> Page:
    """The page, which looks for changes five times as often."""
    page = browser.page("about:blank", **window)
    page.hurry(5)
    page.open(central.url)
    return page


def log_in(page: Page, key: str) -> None:
    page.wait_text("#entry-heading", "Log in")
    page.type("#key", key)
    page.click("#key-form [type=submit]")
    page.wait_text("#session", "Log out")


def padded(film: Path, to: Path, size: int = PADDING) -> Path:
    """The film with so many bytes behind it, which players skip."""
    to.write_bytes(film.read_bytes() + struct.pack(">I4s", size, b"free") + bytes(size - 8))
    return to


def card(title: str) -> str:
    """An expression for the card of this video."""
    return (
        f"[...document.querySelectorAll('.cards li')].find(card => card.querySelector('h3').textContent == '{title}')"
    )


def test_only_a_key_lets_in(central: CentralProcess, browser: Chromium, admin: str) -> None:
    """A wrong one is told; the cookie is out of reach of scripts; it opens nothing after a log-out."""
    page = opened(central, browser)
    page.wait_text("#entry-heading", "Log in")
    assert page.violations() == []
    page.type("#key", "ak_wrong")
    page.click("#key-form [type=submit]")
    page.wait_text("#entry-problem", "unknown, revoked or expired")
    page.run("document.querySelector('#key').value = ''")
    log_in(page, admin)
    assert page.text("#session-name") == "editor"
    [cookie] = page.cookies()
    assert (cookie["httpOnly"], cookie["sameSite"]) == (True, "Strict")
    assert page.run("document.cookie") == ""
    page.click("#log-out")
    page.wait_text("#entry-heading", "Log in")
    assert page.run("fetch('api/v1/session').then(answer => answer.status)") == 401
    assert page.complaints() == []
    page.close()


def test_a_film_is_uploaded_shown_changed_and_deleted(page: Page, clips: Clips, tmp_path: Path) -> None:
    """From a dropped file to its poster; what cannot be played says why; what the library does not take is refused."""
    film = tmp_path / "Fire drill.mp4"
    film.write_bytes(clips.film_mp4("green", 1).read_bytes())
    broken = tmp_path / "broken.mkv"
    broken.write_bytes(b"no film")
    (tmp_path / "notes.txt").write_text("x")
    page.drop("#drop", film, broken, tmp_path / "notes.txt")
    page.wait_text("#upload-problem", "notes.txt: the library takes no files of this type")
    page.wait(f"{card('broken')}?.dataset.state == 'failed'", READY_S)
    assert page.run(f"{card('broken')}.querySelector('.problem').textContent")
    page.wait(f"{card('Fire drill')}?.querySelector('img')?.naturalWidth", READY_S)
    assert "0:01 · " in page.run(f"{card('Fire drill')}.textContent")

    page.run(f"{card('Fire drill')}.querySelector('button').click()")
    page.wait_text("#video-heading", "Fire drill")
    page.wait_text("#video-facts", "h264, aac")
    page.type("#video-tags", "safety, Hall 2")
    page.click("#made-more [data-id='480p']")
    page.wait_text("#made-list", "480p")
    assert page.violations() == []
    page.click("#video-save")
    page.wait(f"{card('Fire drill')}.querySelectorAll('.tags bdi').length == 2")
    page.type("#tag", "hall 2")
    page.wait("document.querySelectorAll('.cards li').length == 1")
    page.run("document.querySelector('#tag').value = ''")
    page.type("#search", "no such film")
    page.wait_text("#shelf-state", "No video is like that")
    page.run("document.querySelector('#filter').reset()")
    page.run("document.querySelector('#filter').dispatchEvent(new Event('input'))")
    page.wait("document.querySelectorAll('.cards li').length == 2")

    page.run(f"{card('broken')}.querySelector('button').click()")
    page.click("#video-delete")
    page.wait_text("#question-text", "Its statistics stay")
    page.click("#question-yes")
    page.wait("document.querySelectorAll('.cards li').length == 1")


def test_a_late_answer_takes_nothing_back(page: Page, clips: Clips, tmp_path: Path) -> None:
    """What was ordered stays in the list, when an answer from before the order comes after it."""
    film = tmp_path / "Fire drill.mp4"
    film.write_bytes(clips.film_mp4("green", 1).read_bytes())
    page.drop("#drop", film)
    page.wait(f"{card('Fire drill')}?.querySelector('img')?.naturalWidth", READY_S)
    page.run(f"{card('Fire drill')}.querySelector('button').click()")
    page.wait_text("#video-facts", "h264, aac")
    page.run(
        "{ const real = window.fetch; window.fetch = async (url, ...rest) => { const answer = await real(url, ...rest);"
        " if (!window.release && String(url).includes('jobs?video_id'))"
        " await new Promise((done) => { window.release = done; }); return answer; }; }"
    )
    page.run("window.dispatchEvent(new Event('hashchange'))")
    page.wait("window.release !== undefined")
    page.click("#made-more [data-id='480p']")
    page.wait_text("#made-list", "480p")
    page.run("window.release()")
    assert page.run(
        "new Promise((done) => setTimeout(() => done(document.querySelector('#made-list').textContent), 300))"
    ).count("480p")


def test_the_pictures_of_a_film_are_looked_through(
    central: CentralProcess, page: Page, admin: str, clips: Clips, tmp_path: Path
) -> None:
    """With the mouse over its card, and with the keys in its dialog."""
    film = tmp_path / "Two colours.mp4"
    halves = "color=red:s=320x180:r=5:d=4[r];color=blue:s=320x180:r=5:d=4[b];[r][b]concat"
    run(["ffmpeg", "-v", "error", "-filter_complex", halves, str(film)], timeout_s=FFMPEG_TIMEOUT_S)
    page.choose("#files", film)
    wait_until(lambda: all_pictured(central, admin), timeout_s=READY_S, what="the thumbnails")
    page.wait(f"{card('Two colours')}?.querySelector('.state').textContent == 'Ready'")
    for part, colour in ((0.2, "red"), (0.8, "blue")):
        page.hover(".cards .poster", part)
        page.wait(f"{SEEN.format(canvas='.cards canvas')} == '{colour}'")
    page.hover("#search")
    page.wait("!document.querySelector('.cards canvas')")

    page.run(f"{card('Two colours')}.querySelector('button').click()")
    page.wait(f"{SEEN.format(canvas='#video-picture canvas')} == 'red'")
    page.run("document.querySelector('#video-position').focus()")
    page.press("End")
    page.wait(f"{SEEN.format(canvas='#video-picture canvas')} == 'blue'")
    assert page.run("document.querySelector('#video-position').ariaValueText") == "7 seconds"
    assert page.text("#video-time") == "0:07"
    assert "thumbnails" not in page.text("#made-more")
    assert page.violations() == []


def all_pictured(central: CentralProcess, key: str) -> bool:
    """Return True once there are videos, and each has thumbnails."""
    videos = ask(central, key, "GET", "/api/v1/videos")["items"]
    return bool(videos) and all(video["thumbnails"] for video in videos)


SEEN = (
    "(canvas => {{ const [red, , blue] = canvas?.getContext('2d').getImageData(80, 40, 1, 1).data ?? []; "
    "return red > 200 ? 'red' : blue > 200 ? 'blue' : ''; }})(document.querySelector('{canvas}'))"
)
"""The colour in the middle of a canvas."""


def test_an_upload_outlives_the_service_and_the_page(
    central: CentralProcess, page: Page, clips: Clips, tmp_path: Path
) -> None:
    """The page says that the service was killed, and goes on once it is back; opened anew, with the same file."""
    film = padded(clips.film_mp4("blue", 1), tmp_path / "Long film.mp4")
    page.upload_at(SLOW_BPS)
    page.choose("#files", film)
    page.wait("document.querySelector('#upload-list progress').value > 2e6")
    central.end(9)
    page.wait_text("#upload-list small", "again")
    central.start()
    page.run("window.dispatchEvent(new Event('online'))")  # it need not wait for its next try
    page.wait_text("#upload-list small", "/s, ")
    page.wait("document.querySelector('#upload-list progress').value > 6e6")
    page.click("#upload-list button")
    page.wait_text("#upload-list small", "Paused at")

    page.open(central.url)
    page.wait_text("#upload-list", "Was interrupted")
    page.upload_at(0)
    page.choose("#files", film)
    page.wait(f"{card('Long film')}?.dataset.state == 'ready'", READY_S)
    assert page.run("localStorage.getItem('cast-central-uploads')") == "[]"
    began = [line for line in central.log() if line.get("event") == "video_reserved"]
    assert began == []  # the second service only took what was missing


def test_an_upload_key_sees_its_own(central: CentralProcess, browser: Chromium, clips: Clips, admin: str) -> None:
    """And no statistics, no deletion and no renaming, which it may not; the page is usable on the narrowest phone."""
    film = {"title": "Of another", "type": "video/mp4", "size": 5}
    assert ask(central, admin, "POST", "/api/v1/videos", film)["state"] == "uploading"
    page = opened(central, browser, width=320, height=700)
    name = f"camera {uuid4()}"
    log_in(page, central.command("key", "add", name, "--upload"))
    page.wait_text("#shelf-state", "There is nothing in the library yet")
    page.choose("#files", clips.film_mp4("red", 1))
    page.wait("document.querySelectorAll('.cards li').length == 1", READY_S)
    assert "Statistics" not in page.text("#nav")
    assert page.run("document.documentElement.scrollWidth <= innerWidth")
    page.run("document.querySelector('.cards button').click()")
    page.wait_text("#video-facts", name)
    assert page.run("document.querySelector('#video-delete').hidden && document.querySelector('#video-title').readOnly")
    page.close()


def ask(central: CentralProcess, key: str, method: str, path: str, body: Any = None) -> Any:
    """The answer to a call with a key."""
    data = None if body is None else json.dumps(body).encode()
    headers = {"Authorization": f"Bearer {key}"}
    with urlopen(Request(f"{central.url}{path}", data, headers, method=method), timeout=READY_S) as answer:
        return json.loads(answer.read() or "null")


def test_views_are_shown_as_a_chart(central: CentralProcess, page: Page, admin: str) -> None:
    """Of all videos and of one, with a table that says the same."""
    film = ask(central, admin, "POST", "/api/v1/videos", {"title": "Seen", "type": "video/mp4", "size": 5})
    made = ask(central, admin, "POST", "/api/v1/devices", {"name": "Hall"})
    box = Box(None, made["token"], id=made["id"])  # type: ignore[arg-type]
    shown = {"video_id": film["id"], "seconds": 61.0, "completed": True}
    event = box.event("session_ended", data={"reason": "finished", "shown": shown})
    ask(central, made["token"], "POST", f"/api/v1/devices/{box.id}/events", {"events": [event]})
    page.click("#nav a:last-child")
    page.wait_text("#statistics-total", "1 view, 1 to the end, 1:01 in all.")
    page.wait_text("#statistics-videos", "Seen")
    assert page.run("document.querySelectorAll('#statistics-chart rect').length") == 1
    page.click("#statistics-chart summary")
    page.wait_text("#statistics-chart table", "1:01")
    assert page.violations() == []
    assert page.run("document.documentElement.scrollWidth <= innerWidth")
    page.click("#nav a")
    page.wait(f"!!{card('Seen')}")
    assert page.violations() == []
    page.run(f"{card('Seen')}.querySelector('button').click()")
    page.click("#video-statistics summary")
    page.wait_text("#video-boxes", box.id)
