"""POST /pause, /resume, /seek, /volume and /screen over a real socket, with the real tracker wherever it decides."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from structlog.testing import capture_logs

from agent.casting.saved import Volume
from agent.errors import InvalidTransitionError, PlayerTimeoutError
from agent.snapshot import TrackerSnapshot
from agent.types import PlayerState
from tests.support.api import Served, Tracked, served, session_snapshot, tracked
from tests.support.tools import LOOK_EVERY_S


@pytest.fixture
async def api() -> AsyncIterator[Served]:
    async with served() as api:
        yield api


@pytest.fixture
async def box() -> AsyncIterator[Tracked]:
    async with tracked() as box:
        yield box


async def post(api: Served | Tracked, path: str, body: object = b"", *, status: int = 200) -> dict[str, object]:
    sent = {"data": body} if isinstance(body, bytes) else {"json": body}
    async with api.client.post(path, **sent) as answer:
        assert answer.status == status, await answer.text()
        assert answer.content_type == "application/json"
        return dict(await answer.json())


async def on(box: Tracked, url: str = "http://film/1.mp4", **fields: object) -> object:
    """Start it, wait for its first frame, and return its id."""
    return (await post(box, "/start?wait=5", {"url": url, **fields}))["session_id"]


async def status(box: Tracked) -> dict[str, object]:
    async with box.client.get("/status") as answer:
        return dict(await answer.json())


@pytest.mark.parametrize("body", [b"", b" ", b"{}"])
@pytest.mark.parametrize(("path", "state"), [("/pause", True), ("/resume", False), ("/reload", True)])
async def test_what_takes_no_body(api: Served, path: str, state: bool, body: bytes) -> None:
    """Without a body, or with an empty one, the answer names the session, its state and its position."""
    film = session_snapshot(state=PlayerState.PAUSED, position=12.3456)
    api.tracker.state = TrackerSnapshot(stream=film)
    answer = await post(api, path, body)
    assert answer == {"status": "success", "session_id": film.session_id, "state": "paused", "position": 12.346}
    assert api.tracker.controls == [("reload" if path == "/reload" else "pause", state)]


@pytest.mark.parametrize(
    ("position", "seconds"), [(90, 90.0), ("90.5", 90.5), (0, 0.0), ("-0.0", 0.0), (3650 * 86400, 315360000.0)]
)
async def test_seek_takes_seconds(api: Served, position: object, seconds: float) -> None:
    """A position is a number of seconds, also as a string; the answer tells where it goes on."""
    film = session_snapshot(state=PlayerState.PLAYING, position=12.0)
    api.tracker.state = TrackerSnapshot(stream=film)
    answer = await post(api, "/seek", {"position": position})
    assert answer == {"status": "success", "session_id": film.session_id, "state": "playing", "position": seconds}
    assert api.tracker.controls == [("seek", seconds)]


@pytest.mark.parametrize(
    ("body", "level", "muted"),
    [
        ({"volume_level": 0.5}, 0.5, None),
        ({"volume_level": "1", "muted": ""}, 1.0, None),
        ({"volume_level": 0, "muted": "off"}, 0.0, False),
        ({"muted": True, "volume_level": None}, None, True),
    ],
)
async def test_volume_takes_either_part(
    api: Served, body: dict[str, object], level: float | None, muted: bool | None
) -> None:
    """Level and mute can be set apart; the answer tells both as they are now."""
    api.tracker.volume = Volume(0.25, muted=True)
    assert await post(api, "/volume", body) == {"status": "success", "volume_level": 0.25, "muted": True}
    assert api.tracker.controls == [("set_volume", level, muted)]


async def test_the_screen_is_switched_off_with_everything_that_is_on() -> None:
    """And on again; where it cannot be switched, nothing is ended."""
    async with tracked() as api:
        await post(api, "/start?wait=5", {"url": "http://film/"})
        assert await post(api, "/screen", {"on": False}) == {"status": "success", "on": False}
        status = await (await api.client.get("/status")).json()
        assert (status["status"], status["screen"]) == ("idle", {"on": False})
        assert await post(api, "/screen", {"on": "true"}) == {"status": "success", "on": True}
        await post(api, "/start?wait=5", {"url": "http://film/"})
        api.screen.can = False
        refused = await post(api, "/screen", {"on": False}, status=501)
        assert refused["code"] == "not_supported"
        status = await (await api.client.get("/status")).json()
        assert (status["status"], status["screen"]) == ("casting", {"on": None})


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("/pause", b'{"session_id": "a"}', "session_id"),
        ("/pause", b"[]", ""),
        ("/pause", b"now", ""),
        ("/pause?session_id=a", b"", "session_id"),
        ("/resume", b'{"position": 5}', "position"),
        ("/resume?x=1", b"", "x"),
        ("/seek", b"", "position"),
        ("/seek", b"{}", "position"),
        ("/seek", b'{"position": ""}', "position"),
        ("/seek", b'{"position": -1}', "position"),
        ("/seek", b'{"position": 315360001}', "position"),
        ("/seek", b'{"position": true}', "position"),
        ("/seek", b'{"position": "1:30"}', "position"),
        ("/seek", b'{"position": 1e999}', "position"),
        ("/seek", b'{"position": 5, "session_id": "a"}', "session_id"),
        ("/seek?position=5", b'{"position": 5}', "position"),
        ("/seek", b"90", ""),
        ("/volume", b"", "volume_level"),
        ("/volume", b'{"volume_level": "", "muted": null}', "volume_level"),
        ("/volume", b'{"volume_level": 1.5}', "volume_level"),
        ("/volume", b'{"volume_level": 50}', "volume_level"),
        ("/volume", b'{"volume_level": true}', "volume_level"),
        ("/volume", b'{"muted": "loud"}', "muted"),
        ("/volume", b'{"volume_level": 0.5, "level": 1}', "level"),
        ("/volume?muted=true", b'{"muted": true}', "muted"),
        ("/screen", b"", "on"),
        ("/screen", b'{"on": null}', "on"),
        ("/screen", b'{"on": "dim"}', "on"),
        ("/screen", b'{"on": true, "level": 1}', "level"),
    ],
)
async def test_refuses_and_names_the_field(api: Served, path: str, body: bytes, field: str) -> None:
    """A body that cannot be understood is a 422 that names the field, and nothing is done."""
    answer = await post(api, path, body, status=422)
    assert answer["code"] == "invalid_request"
    assert [error["field"] for error in answer["errors"]] == [field]  # type: ignore[attr-defined]
    assert not api.tracker.controls


@pytest.mark.parametrize(
    ("path", "body", "words"),
    [
        ("/volume", b"", 'volume_level or muted is required, for example {"volume_level": 0.5}.'),
        ("/volume", b'{"volume": 0.5}', "did you mean volume_level?"),
        ("/seek", b"{}", 'position is required, for example {"position": 90}.'),
        ("/seek", b"90", 'for example {"position": 90}.'),
        ("/pause", b'{"on": true}', "on is not a known field; this call takes none."),
        ("/pause", b"yes", "Send for example {}."),
    ],
)
async def test_a_refusal_says_what_to_send(api: Served, path: str, body: bytes, words: str) -> None:
    """The sentence shows a good body of that very call."""
    assert words in str((await post(api, path, body, status=422))["detail"])


@pytest.mark.parametrize(
    ("path", "body"), [("/pause", b""), ("/seek", b'{"position": 5}'), ("/volume", b'{"muted": true}')]
)
async def test_a_player_that_hangs_is_a_504(api: Served, path: str, body: bytes) -> None:
    """If the player does not answer, the caller is told so with its code."""
    api.tracker.refusal = PlayerTimeoutError("The player did not answer within 5 s.")
    assert (await post(api, path, body, status=504))["code"] == "player_timeout"


@pytest.mark.parametrize(
    ("path", "body"), [("/pause", b""), ("/resume", b"{}"), ("/reload", b""), ("/seek", b'{"position": 5}')]
)
async def test_nothing_on_is_a_conflict(box: Tracked, path: str, body: bytes) -> None:
    """There is nothing to pause or seek while the box is idle, or while the only stream is still being prepared:
    409."""
    assert (await post(box, path, body, status=409))["code"] == "invalid_transition"
    await post(box, "/start", {"url": "http://never/"})
    assert (await post(box, path, body, status=409))["code"] == "invalid_transition"


async def test_only_a_page_is_reloaded(box: Tracked) -> None:
    await on(box)
    assert "Only a web page" in str((await post(box, "/reload", status=409))["detail"])


async def test_a_film_is_paused_and_goes_on(box: Tracked) -> None:
    """A paused film says so in its answer and in the status until it goes on; doing either twice does no harm."""
    film = await on(box)
    for _ in range(2):
        paused = await post(box, "/pause")
        assert (paused["session_id"], paused["state"]) == (film, "paused")
        assert (await status(box))["stream"]["state"] == "paused"  # type: ignore[index]
    for _ in range(2):
        assert (await post(box, "/resume"))["state"] in ("playing", "buffering")
        assert (await status(box))["stream"]["state"] in ("playing", "buffering")  # type: ignore[index]


async def test_a_film_goes_on_elsewhere(box: Tracked) -> None:
    """A film takes a seek, and its log line names the session."""
    film = await on(box)
    with capture_logs() as logs:
        assert (await post(box, "/seek", {"position": 5}))["session_id"] == film
    assert [entry["session_id"] for entry in logs if entry["event"] == "request_completed"] == [film]


async def test_the_volume_of_the_device_holds_for_what_comes(box: Tracked) -> None:
    """The volume is set with nothing on, changed while something is, and taken by a start that names none."""
    quiet = {"status": "success", "volume_level": 0.25, "muted": False}
    assert await post(box, "/volume", {"volume_level": 0.25}) == quiet
    await on(box)
    stream = (await status(box))["stream"]
    assert (stream["volume_level"], stream["muted"]) == (0.25, False)  # type: ignore[index]
    assert await post(box, "/volume", {"muted": True}) == {**quiet, "muted": True}
    now = await status(box)
    assert now["volume"] == {"volume_level": 0.25, "muted": True}
    assert (now["stream"]["volume_level"], now["stream"]["muted"]) == (0.25, True)  # type: ignore[index]


async def test_the_volume_of_a_start_is_its_own(box: Tracked) -> None:
    """A start with a volume of its own leaves that of the device as it is."""
    await on(box, volume=0.5, muted=True)
    now = await status(box)
    assert (now["stream"]["volume_level"], now["stream"]["muted"]) == (0.5, True)  # type: ignore[index]
    assert now["volume"] == {"volume_level": 1.0, "muted": False}


@pytest.mark.parametrize(("wish", "position"), [(5.0, 5.0), (90.0, 9.0)])
async def test_a_seek_is_told_at_once(wish: float, position: float) -> None:
    """The answers to the seek and to what follows it tell where it goes on, whatever the player still reports; beyond
    the end of a film that is its end."""
    async with tracked() as box:
        await post(box, "/start?wait=5", {"url": "http://film/"})
        await post(box, "/pause")
        assert (await post(box, "/seek", {"position": wish}))["position"] == position
        assert (await post(box, "/resume"))["position"] == position
        [saved] = box.tracker.saved()
        assert saved.position == position
        await asyncio.sleep(0.6)  # a look at the player (every 0.5 s) lies in between
        assert (await post(box, "/pause"))["position"] == box.players.alive[0].position


@pytest.mark.parametrize("control", ["pause", "seek"])
async def test_what_ends_while_it_is_controlled(box: Tracked, control: str) -> None:
    """Its player cannot be commanded any more: that is no fault of the player, and nothing to try again."""
    await on(box)
    control_it = box.tracker.pause(True) if control == "pause" else box.tracker.seek(5.0)
    controlling = asyncio.create_task(control_it)
    await asyncio.sleep(0)
    await box.tracker.stop()
    with pytest.raises(InvalidTransitionError, match="just ended or failed"):
        await controlling


@pytest.mark.parametrize(("path", "body"), [("/pause", {}), ("/resume", {}), ("/seek", {"position": 5})])
async def test_a_player_that_dies_while_it_is_controlled(box: Tracked, path: str, body: object) -> None:
    """It is a conflict, not a box without players: the film is taken up again, not paused and where it was."""
    film = await on(box)
    [player] = box.players.alive
    player.dies_when_told = True
    refused = await post(box, path, body, status=409)
    assert refused["code"] == "invalid_transition"
    async with asyncio.timeout(5):
        while len(box.players.alive) == 0 or (await status(box))["stream"]["state"] != "playing":  # type: ignore[index]
            await asyncio.sleep(LOOK_EVERY_S)
    stream = (await status(box))["stream"]
    assert (stream["session_id"], stream["attempt"]) == (film, 1)  # type: ignore[index]
    assert box.players.alive != [player]
