"""POST /start over a real socket."""

from __future__ import annotations

import asyncio
import gzip
import json
import threading
from collections.abc import AsyncIterator
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agent.errors import (
    InvalidTransitionError,
    MediaError,
    PlayerTimeoutError,
    PlayerUnavailableError,
    ReplacedError,
    StreamNotFoundError,
)
from agent.media.urls import MediaPolicy
from agent.page_options import PageOptions
from agent.snapshot import TrackerSnapshot
from agent.types import ErrorCode, Quality, ShownAs, StartRequest, StreamRef
from tests.support.api import Served, served, session_snapshot

URL = "http://nas/film.mp4"
STREAM_ID = "01a1fd25-6d69-73bd-a89e-8f373f2727e7"


@pytest.fixture
async def api() -> AsyncIterator[Served]:
    async with served() as api:
        yield api


async def start(api: Served, body: object, *, query: str = "", status: int = 200) -> dict[str, object]:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    async with api.client.post(f"/start{query}", data=data) as answer:
        assert answer.status == status, await answer.text()
        assert answer.content_type == "application/json"
        return dict(await answer.json())


async def test_answers_as_soon_as_it_is_accepted(api: Served) -> None:
    """A start answers with a new session id without waiting for media, and plays with the configured defaults; the
    volume and mute that it does not name are left to the device."""
    answer = await start(api, {"url": URL})
    assert answer == {"status": "success", "session_id": answer["session_id"]}
    assert UUID(str(answer["session_id"]))
    assert api.tracker.requests == [StartRequest(url=URL, quality=Quality.HD, volume=None, muted=None)]


@pytest.mark.parametrize("content_type", ["application/octet-stream", "text/plain", "image/png; charset=utf-16", ""])
async def test_content_type_does_not_matter(api: Served, content_type: str) -> None:
    """The body is read as JSON whatever its Content-Type says, because Home Assistant's default is not JSON."""
    body = json.dumps({"url": URL}).encode()
    async with api.client.post("/start", data=body, headers={"Content-Type": content_type}) as answer:
        assert answer.status == 200


LOOK = '{"zoom": "1.5", "scroll": 80, "dark": "on", "css": "h1 {color: red}", "language": "pt-BR", "time_zone": ""}'
"""The output of a template: text, and empty where it has nothing to say."""


async def test_takes_every_field(api: Served) -> None:
    """All fields reach the tracker: those of a film, and those of a page."""
    body = {"url": URL, "quality": "1080p", "duration": 30, "title": "Door", "volume": 0.5, "muted": True}
    await start(api, body | {"interrupt": True, "position": 90.5, "loop": True, "refresh": "10"})
    await start(api, {"url": URL, "loop": False, "as": "Page", "page": LOOK})
    assert api.tracker.requests == [
        StartRequest(
            url=URL,
            quality=Quality.FULL_HD,
            duration=30.0,
            title="Door",
            volume=0.5,
            muted=True,
            interrupt=True,
            position=90.5,
            loop=True,
            refresh=10.0,
        ),
        StartRequest(
            url=URL,
            quality=Quality.HD,
            shown_as=ShownAs.PAGE,
            page=PageOptions(zoom=1.5, scroll=80, dark=True, css="h1 {color: red}", language="pt-BR"),
        ),
    ]


async def test_takes_what_templates_make(api: Served) -> None:
    """Numbers and switches that arrive as strings are understood."""
    body = {"url": URL, "quality": " Low-Latency ", "duration": "5", "volume": " 0.5 ", "muted": "on"}
    await start(api, body | {"interrupt": "True", "position": "-0", "loop": "off"})
    assert api.tracker.requests == [
        StartRequest(
            url=URL, quality=Quality.LOW_LATENCY, duration=5.0, volume=0.5, muted=True, interrupt=True, loop=False
        )
    ]
    assert str(api.tracker.requests[0].position) == "0.0"


@pytest.mark.parametrize("empty", ["", "  ", None])
async def test_an_empty_field_counts_as_left_out(api: Served, empty: object) -> None:
    """Optional fields that are an empty string or null are the same as absent."""
    optional = (
        "quality",
        "duration",
        "title",
        "volume",
        "muted",
        "interrupt",
        "position",
        "loop",
        "refresh",
        "as",
        "page",
        "session_id",
    )
    await start(api, {"url": URL} | dict.fromkeys((*optional, "code", "stream_id"), empty))
    assert api.tracker.requests == [StartRequest(url=URL, quality=Quality.HD)]


