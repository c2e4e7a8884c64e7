"""The addresses that are kept to be played again: presets and recent ones, over a real socket, on a real disk."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import StreamReader

from agent.types import MediaType
from tests.support.api import Tracked, tracked

DOOR = {"id": "front-door", "title": "Front door", "url": "http://film/door.mp4", "interrupt": True, "duration": 60}
CONFIGURED = (
    {"id": "radio", "title": "Radio", "url": "http://film/radio.mp3", "volume": 0.4},
    {"id": "news", "url": "http://film/news.mp4", "duraton": 5},
    {"id": "radio", "url": "http://film/other.mp3"},
    {"id": "Not an id", "url": "http://film/a.mp4"},
    {"id": "etc", "url": "gopher://film/x"},
    {"id": "nothing"},
)


@pytest.fixture
async def box(tmp_path: Path) -> AsyncIterator[Tracked]:
    async with tracked(folder=tmp_path, configured=CONFIGURED) as box:
        yield box


async def call(
    box: Tracked, method: str, path: str, body: object = None, *, status: int = 200, **headers: str
) -> dict[str, Any]:
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    async with box.client.request(method, path, json=body, headers=names) as answer:
        assert answer.status == status, await answer.text()
        return dict(await answer.json()) | ({"ETag": answer.headers["ETag"]} if "ETag" in answer.headers else {})


async def listed(box: Tracked) -> dict[str, dict[str, Any]]:
    return {preset["id"]: preset for preset in (await call(box, "GET", "/presets"))["presets"]}


async def test_a_preset_is_saved_played_changed_and_deleted(box: Tracked, tmp_path: Path) -> None:
    saved = await call(box, "POST", "/presets", DOOR, status=201)
    assert saved["ETag"] == f'"{saved["etag"]}"'
    assert (await listed(box))["front-door"] == {name: saved[name] for name in saved if name != "ETag"}
    await call(box, "POST", "/start?wait=5", {"preset": "front-door", "duration": 5, "title": "Ding dong"})
    (session,) = box.tracker.saved()
    asked = session.request
    assert (asked.url, asked.interrupt, asked.duration, asked.title) == (DOOR["url"], True, 5.0, "Ding dong")

    changed = await call(box, "PATCH", "/presets/front-door", {"duration": None, "volume": "0.3"})
    assert "duration" not in changed
    assert (changed["volume"], changed["interrupt"]) == (0.3, True)
    assert changed["etag"] != saved["etag"]
    async with tracked(folder=tmp_path) as after_a_restart:
        assert (await listed(after_a_restart))["front-door"]["etag"] == changed["etag"]
    assert (tmp_path / "presets.json").stat().st_mode & 0o777 == 0o600

    assert await call(box, "DELETE", "/presets/front-door") == {"status": "success"}
    gone = await call(box, "POST", "/start", {"preset": "front-door"}, status=404)
    assert gone["code"] == "preset_not_found"
    assert "radio" in gone["detail"]


async def test_a_preset_may_be_a_page(box: Tracked, tmp_path: Path) -> None:
    """It is listed and played as one, also after a restart, and so is another page in its place."""
    page = {"id": "wall", "url": "http://film/wall", "as": "page"}
    saved = await call(box, "POST", "/presets", page, status=201)
    assert saved["as"] == "page"
    async with tracked(folder=tmp_path) as after_a_restart:
        assert (await listed(after_a_restart))["wall"]["as"] == "page"
    for body in ({}, {"url": "http://film/a"}):
        await call(box, "POST", "/start?wait=5", {"preset": "wall", **body})
        (session,) = box.tracker.saved()
        assert (session.request.url, session.request.kind) == (body.get("url", page["url"]), MediaType.WEB)


async def test_what_a_caller_plays_instead_takes_the_place_of_the_address(box: Tracked) -> None:
    await call(box, "POST", "/start", {"preset": "radio", "url": "http://film/own.mp3"})
    (session,) = box.tracker.saved()
    assert (session.request.url, session.request.volume) == ("http://film/own.mp3", 0.4)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"preset": "radio", "recent": "1"}, "recent"),
        ({"preset": "no/id"}, "preset"),
        ({"preset": "radio", "session_id": "1"}, "preset"),
        ({"preset": "radio", "url": "http://film/", "code": "ABCDEF"}, "code"),
        ({"preset": "radio", "duration": 0}, "duration"),
    ],
)
async def test_what_cannot_be_started_names_its_field(box: Tracked, body: dict[str, object], field: str) -> None:
    refused = await call(box, "POST", "/start", body, status=422)
    assert [error["field"] for error in refused["errors"]] == [field]


async def test_two_pages_change_the_same_preset(box: Tracked) -> None:
    """The second one is told what is there now, and succeeds with that."""
    seen = await call(box, "POST", "/presets", DOOR, status=201)
    await call(box, "PATCH", "/presets/front-door", {"title": "Gate"}, If_Match=seen["ETag"])
    for method, body in (("PATCH", {"title": "Door"}), ("DELETE", None)):
        refused = await call(box, method, "/presets/front-door", body, status=409, If_Match=seen["ETag"])
        assert (refused["code"], refused["preset"]["title"]) == ("preset_conflict", "Gate")
        assert refused["ETag"] == f'"{refused["preset"]["etag"]}"'
    done = await call(box, "PATCH", "/presets/front-door", {"title": "Door"}, If_Match=refused["ETag"])
    assert done["title"] == "Door"
    taken = await call(box, "POST", "/presets", DOOR, status=409)
    assert taken["preset"]["title"] == "Door"


async def test_changes_at_once_are_all_kept(box: Tracked, tmp_path: Path) -> None:
    bodies = [DOOR | {"id": f"door-{number}"} for number in range(20)]
    await asyncio.gather(*(call(box, "POST", "/presets", body, status=201) for body in bodies))
    kept = json.loads((tmp_path / "presets.json").read_text())["entries"]
    assert {entry["id"] for entry in kept} == {body["id"] for body in bodies}


async def test_pages_that_open_at_once_after_a_start_all_get_the_lists(box: Tracked) -> None:
    """The first one makes the agent read its files; the others wait for that, and are not told of a broken disk."""
    answers = await asyncio.gather(*(call(box, "GET", path) for path in ("/presets", "/recent") for _ in range(5)))
    assert [answer for answer in answers if "problem" in answer] == []


async def test_presets_of_the_configuration_are_read_only(box: Tracked) -> None:
    for method, body in (("PATCH", {"title": "x"}), ("DELETE", None)):
        refused = await call(box, method, "/presets/radio", body, status=403)
        assert refused["code"] == "preset_read_only"
        assert "[[preset]]" in refused["detail"]


async def test_a_broken_preset_is_listed_with_its_reason(box: Tracked) -> None:
    found = await listed(box)
    assert found["radio"]["source"] == "configuration"
    assert "problem" not in found["radio"]
    reasons = {id_: preset["problem"] for id_, preset in found.items() if id_ != "radio"}
    assert reasons.keys() == {"news", "#3", "#4", "etc", "nothing"}
    said = {
        "news": "duraton",
        "#3": "another preset radio",
        "#4": "id must be",
        "etc": "must begin",
        "nothing": "url is",
    }
    assert all(word in reasons[id_] for id_, word in said.items()), reasons
    refused = await call(box, "POST", "/start", {"preset": "news"}, status=409)
    assert refused["code"] == "preset_broken"
    assert "duration" in refused["detail"]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (DOOR | {"id": "Front Door"}, "id"),
        (DOOR | {"duration": -1}, "duration"),
        (DOOR | {"session_id": "1"}, "session_id"),
        (DOOR | {"url": "file:///etc/passwd"}, "url"),
        (DOOR | {"code": "ABCDEF"}, "code"),
        (DOOR | {"as": "page", "page": {"then": [{"url": "http:///x"}]}}, "page.then.0.url"),
        (DOOR | {"as": "page", "url": "rtsp://panel.example/1"}, "url"),
        ({"id": "x"}, "url"),
        ({"url": "http://film/"}, "id"),
        ({}, ""),
    ],
)
async def test_a_preset_with_a_mistake_is_refused_with_the_field(
    box: Tracked, body: dict[str, object], field: str
) -> None:
    refused = await call(box, "POST", "/presets", body, status=422)
    assert [error["field"] for error in refused["errors"]] == [field]
    if field:
        await call(box, "POST", "/presets", DOOR, status=201)
        change = {name: value for name, value in body.items() if DOOR.get(name) != value}
        if field != "url" or "url" in body:
            changed = await call(box, "PATCH", "/presets/front-door", change | {"id": body.get("id")}, status=422)
            assert [error["field"] for error in changed["errors"]] == [field]


async def test_an_id_is_made_of_the_title(box: Tracked) -> None:
    ids = []
    for title in ("Haustür & Garten", "Haustur, Garten", "玄関"):
        made = await call(box, "POST", "/presets", {"title": title, "url": "http://film/"}, status=201)
        ids.append(made["id"])
    assert ids == ["haustur-garten", "haustur-garten-2", "preset"]


async def test_a_password_is_kept_and_not_shown(box: Tracked, tmp_path: Path) -> None:
    url = "http://me:hunter2@film/door.mp4"
    shown = await call(box, "POST", "/presets", DOOR | {"url": url}, status=201)
    assert shown["url"] == "http://***@film/door.mp4"
    sent_back = await call(box, "PATCH", "/presets/front-door", {"url": shown["url"], "title": "Door"})
    assert "hunter2" not in str([shown, sent_back, await listed(box)])
    await call(box, "POST", "/start", {"preset": "front-door"})
    assert [session.request.url for session in box.tracker.saved()] == [url]


async def test_there_is_an_end_to_presets(tmp_path: Path) -> None:
    entries = [{"id": f"p{number}", "url": "http://film/"} for number in range(200)]
    (tmp_path / "presets.json").write_text(json.dumps({"version": 1, "entries": entries}))
    async with tracked(folder=tmp_path) as box:
        refused = await call(box, "POST", "/presets", DOOR, status=422)
        assert "200" in refused["detail"]
        await call(box, "DELETE", "/presets/p7")
        await call(box, "POST", "/presets", DOOR, status=201)


async def test_a_saved_preset_that_broke_can_be_corrected(tmp_path: Path) -> None:
    entry = {"id": "front-door", "url": "http://film/", "duration": "soon"}
    (tmp_path / "presets.json").write_text(json.dumps({"version": 1, "entries": [entry]}))
    async with tracked(folder=tmp_path, configured=CONFIGURED[:1]) as box:
        assert "duration" in (await listed(box))["front-door"]["problem"]
        assert "problem" not in await call(box, "PATCH", "/presets/front-door", {"duration": 5})


async def test_a_damaged_file_is_set_aside(tmp_path: Path) -> None:
    (tmp_path / "presets.json").write_text('{"version": 1, "entr')
    async with tracked(folder=tmp_path) as box:
        assert await listed(box) == {}
        await call(box, "POST", "/presets", DOOR, status=201)
    assert (tmp_path / "presets.json.bad").read_text().startswith('{"version"')


async def test_a_disk_that_takes_nothing_keeps_the_presets_usable(tmp_path: Path) -> None:
    """The presets on the disk are listed and played, a change says what is wrong, and nothing is half done."""
    file = tmp_path / "presets.json"
    async with tracked(folder=tmp_path, configured=CONFIGURED[:1]) as box:
        await call(box, "POST", "/presets", DOOR, status=201)
        file.unlink()
        file.mkdir()  # a file can take its place no more
        for method, path, body in (
            ("POST", "/presets", DOOR | {"id": "other"}),
            ("PATCH", "/presets/front-door", {"title": "x"}),
            ("DELETE", "/presets/front-door", None),
        ):
            refused = await call(box, method, path, body, status=507)
            assert refused["code"] == "storage_unavailable"
            assert f"{file} cannot be written" in refused["detail"]
        assert [*await listed(box)] == ["radio", "front-door"]
        await call(box, "POST", "/start", {"preset": "front-door"})
    async with tracked(folder=tmp_path, configured=CONFIGURED[:1]) as box:
        found = await call(box, "GET", "/presets")
        assert [preset["id"] for preset in found["presets"]] == ["radio"]
        assert f"{file} cannot be read" in found["problem"]
        await call(box, "POST", "/start", {"preset": "radio"})


async def test_what_was_played_is_played_again(box: Tracked, tmp_path: Path) -> None:
    """The newest first, each address once, without its password, which is there when it is played again."""
    secret = "http://me:hunter2@film/one.mp4"
    one, two = "http://***@film/one.mp4", "http://film/two.mp4"
    for url, then in ((secret, [one]), (two, [two, one]), ("http://broken/", [two, one]), (secret, [one, two])):
        async with box.client.post("/start?wait=5", json={"url": url, "title": "Film"}):
            pass
        async with asyncio.timeout(5):  # nobody who starts a stream waits for the disk that keeps its address
            while [each["url"] for each in (await call(box, "GET", "/recent"))["recent"]] != then:
                await asyncio.sleep(0.01)
    played = (await call(box, "GET", "/recent"))["recent"]
    assert (tmp_path / "recent.json").stat().st_mode & 0o777 == 0o600
    await call(box, "POST", "/stop", {"all": True})
    await call(box, "POST", "/start", {"recent": played[0]["id"]})
    (session,) = box.tracker.saved()
    assert (session.request.url, session.request.title) == (secret, "Film")
    async with tracked(folder=tmp_path) as after_a_restart:
        assert (await call(after_a_restart, "GET", "/recent"))["recent"][1] == played[1]
    await call(box, "DELETE", "/recent")
    assert (await call(box, "GET", "/recent"))["recent"] == []
    assert "hunter2" not in (tmp_path / "recent.json").read_text()
    assert (await call(box, "POST", "/start", {"recent": played[0]["id"]}, status=404))["code"] == "preset_not_found"


async def test_what_was_played_says_how_it_was_shown(box: Tracked) -> None:
    for url, more in (("http://film/", {}), ("http://page/", {"as": "page"})):
        await call(box, "POST", "/start?wait=5", {"url": url, **more})
    async with asyncio.timeout(5):
        while len(played := (await call(box, "GET", "/recent"))["recent"]) < 2:
            await asyncio.sleep(0.01)
    assert [(one["url"], one["as"]) for one in played] == [("http://page/", "page"), ("http://film/", None)]


@pytest.mark.parametrize("kept", [True, False])
async def test_what_is_on_is_saved_with_its_credentials(box: Tracked, kept: bool) -> None:
    """An address that callers are not shown is saved from a session, and from the list of what was played lately."""
    url = "http://me:hunter2@film/one.mp4"
    started = await call(box, "POST", "/start?wait=5", {"url": url, "title": "Gate", "refresh": 5, "volume": 0.2})
    source = {"session_id": started["session_id"]}
    if kept:
        async with asyncio.timeout(5):
            while not (recent := (await call(box, "GET", "/recent"))["recent"]):
                await asyncio.sleep(0.01)
        source = {"recent": recent[0]["id"]}
    saved = await call(box, "POST", "/presets", source | {"duration": 30}, status=201)
    assert {name: saved[name] for name in ("id", "title", "url", "refresh", "duration")} == {
        "id": "gate", "title": "Gate", "url": "http://***@film/one.mp4", "refresh": 5.0, "duration": 30.0
    }  # fmt: skip
    assert "volume" not in saved
    await call(box, "POST", "/start", {"preset": "gate"})
    assert box.tracker.saved()[-1].request.url == url
    named = await call(box, "POST", "/presets", source | {"id": "b", "title": "Other"}, status=201)
    assert (named["id"], named["title"]) == ("b", "Other")


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"recent": "nothing"}, 404, "preset_not_found"),
        ({"session_id": "nothing"}, 404, "session_not_found"),
        ({"session_id": "1", "url": "http://film/a.mp4"}, 422, "invalid_request"),
        ({"session_id": "1", "recent": "1"}, 422, "invalid_request"),
        ({"title": "Nothing to play"}, 422, "invalid_request"),
    ],
)
async def test_what_was_not_played_cannot_be_saved(
    box: Tracked, body: dict[str, object], status: int, code: str
) -> None:
    assert (await call(box, "POST", "/presets", body, status=status))["code"] == code


async def test_pages_are_told_which_list_changed(box: Tracked) -> None:
    """A start changes the recent addresses alone, and a new preset the presets."""
    async with asyncio.timeout(5), box.client.get("/events") as events:
        await call(box, "POST", "/start?wait=5", {"url": "http://film/one.mp4"})
        started = await kinds_until("recent_changed", events.content)
        assert "presets_changed" not in started
        await call(box, "POST", "/presets", DOOR, status=201)
        assert "recent_changed" not in await kinds_until("presets_changed", events.content)


async def kinds_until(last: str, events: StreamReader) -> list[str]:
    """The kinds of the next events, up to one of the kind `last`."""
    kinds: list[str] = []
    while last not in kinds:
        line = (await events.readline()).decode()
        assert line, kinds
        if line.startswith("event: "):
            kinds.append(line.removeprefix("event: ").strip())
    return kinds
