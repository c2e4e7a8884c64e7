"""Videos of the central API's library on a box: found, played, shown without their address, back after a restart."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
from aiohttp import ClientSession

from agent.casting import video_source
from agent.persistence.session_file import FILE as WANTED_FILE
from agent.reporting.central import lookup
from agent.reporting.central.enrol import enrol
from tests.reporting.support.admin import Admin
from tests.reporting.support.life import life
from tests.reporting.support.proxy import BLACK_HOLE, FINE, Proxy
from tests.support.clips import Clips
from tests.support.fakes import SCRIPTS, Script
from tests.support.tools import LOOK_EVERY_S


@pytest.fixture(autouse=True)
def _plays(monkeypatch: pytest.MonkeyPatch) -> None:
    """Script a player that plays the videos of the central API."""
    monkeypatch.setitem(SCRIPTS, "127.0.0.1", Script())


@pytest.fixture
async def state(proxy: Proxy, enrolment_token: str, tmp_path: Path) -> Path:
    """The state directory of a box that is registered, behind the proxy."""
    await enrol(proxy.url, enrolment_token, folder=tmp_path / "state", name="Kitchen")
    return tmp_path / "state"


@pytest.fixture
async def video_id(admin: Admin, clips: Clips) -> str:
    """A film that is ready."""
    film = clips.film_mp4().read_bytes()
    made = await admin("POST", "/api/v1/videos", {"title": "Fire drill", "type": "video/mp4", "size": len(film)})
    id_ = str(made["id"])
    await admin("PUT", f"/api/v1/videos/{id_}/content", data=film)
    await admin("POST", f"/api/v1/videos/{id_}/complete")
    while (found := await admin("GET", f"/api/v1/videos/{id_}"))["state"] == "checking":
        await asyncio.sleep(LOOK_EVERY_S)
    assert found["state"] == "ready", found.body
    return id_


async def test_a_video_is_played_and_comes_back_after_a_restart(
    state: Path, proxy: Proxy, admin: Admin, video_id: str, clips: Clips
) -> None:
    """Its player gets an address with which anybody gets the film; nobody else is told that, and no file has it. What
    was shown of it is counted, once for each session."""
    async with life(state) as kitchen:
        session = await kitchen.play(video_id=video_id.upper(), position=4)
        first = kitchen.plays
        shown = f"{proxy.url}/api/v1/videos/{video_id}/file"
        assert first.startswith(f"{shown}?")
        async with ClientSession() as player, player.get(first) as answer:
            assert await answer.read() == clips.film_mp4().read_bytes()
        async with kitchen.client.get("/status") as told:
            status = await told.text()
        on = json.loads(status)["stream"]
        assert (on["title"], on["video_id"], on["url"]) == ("Fire drill", video_id, shown)
        assert (on["stream_id"], on["code"]) == (None, None)
        async with kitchen.client.post("/presets", json={"session_id": session}) as saved:
            preset = await saved.json()
        assert (saved.status, preset["video_id"], preset.get("url")) == (201, video_id, None)
        await kitchen.play(preset=preset["id"])
        assert kitchen.on is not None
        session = str(kitchen.on.session_id)
        assert kitchen.on.video_id == video_id
        await kitchen.box.connected()
    kept = (state / WANTED_FILE).read_text()
    token = first.rpartition("token=")[2]
    assert len(token) == 64
    assert token not in status + kept
    async with life(state) as kitchen:
        await kitchen.box.until(lambda: kitchen.on is not None and kitchen.on.state == "playing")
        assert kitchen.on is not None
        assert (kitchen.on.session_id, kitchen.on.title, kitchen.on.video_id) == (session, "Fire drill", video_id)
        assert kitchen.plays.startswith(f"{shown}?")
        await kitchen.box.tracker.stop()
        while (stats := await admin("GET", f"/api/v1/videos/{video_id}/stats"))["total"]["views"] < 2:
            await asyncio.sleep(LOOK_EVERY_S)
        assert (stats["total"]["views"], stats["total"]["completed"]) == (2, 0)


async def test_a_video_plays_on_while_the_central_api_is_away(
    state: Path, proxy: Proxy, video_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At the address that is known; after a restart the box waits until it can ask."""
    monkeypatch.setattr(lookup, "LOOKUP_TIMEOUT_S", 0.3)
    monkeypatch.setattr(video_source, "PAUSE_S", 0.05)
    monkeypatch.setitem(SCRIPTS, "127.0.0.1", Script(fails_after=0.3))
    async with life(state) as kitchen:
        session = await kitchen.play(video_id=video_id)
        address, count = kitchen.plays, len(kitchen.box.players.players)
        proxy.fault = BLACK_HOLE
        await kitchen.box.until(lambda: len(kitchen.box.players.players) > count and kitchen.plays)
        assert kitchen.plays == address
        assert kitchen.on is not None
        assert kitchen.on.session_id == session
    monkeypatch.setitem(SCRIPTS, "127.0.0.1", Script())
    async with life(state) as kitchen:
        await kitchen.box.until(lambda: kitchen.on is not None and kitchen.on.session_state == "starting")
        proxy.fault = FINE
        await kitchen.box.until(lambda: kitchen.on is not None and kitchen.on.state == "playing")
        assert kitchen.on is not None
        assert kitchen.on.session_id == session


async def test_what_cannot_be_played_is_said(
    state: Path, admin: Admin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An id that nobody knows, a video that is not ready, one beside an address, and a box that has no library."""
    waiting = await admin("POST", "/api/v1/videos", {"title": "Later", "type": "video/mp4", "size": 10})
    async with life(state) as kitchen:
        unknown = await kitchen.start(video_id="01a1fd12-eb6c-748a-a719-cf4ecab6bccb")
        assert (unknown.status, unknown["code"]) == (404, "stream_not_found")
        assert "no video with the id" in unknown["detail"]
        refused = await kitchen.start("?wait=5", video_id=waiting["id"])
        assert (refused.status, refused["code"]) == (502, "media_unsupported")
        assert "it is uploading" in refused["detail"]
        for fields in ({"url": "http://film/"}, {"code": "K7QF2M"}, {"as": "page"}):
            assert (await kitchen.start(video_id=waiting["id"], **fields)).status == 422
        assert (await kitchen.start(video_id="Fire drill"))["errors"][0]["field"] == "video_id"
    async with life(tmp_path / "other") as hall:
        answer = await hall.start(video_id=waiting["id"])
        assert (answer.status, answer["code"]) == (501, "not_supported")