@pytest.mark.parametrize("typed", ["K7QF2M", "k7q-f2m", " K7Q F2M ", "k7_qf_2m", 234567])
async def test_a_code_as_people_type_it(api: Served, typed: object) -> None:
    """A code may have lower case, blanks and dashes, or be the number that a template makes of digits."""
    await start(api, {"code": typed, "url": "", "duration": 5})
    code = "234567" if typed == 234567 else "K7QF2M"
    assert api.tracker.requests == [StartRequest(join=StreamRef(code=code), quality=Quality.HD, duration=5.0)]


async def test_a_stream_that_is_not_there(api: Served) -> None:
    """A start by id answers when it is known whether there is such a stream, and names the session that it made."""
    api.tracker.lookup = StreamNotFoundError("No stream with the id is on.")
    answer = await start(api, {"stream_id": STREAM_ID.upper()}, status=404)
    assert api.tracker.requests == [StartRequest(join=StreamRef(stream_id=STREAM_ID), quality=Quality.HD)]
    assert api.tracker.state.stream is not None
    assert (answer["code"], answer["session_id"]) == ("stream_not_found", api.tracker.state.stream.session_id)
    await start(api, {"url": URL})


@pytest.mark.parametrize("word", [("true", True), ("Yes", True), ("1", True), (1, True), ("off", False), (0, False)])
async def test_switch_words(api: Served, word: tuple[object, bool]) -> None:
    """`muted` takes the words that Home Assistant's templates make."""
    await start(api, {"url": URL, "muted": word[0]})
    assert api.tracker.requests[0].muted is word[1]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "url"),
        ({"url": ""}, "url"),
        ({"url": None}, "url"),
        ({"url": 7}, "url"),
        ({"url": ["http://x/"]}, "url"),
        ({"url": "film.mp4"}, "url"),
        ({"url": "javascript://x"}, "url"),
        ({"url": "file:///etc/passwd"}, "url"),
        ({"url": "http://nas/\ud800"}, "url"),
        ({"url": "http://nas/" + "x" * 5000}, "url"),
        ({"code": "K7Q"}, "code"),
        ({"code": "K7QF2M/../x"}, "code"),
        ({"code": ["K7QF2M"]}, "code"),
        ({"code": True}, "code"),
        ({"code": "K7QF2M", "url": URL}, "code"),
        ({"code": "K7QF2M", "stream_id": STREAM_ID}, "stream_id"),
        ({"stream_id": "K7QF2M"}, "stream_id"),
        ({"stream_id": STREAM_ID, "url": URL}, "stream_id"),
        ({"code": "K7QF2M", "session_id": STREAM_ID}, "code"),
        ({"url": URL, "quality": "4k"}, "quality"),
        ({"url": URL, "quality": 720}, "quality"),
        ({"url": URL, "duration": 0}, "duration"),
        ({"url": URL, "duration": -1}, "duration"),
        ({"url": URL, "duration": True}, "duration"),
        ({"url": URL, "duration": "1_0"}, "duration"),
        ({"url": URL, "duration": "inf"}, "duration"),
        ({"url": URL, "duration": "٣"}, "duration"),
        ({"url": URL, "duration": 3651 * 86400}, "duration"),
        ({"url": URL, "duration": 10**400}, "duration"),
        ({"url": URL, "duration": [5]}, "duration"),
        ({"url": URL, "title": "x" * 201}, "title"),
        ({"url": URL, "title": "a\nb"}, "title"),
        ({"url": URL, "title": "a\ud800"}, "title"),
        ({"url": URL, "title": 5}, "title"),
        ({"url": URL, "volume": 1.01}, "volume"),
        ({"url": URL, "volume": "50%"}, "volume"),
        ({"url": URL, "volume": -0.1}, "volume"),
        ({"url": URL, "muted": "maybe"}, "muted"),
        ({"url": URL, "muted": 2}, "muted"),
        ({"url": URL, "interrupt": "perhaps"}, "interrupt"),
        ({"url": URL, "interrupt": 5}, "interrupt"),
        ({"url": URL, "position": -0.5}, "position"),
        ({"url": URL, "position": "1:30"}, "position"),
        ({"url": URL, "position": 3651 * 86400}, "position"),
        ({"url": URL, "position": False}, "position"),
        ({"url": URL, "loop": []}, "loop"),
        ({"url": URL, "refresh": 0.5}, "refresh"),
        ({"url": URL, "refresh": 86401}, "refresh"),
        ({"url": URL, "refresh": "often"}, "refresh"),
        ({"url": URL, "as": "film"}, "as"),
        ({"url": "rtsp://camera/1", "as": "page"}, "url"),
        ({"code": "K7QF2M", "as": "page"}, "as"),
        ({"url": URL, "page": {"zoom": 2}}, "page"),
        ({"url": URL, "as": "page", "page": "large"}, "page"),
        ({"url": URL, "as": "page", "page": {"zom": 2}}, "page.zom"),
        ({"url": URL, "as": "page", "page": {"zoom": 9}}, "page.zoom"),
        ({"url": URL, "as": "page", "page": {"scroll": 1.5}}, "page.scroll"),
        ({"url": URL, "as": "page", "page": {"css": "x" * 10_001}}, "page.css"),
        ({"url": URL, "as": "page", "page": {"language": "German"}}, "page.language"),
        ({"url": URL, "as": "page", "page": {"time_zone": "../zone"}}, "page.time_zone"),
        ({"url": URL, "as": "page", "page": {"time_zone": "Berlin"}}, "page.time_zone"),
        ({"url": URL, "as": "page", "page": {"time_zone": "Europe"}}, "page.time_zone"),
        ({"url": URL, "as": "page", "page": {"user_agent": "Wänd"}}, "page.user_agent"),
        ({"url": URL, "as": "page", "quality": "720p"}, "quality"),
        ({"url": URL, "as": "page", "position": 90}, "position"),
        ({"url": URL, "as": "page", "page": {"seconds": 10}}, "page.seconds"),
        ({"url": URL, "as": "page", "page": {"seconds": 10, "then": []}}, "page.seconds"),
        ({"url": URL, "as": "page", "page": {"seconds": 10, "then": "b"}}, "page.then"),
        ({"url": URL, "\ud800": 1}, "\ud800"),
        (b'{"url": "http://nas/x", "volume": NaN}', ""),
        (b'{"url": "http://nas/x", "volume": 1e999}', "volume"),
        (b'{"duration": ' + b"9" * 5000 + b"}", ""),
        (b"[" * 30000, ""),
        (b'{"url":' * 9000, ""),
        (b"url=http://nas/film.mp4", ""),
        (b'"http://nas/film.mp4"', ""),
        (b"[]", ""),
        (b"null", ""),
        (b"\xff\xfe", ""),
        ('{"url": "http://nas/film.mp4"}'.encode("utf-16"), ""),
    ],
)
async def test_refuses_and_names_the_field(api: Served, body: object, field: str) -> None:
    """A body that cannot be understood is a 422 that names the field, and nothing is started."""
    answer = await start(api, body, status=422)
    assert answer["code"] == "invalid_request"
    assert [error["field"] for error in answer["errors"]] == [field]  # type: ignore[attr-defined]
    assert not api.tracker.requests


