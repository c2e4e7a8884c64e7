"""POST /start with the session_id of a session that there is: it changes that one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from uuid import uuid4

import pytest

from agent.errors import MediaError
from agent.types import ErrorCode, SessionChange, SessionId
from tests.support.api import Served, Tracked, served, session_snapshot, tracked

FILM = "http://film/1.mp4"


@pytest.fixture
async def api() -> AsyncIterator[Served]:
    async with served() as api:
        yield api


@pytest.fixture
async def box() -> AsyncIterator[Tracked]:
    async with tracked() as box:
        yield box


async def start(api: Served | Tracked, body: object, *, query: str = "", status: int = 200) -> dict[str, object]:
    async with api.client.post(f"/start{query}", json=body) as answer:
        assert answer.status == status, await answer.text()
        return dict(await answer.json())


async def on(box: Tracked, **fields: object) -> str:
    """Start a film, wait for its first frame, and return its id."""
    return str((await start(box, {"url": FILM, **fields}, query="?wait=5"))["session_id"])


async def stream(box: Tracked) -> dict[str, object]:
    async with box.client.get("/status") as answer:
        return dict((await answer.json())["stream"])


async def test_takes_every_field(api: Served) -> None:
    """All that can be changed reaches the tracker, as the policy would have it played; nothing is started."""
    body = {"url": "HTTP://nas/x", "duration": "30", "title": "Door", "volume": "0.5", "muted": "off"}
    assert await start(api, body | {"session_id": " abc "}) == {"status": "success", "session_id": "abc"}
    change = SessionChange(url="http://nas/x", duration=30.0, title="Door", volume=0.5, muted=False)
    assert api.tracker.changes == [(SessionId("abc"), change)]
    assert not api.tracker.requests


@pytest.mark.parametrize("empty", ["", None])
async def test_what_is_left_out_stays(api: Served, empty: object) -> None:
    """A field that is left out, empty or null changes nothing; the url is not needed either."""
    names = ("url", "quality", "duration", "title", "volume", "muted", "interrupt", "position", "loop", "refresh")
    await start(api, {"session_id": "abc"} | dict.fromkeys(names, empty))
    assert api.tracker.changes == [(SessionId("abc"), SessionChange())]


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({"quality": "720p"}, ["quality"]),
        ({"interrupt": False}, ["interrupt"]),
        ({"position": "0"}, ["position"]),
        ({"loop": True, "title": "Door"}, ["loop"]),
        ({"refresh": 10}, ["refresh"]),
        ({"page": {"zoom": 2}}, ["page"]),
        ({"loop": True, "position": 9}, ["position", "loop"]),
        ({"duration": 0, "quality": "auto"}, ["duration", "quality"]),
        ({"url": "film.mp4"}, ["url"]),
        ({"url": 7}, ["url"]),
        ({"session_id": 5, "title": "Door"}, ["session_id"]),
        ({"session_id": "x" * 65}, ["session_id"]),
        ({"session_id": "a\nb"}, ["session_id"]),
    ],
)
async def test_refuses_what_cannot_be_changed(api: Served, body: dict[str, object], fields: list[str]) -> None:
    """A field that a session keeps for its life, or that is wrong in a start, is a 422 that names it."""
    answer = await start(api, {"session_id": "abc"} | body, status=422)
    assert [error["field"] for error in answer["errors"]] == fields  # type: ignore[attr-defined]
    assert not api.tracker.changes


async def test_waits_for_the_first_frame_of_that_session(api: Served) -> None:
    """With `wait` the answer comes at the first frame of the session that is changed."""
    waiting = asyncio.create_task(start(api, {"session_id": "abc", "duration": 9}, query="?wait=5"))
    await api.tracker.waiting.wait()
    api.tracker.outcome.set_result(session_snapshot(time_to_first_frame=0.25))
    assert await waiting == {"status": "success", "session_id": "abc", "time_to_first_frame": 0.25}


async def test_who_waits_is_told_the_failure_of_that_session(api: Served) -> None:
    """If the session that was changed fails before its first frame, the waiting caller is told, with its id."""
    api.tracker.outcome.set_exception(MediaError(ErrorCode.MEDIA_NOT_FOUND, "The server has no such file."))
    answer = await start(api, {"session_id": "abc"}, query="?wait=5", status=502)
    assert (answer["code"], answer["session_id"]) == ("media_not_found", "abc")


async def test_changes_what_is_on(box: Tracked) -> None:
    """A running session gets its new title, volume and duration, and its player is the same."""
    session_id = await on(box, title="Film")
    assert (await stream(box))["expires_at"] is None
    body = {"session_id": session_id, "url": FILM, "title": "Late", "volume": 0.25, "duration": 60}
    assert await start(box, body) == {"status": "success", "session_id": session_id}
    now = await stream(box)
    assert (now["session_id"], now["title"], now["volume_level"]) == (session_id, "Late", 0.25)
    assert now["expires_at"] is not None
    assert len(box.players.players) == 1


async def test_changes_what_waits(box: Tracked) -> None:
    """An interrupted session can be changed as well; waiting for its first frame is over at once."""
    film = await on(box)
    await on(box, interrupt=True)
    answer = await start(box, {"session_id": film, "title": "Film"}, query="?wait=5")
    assert answer["time_to_first_frame"] is not None
    async with box.client.get("/status") as status:
        assert [one["title"] for one in (await status.json())["interrupted"]] == ["Film"]


async def test_another_url_is_another_session(box: Tracked) -> None:
    """A session plays one url only: another one is a 409, and nothing has changed."""
    session_id = await on(box, title="Film")
    body = {"session_id": session_id, "url": "http://film/2.mp4", "title": "Other"}
    assert (await start(box, body, status=409))["code"] == "invalid_transition"
    assert (await stream(box))["title"] == "Film"


async def test_a_session_that_is_not_there_is_not_found(box: Tracked) -> None:
    """An id that never was, or that has ended, is a 404; nothing is started for it."""
    assert (await start(box, {"session_id": str(uuid4())}, status=404))["code"] == "session_not_found"
    session_id = await on(box)
    await box.tracker.stop()
    assert (await start(box, {"session_id": session_id, "url": FILM}, status=404))["code"] == "session_not_found"
    assert len(box.players.players) == 1
