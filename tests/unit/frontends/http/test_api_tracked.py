"""The API with the real tracker behind it: interruptions and retries as a caller sees them, and a fuzz of all calls."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agent.errors import MediaError
from agent.types import ErrorCode, MediaType
from cast_util.backoff import Backoff
from tests.support.api import Tracked, tracked
from tests.support.fakes import SCRIPTS, Script

SOON_S = 5.0


@pytest.fixture
async def box() -> AsyncIterator[Tracked]:
    async with tracked() as box:
        yield box


async def post(box: Tracked, path: str, body: object = None) -> dict[str, Any]:
    async with box.client.post(path, json={} if body is None else body) as answer:
        assert answer.status == 200, await answer.text()
        return dict(await answer.json())


async def on(box: Tracked, url: str, **fields: object) -> str:
    """Start it, wait for its first frame, and return its id."""
    return str((await post(box, "/start?wait=5", {"url": url, **fields}))["session_id"])


async def status(box: Tracked) -> dict[str, Any]:
    async with box.client.get("/status") as answer:
        assert answer.status == 200, await answer.text()
        return dict(await answer.json())


async def test_a_doorbell_over_a_film(box: Tracked) -> None:
    """An interrupting start goes on top, the film waits beside it in the status, and a stop brings it back."""
    film = await on(box, "http://film/")
    bell = await on(box, "http://film/bell", interrupt=True)
    during = await status(box)
    assert (during["stream"]["session_id"], during["on_screen"]) == (bell, bell)
    assert [(one["session_id"], one["session_state"]) for one in during["interrupted"]] == [(film, "waiting")]
    assert (await post(box, "/stop"))["message"] == "Stream stopped"
    after = await status(box)
    assert (after["stream"]["session_id"], after["interrupted"]) == (film, [])
    assert (after["last"]["session_id"], after["last"]["reason"]) == (bell, "stopped")


async def test_what_waits_can_be_stopped_by_its_id(box: Tracked) -> None:
    """A stop with the id of what waits ends that one, and leaves alone what is on."""
    film = await on(box, "http://film/")
    bell = await on(box, "http://film/bell", interrupt=True)
    await post(box, "/stop", {"session_id": film})
    after = await status(box)
    assert (after["on_screen"], after["interrupted"], after["last"]["session_id"]) == (bell, [], film)


async def test_all_ends_what_waits_too(box: Tracked) -> None:
    """After a stop of everything nothing comes back."""
    await on(box, "http://film/")
    await on(box, "http://film/bell", interrupt=True)
    await post(box, "/stop", {"all": True})
    after = await status(box)
    assert (after["status"], after["stream"], after["interrupted"]) == ("idle", None, [])


async def test_a_stream_that_broke_says_when_it_is_tried_again(box: Tracked, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between two tries the stream is still on, buffers, and tells what failed and when it goes on."""
    pauses = Backoff(2.0, cap_s=2.0)  # long enough to be seen
    monkeypatch.setattr("agent.casting.retry.PAUSES", pauses)
    film = await on(box, "http://film/")
    box.players.players[-1].fail(MediaError(ErrorCode.MEDIA_NETWORK, "The server closed the connection."))
    async with asyncio.timeout(SOON_S):
        while (stream := (await status(box))["stream"])["retry_at"] is None:
            assert stream["session_id"] == film
    assert (stream["session_id"], stream["state"], stream["attempt"]) == (film, "buffering", 2)
    assert stream["error"] == {"code": "media_network", "message": "The server closed the connection."}
    assert stream["capabilities"]["pause"] == "unavailable"
    async with asyncio.timeout(SOON_S):
        while (stream := (await status(box))["stream"])["attempt"] != 1:
            pass
    assert (stream["session_id"], stream["error"], stream["retry_at"]) == (film, None, None)
    assert stream["capabilities"] == dict.fromkeys(("pause", "seek", "volume_set", "snapshot"), "available")


