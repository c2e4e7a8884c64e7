"""Hooks over a real socket: one address does one thing, for whoever knows it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from agent.access.hooks import HookAction, HookFile
from agent.access.keys import KeyFile
from tests.support.api import Tracked, tracked

DOOR = {"id": "front-door", "title": "Front door", "url": "http://film/door.mp4", "interrupt": True, "duration": 60}


@pytest.fixture
async def box(tmp_path: Path) -> AsyncIterator[Tracked]:
    """A box that asks for a key."""
    KeyFile(tmp_path).add("home-assistant")
    async with tracked(folder=tmp_path, configured=[DOOR]) as box:
        yield box


@pytest.fixture
def ring(tmp_path: Path) -> str:
    return "/hook/" + HookFile(tmp_path).add("doorbell", action=HookAction.START, preset="front-door")


async def call(box: Tracked, method: str, path: str, **headers: str) -> tuple[int, Any]:
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    async with box.client.request(method, path, headers=names) as answer:
        assert answer.headers["Cache-Control"] == "no-store"
        return answer.status, None if method == "HEAD" else await answer.json()


def asked(box: Tracked) -> list[tuple[str, float | None, str | None]]:
    requests = [session.request for session in box.tracker.saved()]
    return [(request.url, request.duration, request.title) for request in requests]


@pytest.mark.parametrize(("method", "body"), [("GET", None), ("POST", None), ("POST", b"<EventNotification/>")])
async def test_a_device_without_a_key_starts_a_preset(box: Tracked, ring: str, method: str, body: bytes | None) -> None:
    assert (await call(box, "GET", "/status"))[0] == 401
    async with box.client.request(method, ring, data=body) as called:
        assert called.status == 200
        answer = await called.json()
    assert answer["session_id"] == box.tracker.saved()[0].session_id
    assert asked(box) == [(DOOR["url"], 60.0, "Front door")]


async def test_what_is_on_is_stopped_paused_and_resumed(box: Tracked, ring: str, tmp_path: Path) -> None:
    others = (HookAction.STOP, HookAction.PAUSE, HookAction.RESUME)
    hooks = {action: "/hook/" + HookFile(tmp_path).add(action, action=action) for action in others}
    status, nothing = await call(box, "GET", hooks[HookAction.PAUSE])
    assert (status, nothing["code"]) == (409, "invalid_transition")
    await call(box, "GET", ring)
    await box.tracker.first_frame(box.tracker.saved()[0].session_id, 5.0)
    states = [(await call(box, "GET", hooks[action]))[1]["state"] for action in (HookAction.PAUSE, HookAction.RESUME)]
    assert states[0] == "paused"
    assert states[1] != "paused"
    assert (await call(box, "GET", hooks[HookAction.STOP]))[1]["message"] == "Stream stopped"
    assert box.tracker.snapshot().stream is None


async def test_a_query_changes_duration_and_title_and_nothing_else(box: Tracked, ring: str) -> None:
    """Devices add parameters of their own, which are overlooked; one of a start would be overlooked only by mistake."""
    assert (await call(box, "GET", f"{ring}?duration=5&title=Ding%20dong&temp=21.5&hum=60"))[0] == 200
    assert asked(box) == [(DOOR["url"], 5.0, "Ding dong")]
    await call(box, "GET", "/status")
    for query, field in (("url=http://film/", "url"), ("volume=1", "volume"), ("duration=0", "duration")):
        status, refused = await call(box, "GET", f"{ring}?{query}")
        assert (status, [error["field"] for error in refused["errors"]]) == (422, [field])
    assert len(asked(box)) == 1


@pytest.mark.parametrize(
    ("method", "headers"),
    [
        ("HEAD", {}),
        ("GET", {"Purpose": "prefetch"}),
        ("GET", {"Sec_Purpose": "prefetch;prerender"}),
        ("GET", {"X_Purpose": "preview"}),
        ("GET", {"X_Moz": "prefetch"}),
        ("GET", {"User_Agent": "Mozilla/5.0 facebookexternalhit/1.1 Facebot Twitterbot/1.0"}),
        ("GET", {"User_Agent": "WhatsApp/2.23.20.0"}),
        ("POST", {"Sec_Purpose": "prefetch"}),
    ],
)
async def test_who_only_looks_starts_nothing(box: Tracked, ring: str, method: str, headers: dict[str, str]) -> None:
    """An error, so that a browser does not keep it as the answer to the call that is meant."""
    status, _ = await call(box, method, ring, **headers)
    assert (status, asked(box)) == (501, [])


async def test_a_page_of_another_site_starts_nothing_but_any_name_of_the_box_will_do(box: Tracked, ring: str) -> None:
    status, refused = await call(box, "GET", ring, Origin="http://evil.example")
    assert (status, refused["code"], asked(box)) == (403, "forbidden_origin", [])
    assert (await call(box, "GET", ring, Host="tv.home.example"))[0] == 200


async def test_a_wrong_hook_is_refused_and_slowed_down(box: Tracked, ring: str) -> None:
    answers = [await call(box, "GET", f"/hook/cah_wrong{number}") for number in range(6)]
    assert [status for status, _ in answers] == [404] * 5 + [429]
    assert "cast-agent hook add" in answers[0][1]["detail"]
    assert (await call(box, "GET", ring))[0] == 200


async def test_no_secret_gets_into_the_log_or_an_error(box: Tracked, ring: str) -> None:
    secret = ring.removeprefix("/hook/")
    with capture_logs() as lines:
        for path in (ring, f"{ring}/", f"{ring}x", f"/hook//{secret}", f"/hook?{secret}", f"/hook%2F{secret}"):
            for method in ("GET", "PUT"):
                async with box.client.request(method, path) as answer:
                    assert secret not in await answer.text() or answer.status == 200
    requests = [line for line in lines if line["event"] == "request_completed"]
    assert len(requests) == 12
    assert (requests[0]["path"], requests[0]["caller"]) == ("/hook/{secret}", "hook doorbell")
    assert secret not in str(lines)


async def test_protected_mode_is_for_those_without_a_secret(tmp_path: Path, ring: str) -> None:
    """A hook was made on the box, so it works from anywhere, also before there is a key."""
    async with tracked(folder=tmp_path, configured=[DOOR]) as box:
        proxied = {"X_Forwarded_For": "192.0.2.7"}
        assert (await call(box, "GET", "/status", **proxied))[0] == 403
        assert (await call(box, "GET", ring, **proxied))[0] == 200


async def test_a_preset_that_is_gone_is_named(box: Tracked, tmp_path: Path) -> None:
    hook = HookFile(tmp_path).add("gate", action=HookAction.START, preset="gate")
    status, refused = await call(box, "GET", f"/hook/{hook}")
    assert (status, refused["code"]) == (404, "preset_not_found")
