"""The view of live streams in a real browser: one page publishes its camera, another watches."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import pytest

from tests.central.support.fake_webrtc import FakeWebRtc, fake_webrtc
from tests.central.support.mediamtx import free_port, real_mediamtx
from tests.central.support.service import Central, served
from tests.support.chromium import Chromium, Page
from tests.support.tools import program

MOVES = (
    "(() => { const picture = document.querySelector('#live-picture');"
    " return picture.videoWidth > 0 && picture.currentTime > 0.2; })()"
)
"""True while the page shows a stream that advances."""
CONNECTED_S = 20.0
"""A handshake and a first picture, on a busy machine."""


BINARY = program("mediamtx")

REAL = pytest.param(
    "mediamtx",
    marks=pytest.mark.skipif(
        BINARY is None,
        reason="THE REAL MEDIAMTX WAS NOT TESTED: put `mediamtx` (1.19 or newer) on the PATH, or name it in MEDIAMTX",
    ),
)


@pytest.fixture(params=["fake", REAL])
async def both(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[tuple[Central, FakeWebRtc | None]]:
    """Central, and a media server that browsers publish to: ours, whose peers can be looked at, and the real one."""

    def central_with(api_url: str, webrtc_url: str) -> AbstractAsyncContextManager[Central]:
        media = {"api_url": api_url, "webrtc_url": webrtc_url}
        library = {"dir": str(tmp_path / "library"), "workers": 0}
        return served(f"sqlite:///{tmp_path}/central.db", mediamtx=media, library=library)

    if request.param == "fake":
        async with fake_webrtc() as webrtc, central_with(webrtc.media.control.url, webrtc.url) as central:
            webrtc.media.central = central.url
            yield central, webrtc
    else:
        assert BINARY is not None
        api, http, udp = free_port(), free_port(), free_port()
        changes: dict[str, Any] = {
            "webrtc": True,
            "webrtcAddress": f"127.0.0.1:{http}",
            "webrtcLocalUDPAddress": f":{udp}",
        }
        async with (
            central_with(f"http://127.0.0.1:{api}", f"http://127.0.0.1:{http}") as central,
            real_mediamtx(BINARY, api_port=api, central_url=central.url, **changes),
        ):
            yield central, None


def log_in(browser: Chromium, central: Central) -> Page:
    page = browser.page(f"{central.url}/#live", height=1200)
    page.wait_text("#entry-heading", "Log in")
    assert central.admin.token is not None
    page.type("#key", central.admin.token)
    page.click("#key-form [type=submit]")
    page.wait_text("#lives-heading", "Live streams")
    return page


async def test_one_page_publishes_its_camera_and_another_watches(
    both: tuple[Central, FakeWebRtc | None], browser: Chromium
) -> None:
    """From the form to the picture, and to its end; the addresses are told once, and H.264 is offered first."""
    central, webrtc = both

    def publish() -> Page:
        page = log_in(browser, central)
        page.type("#live-title", "Town hall")
        page.click("#live-add")
        page.wait_text("#live-made-heading", "Town hall")
        page.wait_text("#live-addresses", "/whip")
        assert page.violations() == []
        page.click("#live-send")
        page.wait_text("#live-stage-state", "Sent from this device")
        return page

    def watch() -> Page:
        page = log_in(browser, central)
        page.wait_text("#lives", "code ")
        page.click("#lives [data-do=watch]")
        page.wait(MOVES, CONNECTED_S)
        page.wait_text("#live-stage-state", "Watched here")
        assert page.violations() == []
        page.resize(320, 900)
        assert page.run("document.documentElement.scrollWidth <= innerWidth")
        return page

    sender = await asyncio.to_thread(publish)
    if webrtc is not None:
        [published] = webrtc.on.values()
        assert published.codecs[0] == "H264" or "H264" not in published.codecs
    viewer = await asyncio.to_thread(watch)

    def end() -> None:
        sender.click("#live-end")
        sender.wait("document.querySelector('#live-stage').hidden")
        viewer.click("#live-end")
        viewer.click("#lives [data-do=delete]")
        viewer.wait_text("#question-text", "nobody can publish it any more")
        viewer.click("#question-yes")
        viewer.wait_text("#lives-state", "There is no live stream")
        for page in (sender, viewer):
            assert page.complaints() == []
            page.close()

    await asyncio.to_thread(end)
    assert webrtc is None or (webrtc.on, webrtc.viewers) == ({}, {})