async def test_names_every_wrong_field_at_once(api: Served) -> None:
    """All that is wrong is told in one answer, with the mend for a slip of the pen."""
    answer = await start(api, {"qualty": "720p", "volume": 2, "muted": "x"}, status=422)
    errors = {error["field"]: error["message"] for error in answer["errors"]}  # type: ignore[attr-defined]
    assert errors.keys() == {"url", "volume", "muted", "qualty"}
    assert "did you mean quality?" in errors["qualty"]


async def test_thousands_of_unknown_fields_are_answered_shortly(api: Served) -> None:
    """A body full of unknown fields does not make a long answer."""
    answer = await start(api, {f"urk{number}": 1 for number in range(4000)}, status=422)
    assert len(answer["errors"]) == 20  # type: ignore[arg-type]


async def test_a_refusal_repeats_no_password(api: Served) -> None:
    """Values are never repeated in an error, because a URL may hold a password."""
    answer = await start(api, {"url": "foo://me:hunter2@cam/1", "title": "hunter2\n" * 99}, status=422)
    answer_to_url = await start(api, {"url": "foo://me:hunter2@cam/1"}, status=422)
    assert "hunter2" not in json.dumps([answer, answer_to_url])


@pytest.mark.parametrize("body", [b"", b"  \n", b"\xef\xbb\xbf"])
async def test_an_empty_body_is_told_what_to_send(api: Served, body: bytes) -> None:
    """An empty body gives an example of a good one."""
    answer = await start(api, body, status=422)
    assert '{"url":' in str(answer["detail"])


