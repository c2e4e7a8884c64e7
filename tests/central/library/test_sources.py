"""The way a box gets a video: at an address that is its own, that expires, and that no log has."""

from __future__ import annotations

import asyncio

import pytest
from aiohttp import ClientSession

from tests.central.library.conftest import ServedShelf, sha256
from tests.support.clips import Clips


async def test_a_box_gets_a_video_at_an_address_of_its_own(
    shelf: ServedShelf, clips: Clips, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    """Whole and in ranges, as players ask, without any other token; changed by one character it opens nothing."""
    film = clips.film_mp4().read_bytes()
    video_id = (await shelf.checked(film, title="Film"))["id"]
    central, box = shelf.central, await shelf.central.box()
    source = await box("GET", f"/api/v1/videos/{video_id}/source")
    assert source.status == 200, source.body
    facts = {"id": video_id, "title": "Film", "type": "video/mp4", "size": len(film), "sha256": sha256(film)}
    assert source.body == facts | {
        "duration": 10.0,
        "path": source["path"],
        "url": None,
        "expires_at": source["expires_at"],
    }
    async with ClientSession(central.url) as player:
        async with player.get(source["path"]) as answer:
            assert (answer.status, answer.content_type, await answer.read()) == (200, "video/mp4", film)
        async with player.get(source["path"], headers={"Range": "bytes=1000-1999"}) as answer:
            assert (answer.status, await answer.read()) == (206, film[1000:2000])
        address, token = source["path"][:-64], source["path"][-64:]
        other = await central.box("hall")
        forged = [
            address + token[:-1] + ("0" if token[-1] != "0" else "1"),
            source["path"].replace(box.id, other.id),
            source["path"].replace("expires=1", "expires=9"),
        ]
        for path in forged:
            async with player.get(path) as answer:
                assert (answer.status, (await answer.json())["code"]) == (404, "not_found"), path
    assert (await central.anybody("GET", address + "x")).status == 422
    printed = capfd.readouterr()
    assert token not in printed.out + printed.err + caplog.text


async def test_an_address_ends_with_its_time_its_box_and_its_video(sqlite_shelf: ServedShelf, clips: Clips) -> None:
    """And a video that is not ready has none; nor has anybody but a box."""
    shelf, central = sqlite_shelf, sqlite_shelf.central
    film = clips.film_mp4().read_bytes()
    waiting = (await shelf.reserve(b"x"))["id"]
    first, second = await asyncio.gather(shelf.checked(film), shelf.checked(film))
    box, revoked = await central.box(), await central.box("revoked")

    async def source(video_id: str, by: object = box) -> str:
        assert callable(by)
        return str((await by("GET", f"/api/v1/videos/{video_id}/source"))["path"])

    async def status(path: str) -> int:
        return (await central.anybody("HEAD", path)).status

    refused = await box("GET", f"/api/v1/videos/{waiting}/source")
    assert (refused.status, refused["code"]) == (409, "wrong_state")
    assert (await box("GET", f"/api/v1/videos/{box.id}/source")).status == 404
    assert (await central.admin("GET", f"/api/v1/videos/{waiting}/source")).status == 403
    paths = [await source(first["id"]), await source(second["id"]), await source(second["id"], by=revoked)]
    assert [await status(path) for path in paths] == [200] * 3
    await central.admin("DELETE", f"/api/v1/devices/{revoked.id}")
    await central.admin("DELETE", f"/api/v1/videos/{first['id']}")
    assert [await status(path) for path in paths] == [404, 200, 404]
    central.clock.forward(24 * 3600 + 1)
    assert await status(paths[1]) == 404
    assert await status(await source(second["id"])) == 200