GOOD: dict[str, st.SearchStrategy[object]] = {
    "url": st.sampled_from(
        ["http://quick/", "http://quick/", "http://quick/2", "http://quick-radio/", "http://broken/"]
    ),
    "quality": st.sampled_from(["auto", "720p", ""]),
    "duration": st.sampled_from([0.05, "30", None]),
    "title": st.sampled_from(["Door", "\u2603", ""]),
    "volume": st.sampled_from([0, "0.5", 1.0]),
    "muted": st.sampled_from([True, "off", None]),
    "position": st.sampled_from([0, "-0.0", 5, 315360000]),
    "loop": st.sampled_from([True, "no"]),
    "interrupt": st.sampled_from([True, True, "off"]),
    "session_id": st.integers(0, 5),
    "volume_level": st.sampled_from([0, 0.5, "1"]),
    "all": st.sampled_from([True, "off"]),
}
"""The number for `session_id` stands for one of the sessions that were started before."""
BAD: st.SearchStrategy[object] = st.sampled_from(
    [None, "", "x", "x" * 70, "\ud800", "a\nb", -1, 2, 1e300, True, [], {}, "file:///x", "http://["]
)
WILD = st.dictionaries(st.sampled_from([*GOOD, "urll", ""]), BAD | GOOD["url"] | GOOD["session_id"], max_size=4)


def fields(*required: str, optional: tuple[str, ...] = ()) -> st.SearchStrategy[dict[str, object]]:
    return st.fixed_dictionaries({n: GOOD[n] for n in required}, optional={n: GOOD[n] for n in optional})


CHANGEABLE = ("duration", "title", "volume", "muted")
STARTS = fields("url", optional=(*CHANGEABLE, "quality", "position", "loop", "interrupt"))
CHANGES = fields("session_id", optional=("url", *CHANGEABLE))
CALLS = st.one_of(
    st.tuples(st.sampled_from(["/start", "/start?wait=0.5"]), STARTS),
    st.tuples(st.just("/start?wait=0.5"), fields("url", "interrupt")),
    st.tuples(st.sampled_from(["/start", "/start?wait=0.05"]), CHANGES),
    st.tuples(st.just("/stop"), st.one_of(st.just({}), fields("session_id"), fields("all"))),
    st.tuples(st.sampled_from(["/pause", "/resume"]), st.just({})),
    st.tuples(st.just("/seek"), fields("position")),
    st.tuples(st.just("/volume"), fields("volume_level", optional=("muted",))),
    st.tuples(st.sampled_from(["/start", "/stop", "/pause", "/resume", "/seek", "/volume"]), WILD),
)


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(sequence=st.lists(CALLS, min_size=3, max_size=10))
async def test_no_sequence_of_calls_is_ever_our_mistake(
    box: Tracked, monkeypatch: pytest.MonkeyPatch, sequence: list[tuple[str, dict[str, object]]]
) -> None:
    """Whatever is called in whatever order, the answer is a success or names the caller's mistake, the status can be
    told at every step, and a stop of everything leaves nothing."""
    monkeypatch.setitem(SCRIPTS, "quick", Script(opens_after=0.0, pixel_after=0.0))
    monkeypatch.setitem(SCRIPTS, "quick-radio", Script(opens_after=0.0, media_type=MediaType.AUDIO))
    known: list[str] = []
    for call, given_fields in sequence:
        body = dict(given_fields)
        number = body.get("session_id")
        if type(number) is int:
            body["session_id"] = known[number % len(known)] if known else "none"
        async with box.client.post(call, data=json.dumps(body).encode()) as answer:
            text = await answer.text()
            told = json.loads(text)
            assert answer.status in (200, 404, 409, 422, 502), (call, body, text)
            assert told["status"] in ("success", "pending", answer.status)
            assert answer.status != 502 or "wait" in call
        if call.startswith("/start") and answer.status == 200:
            known.append(told["session_id"])
        now = await status(box)
        assert (now["status"] == "idle") is (now["stream"] is None)
        assert 0 <= now["volume"]["volume_level"] <= 1
    await post(box, "/stop", {"all": True})
    left = await status(box)
    assert (left["stream"], left["on_screen"], left["interrupted"]) == (None, None, [])
    assert not box.players.alive
