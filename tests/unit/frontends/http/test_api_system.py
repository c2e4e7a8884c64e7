"""GET /status, /health and /snapshot over a real socket."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta, timezone

import pytest

from agent.casting.saved import Volume
from agent.health import DisplayHealth, PlayerHealth
from agent.snapshot import TrackerSnapshot
from agent.stage.base import ImageFormat
from agent.types import Capability, EndReason, ErrorCode, Failure, MediaType, PlayerState, SessionState, StreamType
from cast_util.tasks import Supervisor
from tests.support.api import ScriptedStage, Served, served, session_snapshot


@pytest.fixture
async def api() -> AsyncIterator[Served]:
    async with served() as api:
        yield api


async def get(api: Served, path: str) -> dict[str, object]:
    async with api.client.get(path) as answer:
        assert answer.status == 200
        assert answer.content_type == "application/json"
        assert answer.headers["Cache-Control"] == "no-store"
        return dict(await answer.json())


async def test_status_when_idle(api: Served) -> None:
    """With nothing on, the status is idle and says who the box is."""
    assert await get(api, "/status") == {
        "status": "idle",
        "stream": None,
        "on_screen": None,
        "interrupted": [],
        "last": None,
        "volume": {"volume_level": 1.0, "muted": False},
        "screen": {"on": None},
        "device": {"id": "4f0c", "name": "Living Room", "version": "0.1.0"},
        "reporting": {
            "enabled": False,
            "connected": False,
            "last_success": None,
            "queued": 0,
            "dropped": 0,
            "url": None,
            "device_id": None,
            "stream_id": None,
            "code": None,
            "problem": None,
        },
        "webhooks": [],
        "esphome": None,
        "dlna": None,
    }


async def test_status_of_a_film(api: Served) -> None:
    """A stream that plays is told with UTC times and seconds rounded to milliseconds."""
    moment = datetime(2026, 1, 2, 4, 4, 6, 500, tzinfo=timezone(timedelta(hours=1)))
    film = session_snapshot(
        title="Film",
        session_state=SessionState.ACTIVE,
        state=PlayerState.PLAYING,
        first_frame_at=moment,
        time_to_first_frame=0.32149,
        position=12.34567,
        position_updated_at=moment,
        duration=5400.0,
        expires_at=moment,
        frames_displayed=250,
        media_type=MediaType.VIDEO,
        stream_type=StreamType.BUFFERED,
        engine="vlc",
        hardware_decoding="vaapi",
        volume_level=0.5,
        capabilities={
            "pause": Capability.AVAILABLE,
            "seek": Capability.UNSUPPORTED,
            "volume_set": Capability.AVAILABLE,
            "snapshot": Capability.UNAVAILABLE,
        },
    )
    api.tracker.state = TrackerSnapshot(stream=film, on_screen=film)
    answer = await get(api, "/status")
    assert answer["status"] == "casting"
    assert answer["on_screen"] == film.session_id
    assert answer["stream"] == {
        "session_id": film.session_id,
        "url": "http://nas/film.mp4",
        "title": "Film",
        "stream_id": None,
        "code": None,
        "video_id": None,
        "cached": False,
        "quality": "auto",
        "state": "playing",
        "session_state": "active",
        "started_at": "2026-01-02T03:04:05.678Z",
        "first_frame_at": "2026-01-02T03:04:06.000Z",
        "time_to_first_frame": 0.321,
        "position": 12.346,
        "position_updated_at": "2026-01-02T03:04:06.000Z",
        "duration": 5400.0,
        "expires_at": "2026-01-02T03:04:06.000Z",
        "frames_displayed": 250,
        "attempt": 1,
        "retry_at": None,
        "error": None,
        "capabilities": {
            "pause": "available",
            "seek": "unsupported",
            "volume_set": "available",
            "snapshot": "unavailable",
        },
        "volume_level": 0.5,
        "muted": False,
        "media_type": "video",
        "stream_type": "buffered",
        "engine": "vlc",
        "hardware_decoding": "vaapi",
    }


async def test_status_while_a_switch_is_prepared(api: Served) -> None:
    """While a new stream is prepared, it is `stream`, and `on_screen` is the old one."""
    old, new = session_snapshot(), session_snapshot()
    api.tracker.state = TrackerSnapshot(stream=new, on_screen=old, interrupted=(old,))
    answer = await get(api, "/status")
    assert answer["stream"]["session_id"] == new.session_id  # type: ignore[index]
    assert answer["on_screen"] == old.session_id
    assert [waiting["session_id"] for waiting in answer["interrupted"]] == [old.session_id]  # type: ignore[attr-defined]
    assert (await get(api, "/health"))["active_streams"] == 2


async def test_status_of_a_stream_that_is_tried_again(api: Served) -> None:
    """While a stream is taken up again, the status tells which try it is, what failed last and when the next begins."""
    moment = datetime(2026, 1, 2, tzinfo=UTC)
    error = Failure(ErrorCode.MEDIA_NETWORK, "cam.local does not answer.")
    camera = session_snapshot(state=PlayerState.BUFFERING, attempt=3, retry_at=moment, error=error)
    api.tracker.state = TrackerSnapshot(stream=camera, on_screen=camera)
    stream = (await get(api, "/status"))["stream"]
    assert isinstance(stream, dict)
    assert (stream["state"], stream["attempt"], stream["retry_at"]) == ("buffering", 3, "2026-01-02T00:00:00.000Z")
    assert stream["error"] == {"code": "media_network", "message": "cam.local does not answer."}


async def test_status_lists_what_waits(api: Served) -> None:
    """Interrupted streams are told as fully as the current one, the next to come back first."""
    bell, film, radio = session_snapshot(), session_snapshot(position=61.5), session_snapshot()
    api.tracker.state = TrackerSnapshot(stream=bell, on_screen=bell, interrupted=(film, radio))
    answer = await get(api, "/status")
    waiting, stream = answer["interrupted"], answer["stream"]
    assert isinstance(waiting, list)
    assert isinstance(stream, dict)
    assert [one["session_id"] for one in waiting] == [film.session_id, radio.session_id]
    assert waiting[0]["position"] == 61.5
    assert waiting[0].keys() == stream.keys()


async def test_status_tells_the_volume_of_the_device(api: Served) -> None:
    """The volume of the device is told also when nothing is on."""
    api.tracker.volume = Volume(0.3333333, muted=True)
    assert (await get(api, "/status"))["volume"] == {"volume_level": 0.333, "muted": True}


async def test_status_tells_how_the_last_one_ended(api: Served) -> None:
    """After a failure the status is idle and `last` has the reason, the code and the sentence."""
    last = session_snapshot(
        session_state=SessionState.ENDED,
        state=PlayerState.IDLE,
        ended_at=datetime(2026, 1, 2, tzinfo=UTC),
        reason=EndReason.FAILED,
        error=Failure(ErrorCode.MEDIA_NOT_FOUND, "The server has no such file."),
    )
    api.tracker.state = TrackerSnapshot(last=last)
    answer = await get(api, "/status")
    told = answer["last"]
    assert isinstance(told, dict)
    assert answer["status"] == "idle"
    assert (told["ended_at"], told["reason"]) == ("2026-01-02T00:00:00.000Z", "failed")
    assert told["error"] == {"code": "media_not_found", "message": "The server has no such file."}


async def test_health_when_all_is_well(api: Served) -> None:
    """With a display and a player the box is healthy, and the checks tell which."""
    assert await get(api, "/health") == {
        "status": "healthy",
        "active_streams": 0,
        "player": "available",
        "display": "available",
        "checks": {
            "display": {
                "status": "ok",
                "message": "1920x1080",
                "display": ":0",
                "width": 1920,
                "height": 1080,
                "covered": False,
            },
            "player": {
                "status": "ok",
                "message": "",
                "spare_ready": True,
                "engine": "vlc",
                "version": "3.0.24",
                "engines": {
                    "vlc": {
                        "status": "ok",
                        "message": "",
                        "spare_ready": True,
                        "version": "3.0.24",
                        "plays": ["http"],
                        "features": {"rtsp": False},
                    },
                    "mpv": {
                        "status": "fail",
                        "message": "mpv is not installed.",
                        "spare_ready": False,
                        "version": "",
                        "plays": ["rtsp"],
                        "features": {},
                    },
                },
                "features": {"rtsp": False},
            },
            "tasks": {"status": "ok", "message": ""},
            "storage": {"status": "ok", "message": ""},
            "cache": {"status": "ok", "message": ""},
        },
        "cameras": [],
        "esphome": None,
        "dlna": None,
    }


async def test_health_without_a_display(api: Served) -> None:
    """Without a display the box answers 200, is degraded and says what to do."""
    api.stage.health = DisplayHealth(available=False, message="No display. Start an X server.")
    answer = await get(api, "/health")
    assert (answer["status"], answer["display"], answer["player"]) == ("degraded", "unavailable", "available")
    assert answer["checks"]["display"]["message"] == "No display. Start an X server."  # type: ignore[index]


async def test_health_without_a_player(api: Served) -> None:
    """If players cannot be started, the box is degraded and says why."""
    api.players.health = PlayerHealth(available=False, message="libVLC is missing. Install it.")
    answer = await get(api, "/health")
    assert (answer["status"], answer["player"]) == ("degraded", "unavailable")
    assert answer["checks"]["player"]["status"] == "fail"  # type: ignore[index]


async def test_health_while_a_part_of_the_agent_fails() -> None:
    """A long-lived task that keeps failing makes the box degraded, and is named."""
    supervisor = Supervisor()

    async def fail() -> None:
        raise RuntimeError("no such luck")

    task = supervisor.start(fail, name="saver")
    async with served(supervisor=supervisor) as api:
        answer = await get(api, "/health")
        assert answer["status"] == "degraded"
        assert answer["checks"]["tasks"]["status"] == "fail"  # type: ignore[index]
        assert "saver (RuntimeError)" in answer["checks"]["tasks"]["message"]  # type: ignore[index]
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert (await get(api, "/health"))["status"] == "healthy"


async def test_live(api: Served) -> None:
    """The liveness call answers as long as the event loop turns."""
    assert await get(api, "/health/live") == {"status": "alive", "auth": "closed"}


@pytest.mark.parametrize(
    ("query", "accept", "image_format"),
    [
        ("", "*/*", "png"),
        ("", "image/jpeg", "jpeg"),
        ("", "image/webp, image/jpeg;q=0.5, image/png;q=0.9", "png"),
        ("", "image/jpeg;q=x", "png"),
        ("?format=jpeg", "image/png", "jpeg"),
        ("?format=PNG&t=17", "image/jpeg", "png"),
    ],
)
async def test_snapshot_formats(api: Served, query: str, accept: str, image_format: str) -> None:
    """The picture is a PNG unless the query or Accept asks for a JPEG, and nobody may show it again unasked."""
    async with api.client.get(f"/snapshot{query}", headers={"Accept": accept}) as answer:
        assert answer.status == 200
        assert answer.content_type == f"image/{image_format}"
        assert answer.headers["Cache-Control"] == "private, no-cache"
        assert await answer.read() == f"picture as {image_format}".encode()


async def test_snapshot_in_an_unknown_format(api: Served) -> None:
    """A format that there is not is a 422 that names the ones there are."""
    async with api.client.get("/snapshot?format=gif") as answer:
        assert answer.status == 422
        assert (await answer.json())["errors"] == [{"field": "format", "message": "must be png or jpeg"}]


async def test_snapshot_without_a_display(api: Served) -> None:
    """Without a display there is no picture but a 503 that says what to do."""
    api.stage.health = DisplayHealth(available=False, message="No display. Start an X server.")
    async with api.client.get("/snapshot") as answer:
        assert answer.status == 503
        assert "Retry-After" in answer.headers
        assert (await answer.json())["detail"] == "No display. Start an X server."


async def test_snapshot_of_a_display_that_hangs(api: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    """A display that does not answer is given up in time."""

    async def hang(self: ScriptedStage, image_format: ImageFormat = "png", *, width: int | None = None) -> bytes:
        await asyncio.Event().wait()
        raise AssertionError

    monkeypatch.setattr(ScriptedStage, "snapshot", hang)
    monkeypatch.setattr("agent.stage.snapshots.SNAPSHOT_TIMEOUT_S", 0.05)
    async with api.client.get("/snapshot") as answer:
        assert answer.status == 503
        assert (await answer.json())["code"] == "player_unavailable"
