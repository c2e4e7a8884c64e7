"""The casting service as a face without HTTP uses it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from agent.casting.limits import Limits
from agent.casting.parts import SessionParts
from agent.casting.service import CastingService
from agent.casting.tracker import StreamTracker
from agent.casting.wish import Wish
from agent.errors import AgentError, InvalidRequestError
from agent.media.policy import MediaChecks
from agent.media.redaction import redact
from agent.media.urls import MediaPolicy
from agent.types import ErrorCode, PlayerState, Quality, SessionState, ShownAs
from tests.support.fakes import FakePlayers, FakeStage

FILM, BELL = "http://film/one.mp4", "http://film/two.mp4"


class Remote:
    """A face of four buttons: it holds no rule of its own, and shows an error by its code."""

    def __init__(self, casting: CastingService) -> None:
        self.casting = casting
        self.kept = 0

    async def press(self, button: str, **values: object) -> str:
        try:
            match button:
                case "play":
                    return (await self.casting.start(Wish(**values), wait_s=2.0)).session_id  # type: ignore[arg-type]
                case "jump":
                    await self.casting.seek(90.0)
                case "stop":
                    return str(len(await self.casting.stop(**values)))  # type: ignore[arg-type]
        except AgentError as error:
            return error.failure.code.value
        return "done"


@pytest.fixture
async def remote() -> AsyncIterator[Remote]:
    players = FakePlayers()
    tracker = StreamTracker(
        SessionParts(players, FakeStage(players), redact), limits=Limits(start_timeout=5.0, stall_timeout=5.0)
    )

    async def kept() -> None:
        face.kept += 1

    casting = CastingService(tracker, policy=MediaChecks(MediaPolicy()), default_quality=lambda: Quality.HD, kept=kept)
    face = Remote(casting)
    yield face
    await tracker.close()


async def test_a_face_starts_extends_interrupts_seeks_and_stops(remote: Remote) -> None:
    film = await remote.press("play", url=FILM, duration=60.0)
    first = remote.casting.snapshot().stream
    assert first is not None
    assert (first.session_id, first.quality) == (film, Quality.HD)
    assert await remote.press("play", session_id=film, duration=600.0) == film
    longer = remote.casting.snapshot().stream
    assert longer is not None
    assert longer.expires_at is not None
    assert first.expires_at is not None
    assert (longer.expires_at - first.expires_at).total_seconds() == pytest.approx(540, abs=5)
    assert await remote.press("jump") == "done"

    bell = await remote.press("play", url=BELL, interrupt=True)
    now = remote.casting.snapshot()
    assert now.on_screen is not None
    assert (now.on_screen.session_id, [one.session_id for one in now.interrupted]) == (bell, [film])
    assert await remote.press("stop") == "1"
    async with asyncio.timeout(5):
        while (back := remote.casting.snapshot().on_screen) is None or back.session_id != film:
            await asyncio.sleep(0.01)
    assert await remote.press("stop", everything=True) == "1"
    assert remote.casting.snapshot().stream is None


async def test_whatever_changes_is_kept_before_the_face_is_answered(remote: Remote) -> None:
    film = await remote.press("play", url=FILM)
    assert remote.kept == 1
    await remote.press("play", session_id=film, title="Film")
    await remote.casting.set_volume(0.5, None)
    await remote.casting.pause(True)
    await remote.press("stop")
    assert remote.kept == 5


@pytest.mark.parametrize(
    ("button", "values", "code"),
    [
        ("play", {"url": "file:///etc/passwd"}, ErrorCode.INVALID_REQUEST),
        ("play", {}, ErrorCode.INVALID_REQUEST),
        ("play", {"url": FILM, "code": "ABCDEF"}, ErrorCode.INVALID_REQUEST),
        ("play", {"session_id": "gone", "title": "x"}, ErrorCode.SESSION_NOT_FOUND),
        ("play", {"code": "ABCDEF"}, ErrorCode.NOT_SUPPORTED),
        ("jump", {}, ErrorCode.INVALID_TRANSITION),
        ("stop", {"session_id": "a", "everything": True}, ErrorCode.INVALID_REQUEST),
    ],
)
async def test_a_face_gets_the_errors_that_http_gets(
    remote: Remote, button: str, values: dict[str, object], code: ErrorCode
) -> None:
    assert await remote.press(button, **values) == code.value


async def test_two_things_to_play_are_refused_by_field(remote: Remote) -> None:
    with pytest.raises(InvalidRequestError) as refused:
        await remote.casting.start(Wish(url=FILM, code="ABCDEF", stream_id="s"))
    assert [error.field for error in refused.value.errors] == ["code", "stream_id"]


@pytest.mark.parametrize("url", ["chrome://version", "127.0.0.1:8123/x", "rtsp://camera/1", "file:///srv/x.html"])
async def test_an_address_that_can_be_no_page_is_told_what_one_is(remote: Remote, url: str) -> None:
    """Not which schemes there are for streams."""
    with pytest.raises(InvalidRequestError, match=r"^url must begin with http:// or https:.*http://panel") as refused:
        await remote.casting.start(Wish(url=url, shown_as=ShownAs.PAGE))
    assert [error.field for error in refused.value.errors] == ["url"]


async def test_a_start_that_is_not_waited_for_is_answered_before_its_first_frame(remote: Remote) -> None:
    seen: list[str] = []
    answer = await remote.casting.start(Wish(url=FILM), accepted=seen.append)
    stream = remote.casting.snapshot().stream
    assert stream is not None
    assert seen == [answer.session_id] == [stream.session_id]
    assert (stream.session_state is SessionState.ACTIVE, stream.state is PlayerState.PLAYING) == (False, False)