async def test_a_large_body_is_refused(api: Served) -> None:
    """More than 64 KiB is a 413, with and without a Content-Length, and also when it is small until unpacked."""
    body = json.dumps({"url": URL, "title": "x" * 70_000}).encode()

    async def pieces() -> AsyncIterator[bytes]:
        for begin in range(0, len(body), 10_000):
            yield body[begin : begin + 10_000]

    assert (await start(api, body, status=413))["code"] == "payload_too_large"
    async with api.client.post("/start", data=pieces()) as answer:
        assert answer.status == 413
    bomb = gzip.compress(b" " * 50_000_000)
    async with api.client.post("/start", data=bomb, headers={"Content-Encoding": "gzip"}) as answer:
        assert answer.status == 413
    assert (await start(api, {"url": URL}))["status"] == "success"


async def test_a_broken_encoding_is_refused(api: Served) -> None:
    """A body whose compression or chunks are broken is the caller's mistake, not ours."""
    async with api.client.post("/start", data=b"not gzip", headers={"Content-Encoding": "gzip"}) as answer:
        assert 400 <= answer.status < 500
    raw = await api.raw(b"POST /start HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nx\r\n")
    assert raw.split(b" ")[1] == b"400"


async def test_a_body_that_does_not_come_is_given_up(api: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    """A caller that keeps its body back is answered when the time for reading is over, and let go."""
    monkeypatch.setattr("agent.frontends.http.body.READ_TIMEOUT_S", 0.2)
    raw = await api.raw(b"POST /start HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 20\r\n\r\n{")
    assert raw.startswith(b"HTTP/1.1 408")
    assert b'"code": "invalid_request"' in raw


async def test_waits_for_the_first_frame(api: Served) -> None:
    """With `wait` the answer comes at the first frame and tells how long that took."""
    waiting = asyncio.create_task(start(api, {"url": URL}, query="?wait=5"))
    await api.tracker.waiting.wait()
    api.tracker.outcome.set_result(session_snapshot(time_to_first_frame=0.12345))
    answer = await waiting
    assert answer["status"] == "success"
    assert answer["time_to_first_frame"] == 0.123


async def test_waits_no_longer_than_it_is_told(api: Served) -> None:
    """If the time is over before the first frame, the answer is `pending` with the session id."""
    answer = await start(api, {"url": URL}, query="?wait=0.05")
    assert answer["status"] == "pending"
    assert UUID(str(answer["session_id"]))


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (MediaError(ErrorCode.MEDIA_UNAUTHORIZED, "the camera answered 401"), 502, "media_unauthorized"),
        (PlayerTimeoutError("the player hangs"), 504, "player_timeout"),
        (PlayerUnavailableError("no display"), 503, "player_unavailable"),
        (ReplacedError("a newer start took its place"), 409, "replaced"),
        (InvalidTransitionError("it was stopped"), 409, "invalid_transition"),
    ],
)
async def test_who_waits_is_told_the_failure(api: Served, error: Exception, status: int, code: str) -> None:
    """A start that fails while somebody waits is answered with its code, its sentence and its session."""
    api.tracker.outcome.set_exception(error)
    answer = await start(api, {"url": URL}, query="?wait=5", status=status)
    assert (answer["code"], answer["detail"]) == (code, str(error))
    assert UUID(str(answer["session_id"]))


@pytest.mark.parametrize("query", ["wait=0", "wait=61", "wait=x", "wait=nan", "wait=-1", "wait=1&wait=2", "wiat=3"])
async def test_a_bad_query_is_refused(api: Served, query: str) -> None:
    """A wrong `wait` or an unknown query parameter is a 422 that names it."""
    answer = await start(api, {"url": URL}, query=f"?{query}", status=422)
    assert [error["field"] for error in answer["errors"]] == [query[:4]]  # type: ignore[attr-defined]
    assert not api.tracker.requests


