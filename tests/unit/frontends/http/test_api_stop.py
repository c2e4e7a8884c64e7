"""POST /stop over a real socket."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from agent.snapshot import TrackerSnapshot
from tests.support.api import Served, served, session_snapshot


@pytest.fixture
async def api() -> AsyncIterator[Served]:
    async with served() as api:
        yield api


async def stop(api: Served, body: bytes, *, query: str = "", status: int = 200) -> dict[str, object]:
    async with api.client.post(f"/stop{query}", data=body) as answer:
        assert answer.status == status, await answer.text()
        return dict(await answer.json())


@pytest.mark.parametrize("body", [b"", b" ", b"{}", b'{"session_id": ""}', b'{"session_id": null, "all": "false"}'])
async def test_stops_what_is_on(api: Served, body: bytes) -> None:
    """Without an id, and without any body, it ends what is on."""
    api.tracker.state = TrackerSnapshot(stream=session_snapshot())
    assert await stop(api, body) == {"status": "success", "message": "Stream stopped"}
    assert (api.tracker.stops, api.tracker.everything) == ([None], [False])


async def test_nothing_on_is_a_success(api: Served) -> None:
    """A stop when idle is a 200, because what the caller wants is so."""
    assert await stop(api, b"") == {"status": "success", "message": "No active stream"}


@pytest.mark.parametrize("everything", [b"true", b'"yes"', b"1"])
async def test_all_ends_everything(api: Served, everything: bytes) -> None:
    """`all` ends everything, what waits included, also when a template made a string of it."""
    api.tracker.state = TrackerSnapshot(stream=session_snapshot())
    assert (await stop(api, b'{"all": ' + everything + b"}"))["message"] == "Stream stopped"
    assert (api.tracker.stops, api.tracker.everything) == ([None], [True])


async def test_stops_one_by_its_id(api: Served) -> None:
    """With an id it ends that one; an id that is not there is a success that says so and ends nothing."""
    session = session_snapshot()
    api.tracker.state = TrackerSnapshot(stream=session)
    other = await stop(api, b'{"session_id": "another", "all": false}')
    assert other["status"] == "success"
    assert "session_id" in str(other["message"])
    assert api.tracker.state.stream is session
    answer = await stop(api, f'{{"session_id": "{session.session_id}"}}'.encode())
    assert answer["message"] == "Stream stopped"


@pytest.mark.parametrize(
    ("body", "query", "field"),
    [
        (b'{"session_id": 5}', "", "session_id"),
        (b'{"session_id": "a", "all": true}', "", "session_id"),
        (b'{"all": "perhaps"}', "", "all"),
        (b'{"sesion_id": "a"}', "", "sesion_id"),
        (b"[]", "", ""),
        (b"stop", "", ""),
        (b"", "?session_id=a", "session_id"),
    ],
)
async def test_a_stop_that_is_not_understood_stops_nothing(api: Served, body: bytes, query: str, field: str) -> None:
    """Rather than to end the wrong session, a stop with a mistake is refused and names the field."""
    api.tracker.state = TrackerSnapshot(stream=session_snapshot())
    answer = await stop(api, body, query=query, status=422)
    assert [error["field"] for error in answer["errors"]] == [field]  # type: ignore[attr-defined]
    assert not api.tracker.stops