async def test_hanging_up_while_waiting_changes_nothing(api: Served) -> None:
    """A caller that waits and hangs up neither stops the session nor disturbs the server."""
    reader, writer = await asyncio.open_connection(api.host, api.port)
    body = json.dumps({"url": URL}).encode()
    head = f"POST /start?wait=30 HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {len(body)}\r\n\r\n"
    writer.write(head.encode() + body)
    await api.tracker.waiting.wait()
    writer.transport.abort()
    assert (await start(api, {"url": URL}))["status"] == "success"
    api.tracker.outcome.set_result(session_snapshot(time_to_first_frame=1.0))
    await asyncio.wait_for(api.tracker.waited.wait(), 5)
    assert not api.tracker.stops
    assert await reader.read() == b""


async def test_no_player_is_a_503(api: Served) -> None:
    """Without a display a start is a 503 that says what to do and when to try again."""
    api.tracker.refusal = PlayerUnavailableError("There is no display. Start an X server.")
    async with api.client.post("/start", json={"url": URL}) as answer:
        assert answer.status == 503
        assert int(answer.headers["Retry-After"]) > 0
        assert (await answer.json())["code"] == "player_unavailable"


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(), max_size=30),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(st.characters(), max_size=8), inner, max_size=3)
    ),
    max_leaves=8,
)
names = st.sampled_from(
    [
        "url",
        "code",
        "stream_id",
        "quality",
        "duration",
        "title",
        "volume",
        "muted",
        "interrupt",
        "position",
        "loop",
        "refresh",
        "as",
        "page",
        "session_id",
        "all",
        "volume_level",
        "URL",
    ]
)
urls = st.sampled_from([URL, "rtsp://u:p@cam/1", "file:///x", "http://[::1", "http://\ud800/", "udp://@:99999"])
bodies = st.one_of(
    st.binary(max_size=200),
    json_values.map(lambda value: json.dumps(value).encode()),
    st.dictionaries(names | st.text(st.characters(), max_size=8), json_values | urls, max_size=7).map(
        lambda value: json.dumps(value).encode()
    ),
)


@settings(max_examples=500, deadline=None, suppress_health_check=list(HealthCheck))
@given(body=bodies, path=st.sampled_from(["/start", "/stop", "/pause", "/resume", "/seek", "/volume"]))
async def test_no_body_is_ever_our_mistake(api: Served, body: bytes, path: str) -> None:
    """Whatever is sent to any call, the answer is JSON and says success or names the caller's mistake."""
    api.tracker.state = TrackerSnapshot(stream=session_snapshot())
    async with api.client.post(path, data=body) as answer:
        text = await answer.text()
        assert answer.status in (200, 422), (body, text)
        assert json.loads(text)["status"] in ("success", 422)
    async with api.client.get("/status") as answer:
        assert answer.status == 200, (body, await answer.text())


async def test_a_file_is_looked_for_beside_the_event_loop(api: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that does not answer holds nobody else up, and is told to the caller in time."""
    released = threading.Event()

    def hang(self: MediaPolicy, url: str) -> str:
        released.wait(10)
        return url

    monkeypatch.setattr(MediaPolicy, "check", hang)
    monkeypatch.setattr("agent.media.policy.FILE_CHECK_TIMEOUT_S", 0.2)
    try:
        waiting = asyncio.create_task(start(api, {"url": " File:///nas/film.mp4"}, status=422))
        async with api.client.get("/status") as answer:
            assert answer.status == 200
        assert not waiting.done()
        assert "disk" in str((await waiting)["detail"])
    finally:
        released.set()


async def test_a_title_loses_what_cannot_be_seen(api: Served) -> None:
    """Marks of the writing direction come with titles of media; joiners, which words and emoji need, stay."""
    title = "\u202eDoor\u200b \u2066bell\u2069 \U0001f468\u200d\U0001f469"
    await start(api, {"url": URL, "title": title})
    assert api.tracker.requests[-1].title == "Door bell \U0001f468\u200d\U0001f469"
