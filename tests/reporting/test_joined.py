"""Streams of the central API, joined by code or id: found, followed, and played on when nobody can be asked."""

from __future__ import annotations

import asyncio
import json
import signal
import time
from pathlib import Path

import pytest

from agent.casting import joined_source as joined
from agent.casting import retry
from agent.persistence.session_file import FILE as WANTED_FILE
from agent.reporting import reporter
from agent.reporting.central import lookup
from agent.reporting.central import state_reporter as presence
from agent.reporting.central.enrol import enrol
from agent.types import ErrorCode
from cast_util.backoff import Backoff
from tests.central.support.process import CentralProcess
from tests.central.support.service import Answered
from tests.reporting.support.admin import Admin
from tests.reporting.support.life import life
from tests.reporting.support.proxy import BLACK_HOLE, FINE, GARBAGE, Fault, Proxy, http
from tests.reporting.support.publisher import publish
from tests.support.fakes import SCRIPTS, Script

AT_MOST_S = 5.0
"""For an answer that takes 2 s at most, on a busy machine."""

LIVE, BROKEN, NEVER = Script(), SCRIPTS["broken"], SCRIPTS["never"]
GONE = Script(opens_after=None, fails_after=0.05, fails_with=ErrorCode.MEDIA_NOT_FOUND)
PROBLEM = '{"code": "%s", "detail": "The reason."}'
BUSY = http(429, PROBLEM % "too_many_requests", Retry_After="7")


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pauses short enough to be waited for. The media server's cameras play."""
    monkeypatch.setattr(presence, "COALESCE_S", 0.1)
    monkeypatch.setattr(reporter, "LOOK_S", 0.1)
    monkeypatch.setattr(joined, "FOLLOW_S", 0.1)
    monkeypatch.setitem(SCRIPTS, "camera", LIVE)


@pytest.fixture
def unasked(monkeypatch: pytest.MonkeyPatch) -> None:
    """The central API is asked when something happens, and not in between."""
    monkeypatch.setattr(joined, "FOLLOW_S", 3600.0)


@pytest.fixture
async def state(proxy: Proxy, enrolment_token: str, tmp_path: Path) -> Path:
    """The state directory of a box that is registered, behind the proxy."""
    await enrol(proxy.url, enrolment_token, folder=tmp_path / "state", name="Kitchen")
    return tmp_path / "state"


async def started(box_id: str, admin: Admin, url: str, **fields: str) -> Answered:
    """The stream of another box that shows `url`."""
    return await admin("POST", "/api/v1/streams", {"device_id": box_id, "url": url, **fields})


@pytest.fixture
async def other_box(central: CentralProcess, enrolment_token: str, tmp_path: Path) -> str:
    done = await enrol(central.url, enrolment_token, folder=tmp_path / "other", name="Hall")
    return done.enrolment.device_id


# --- found ---


async def test_a_publisher_is_played_by_its_code(admin: Admin, state: Path) -> None:
    """However it is typed; over RTSP, with what the media server may ask viewers for, which nobody is shown. The code
    of what was joined is not that under which this box itself is joined."""
    publisher = await publish(admin)
    typed = f"{publisher.code[:3].lower()}-{publisher.code[3:].lower()} "
    async with life(state) as kitchen:
        answer = await kitchen.start(code=typed, title="Front door")
        assert (answer.status, answer["status"]) == (200, "success")
        assert kitchen.on is not None
        assert kitchen.on.session_id == answer["session_id"]
        assert (kitchen.on.code, kitchen.on.stream_id) == (publisher.code, publisher.stream_id)
        assert kitchen.on.url == f"rtsp://camera/{publisher.path}"
        assert await kitchen.box.tracker.first_frame(kitchen.on.session_id, 5.0)
        assert kitchen.plays == f"rtsp://code:{publisher.code}@camera/{publisher.path}"
        own = await kitchen.box.code()
        async with kitchen.client.get("/status") as told:
            status = await told.json()
        assert (status["stream"]["code"], status["stream"]["stream_id"]) == (publisher.code, publisher.stream_id)
        assert status["stream"]["title"] == "Front door"
        assert (status["reporting"]["code"], own != publisher.code) == (own, True)
        await kitchen.play(url="http://film/")
        assert kitchen.on is not None
        assert (kitchen.on.code, kitchen.on.stream_id) == (None, None)


async def test_what_another_box_shows_is_played_by_its_id(admin: Admin, state: Path, other_box: str) -> None:
    """With its title, unless the start names one; all that a start can say holds."""
    stream = await started(other_box, admin, "http://film/one.mp4", title="A film")
    async with life(state) as kitchen:
        await kitchen.play(stream_id=stream["id"].upper(), volume=0.3, duration=60, position=4)
        assert kitchen.on is not None
        assert (kitchen.on.url, kitchen.on.title, kitchen.on.volume_level) == ("http://film/one.mp4", "A film", 0.3)
        assert kitchen.on.expires_at is not None
        assert kitchen.on.code == stream["code"]
        assert kitchen.plays == "http://film/one.mp4"


async def test_what_another_box_has_a_password_for_cannot_be_joined(
    admin: Admin, state: Path, other_box: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody who has the code alone can know this, so the error says it."""
    refused = Script(opens_after=None, fails_after=0.1, fails_with=ErrorCode.MEDIA_UNAUTHORIZED)
    monkeypatch.setitem(SCRIPTS, "locked", refused)
    stream = await started(other_box, admin, "http://locked/camera")
    async with life(state) as kitchen:
        answer = await kitchen.start("?wait=10", code=stream["code"])
        assert (answer.status, answer["code"]) == (502, "media_unauthorized")
        assert answer["detail"].startswith("scripted The box that shows it does not share its password")
        answer = await kitchen.start("?wait=10", url="http://locked/camera")
        assert answer["detail"] == "scripted"


async def test_an_unknown_code_changes_nothing(admin: Admin, state: Path) -> None:
    """Neither one that never was nor one whose stream has ended; who asks is told, and what is on stays on."""
    publisher = await publish(admin)
    await publisher.stop()
    async with life(state) as kitchen:
        film = await kitchen.play(url="http://film/")
        for body in ({"code": "222222"}, {"code": publisher.code}, {"stream_id": publisher.stream_id}):
            answer = await kitchen.start(**body)
            assert (answer.status, answer["code"]) == (404, "stream_not_found"), answer.body
            assert "may also have ended" in answer["detail"]
            assert (await kitchen.start("?wait=5", **body)).status == 404
        assert kitchen.on is not None
        assert (kitchen.on.session_id, len(kitchen.box.players.players)) == (film, 1)
        await kitchen.box.connected()
        device_id = kitchen.box.status.device_id
        assert device_id is not None
    kinds = [event["kind"] for event in await admin.events(device_id)]
    assert kinds == ["agent_started", "session_started", "first_frame"]


async def test_a_box_without_a_central_api_says_how_to_get_one(tmp_path: Path) -> None:
    """Not implemented here, with the command that changes that."""
    async with life(tmp_path) as kitchen:
        answer = await kitchen.start(code="K7QF2M")
        assert (answer.status, answer["code"]) == (501, "not_supported")
        assert "cast-agent enrol --central" in answer["detail"]


async def test_a_box_that_could_not_register_says_why(tmp_path: Path, central: CentralProcess) -> None:
    """Not that it has no central API: the configuration names one."""
    async with life(tmp_path, url=central.url) as kitchen:
        answer = await kitchen.start(code="K7QF2M")
        assert answer["detail"].startswith(f"This box is not registered at {central.url}. Run cast-agent enrol")
    async with life(tmp_path, url=central.url, token="et_" + "x" * 43) as kitchen:
        answer = await kitchen.start(code="K7QF2M")
        assert (answer.status, answer["code"]) == (501, "not_supported")
        assert answer["detail"].startswith("The central API rejects the enrolment token")


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(BLACK_HOLE, id="black hole"),
        pytest.param(GARBAGE, id="garbage"),
        pytest.param(Fault(reset=True), id="reset"),
        pytest.param(Fault(delay_s=30), id="slow"),
        pytest.param(http(500), id="500"),
        pytest.param(http(401, PROBLEM % "unauthorized"), id="401"),
        pytest.param(http(410), id="410"),
        pytest.param(BUSY, id="429"),
        pytest.param(http(200, "{}"), id="nonsense"),
        pytest.param(http(404, "nginx"), id="no central API"),
    ],
)
async def test_a_central_api_that_cannot_tell(admin: Admin, state: Path, proxy: Proxy, fault: Fault) -> None:
    """Whoever asked is told within 2 s, and when to ask again; what is on stays on, and all else is as fast as ever."""
    publisher = await publish(admin)
    async with life(state) as kitchen:
        film = await kitchen.play(url="http://film/")
        proxy.fault = fault
        before = time.monotonic()
        answer = await kitchen.start(code=publisher.code)
        assert time.monotonic() - before < AT_MOST_S
        assert (answer.status, answer["code"]) == (503, "central_unavailable"), answer.body
        assert answer.headers["Retry-After"] == ("7" if fault is BUSY else "5")
        assert kitchen.on is not None
        assert kitchen.on.session_id == film
        proxy.fault = FINE
        await kitchen.play(code=publisher.code)


async def test_a_start_does_not_wait_for_a_look_up(state: Path, proxy: Proxy, monkeypatch: pytest.MonkeyPatch) -> None:
    """The last accepted wins, also over one that is being looked up; so does a stop."""
    monkeypatch.setattr(lookup, "LOOKUP_TIMEOUT_S", 30.0)
    async with life(state) as kitchen:
        await kitchen.play(url="http://film/")  # the box knows by now that it is registered
        proxy.fault = BLACK_HOLE
        looked_up = asyncio.create_task(kitchen.start(code="K7QF2M"))
        await kitchen.box.until(lambda: kitchen.on is not None and kitchen.on.code == "K7QF2M")
        before = time.monotonic()
        assert (await kitchen.start(url="http://film/two")).status == 200
        answer = await looked_up
        assert (answer.status, answer["code"]) == (409, "replaced")
        looked_up = asyncio.create_task(kitchen.start(code="K7QF2M"))
        await kitchen.box.until(lambda: kitchen.on is not None and kitchen.on.code == "K7QF2M")
        await kitchen.box.tracker.stop()
        assert ((await looked_up).status, kitchen.on) == (409, None)
        assert time.monotonic() - before < AT_MOST_S, "0.1 s are usual, and looking up takes 30"


async def test_only_what_this_box_plays(admin: Admin, state: Path, proxy: Proxy, other_box: str) -> None:
    """WebRTC is no address for it, and its own policy holds for what others show."""
    stream = await started(other_box, admin, "file:///etc/passwd")
    published = await admin("GET", f"/api/v1/streams/{(await publish(admin)).stream_id}")
    async with life(state) as kitchen:
        await kitchen.play(url="http://film/")
        answer = await kitchen.start(code=stream["code"])
        assert (answer.status, answer["code"]) == (502, "media_forbidden")
        assert "media_folders" in answer["detail"]
        for urls, advice in (({"webrtc": "http://media/whep"}, "hls_url"), (None, "public_url")):
            proxy.fault = http(200, json.dumps(published.body | {"urls": urls, "url": None}))
            answer = await kitchen.start(code=published["code"])
            assert (answer.status, answer["code"]) == (502, "media_unsupported")
            assert advice in answer["detail"]


# --- several addresses ---


@pytest.mark.parametrize("camera", [BROKEN, NEVER], ids=["refused", "never answers"])
async def test_the_next_address_when_the_first_cannot_be_played(
    admin: Admin, state: Path, monkeypatch: pytest.MonkeyPatch, camera: Script
) -> None:
    """RTSP may be closed off where HLS is not: within the time that a start has."""
    monkeypatch.setitem(SCRIPTS, "camera", camera)
    publisher = await publish(admin)
    async with life(state) as kitchen:
        await kitchen.play(code=publisher.code)
        assert [player.url.partition(":")[0] for player in kitchen.box.players.players] == ["rtsp", "http"]
        assert kitchen.plays == f"http://film/{publisher.path}/index.m3u8?code={publisher.code}"
        assert kitchen.on is not None
        assert (kitchen.on.url, kitchen.on.attempt) == (f"http://film/{publisher.path}/index.m3u8", 1)
        kitchen.box.players.players[-1].crash()
        await kitchen.box.until(lambda: len(kitchen.box.players.players) == 3)
        await kitchen.box.until(lambda: kitchen.plays.startswith("http:"))


async def test_no_address_can_be_played(admin: Admin, state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each has been tried, and the best one's reason is told."""
    for host in ("camera", "film"):
        monkeypatch.setitem(SCRIPTS, host, BROKEN)
    async with life(state) as kitchen:
        answer = await kitchen.start("?wait=10", code=(await publish(admin)).code)
        assert (answer.status, answer["code"]) == (502, "media_network")
        assert {player.url.partition(":")[0] for player in kitchen.box.players.players} == {"rtsp", "http"}


async def test_no_engine_for_rtsp(admin: Admin, state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Then it is HLS at once."""
    async with life(state) as kitchen:
        monkeypatch.setattr(kitchen.box.players, "missing", {"rtsp"})
        await kitchen.play(code=(await publish(admin)).code)
        assert [player.url.partition(":")[0] for player in kitchen.box.players.players] == ["http"]
        monkeypatch.setattr(kitchen.box.players, "missing", {"rtsp", "http"})
        answer = await kitchen.start(code=(await publish(admin)).code)
        assert (answer.status, answer["code"]) == (503, "player_unavailable")


# --- followed ---


async def test_a_stream_that_ends_has_finished(admin: Admin, state: Path) -> None:
    """On the screen, and also while it waits under another."""
    publisher, waiting = await publish(admin), await publish(admin)
    async with life(state) as kitchen:
        below = await kitchen.play(code=waiting.code)
        top = await kitchen.play(code=publisher.code, interrupt=True)
        await waiting.stop()
        assert (await kitchen.ended(below)).reason == "finished"
        assert kitchen.on is not None
        assert kitchen.on.session_id == top
        await publisher.stop()
        last = await kitchen.ended(top)
        assert (last.reason, last.error) == ("finished", None)
        assert kitchen.on is None


@pytest.mark.usefixtures("unasked")
async def test_a_publisher_that_has_gone_is_not_tried_again(admin: Admin, state: Path) -> None:
    """The central API is asked first when the connection breaks off."""
    publisher = await publish(admin)
    async with life(state) as kitchen:
        session = await kitchen.play(code=publisher.code)
        await publisher.stop()
        kitchen.box.players.players[-1].crash()
        last = await kitchen.ended(session)
        assert (last.reason, last.attempt, len(kitchen.box.players.players)) == ("finished", 1, 1)


@pytest.mark.parametrize("fault", [BLACK_HOLE, GARBAGE, http(500), http(401, PROBLEM % "unauthorized")])
async def test_the_picture_goes_on_without_the_central_api(
    admin: Admin, state: Path, proxy: Proxy, fault: Fault
) -> None:
    """Also through an outage of the stream itself; when the central API is back its word counts again."""
    publisher = await publish(admin)
    async with life(state) as kitchen:
        session = await kitchen.play(code=publisher.code)
        proxy.fault = fault
        kitchen.box.players.players[-1].crash()
        await kitchen.box.until(lambda: len(kitchen.box.players.players) == 2)
        await kitchen.box.until(lambda: kitchen.on is not None and kitchen.on.state == "playing")
        await publisher.stop()
        await asyncio.sleep(0.5)  # it is asked after 0.1 s, and again after 0.2
        assert kitchen.on is not None
        assert kitchen.on.session_id == session
        proxy.fault = FINE
        assert (await kitchen.ended(session)).reason == "finished"


async def test_a_central_api_that_is_killed(central: CentralProcess, admin: Admin, state: Path) -> None:
    """The picture goes on, a code is looked up again as soon as the central API is back, and an end is noticed."""
    publisher, other = await publish(admin), await publish(admin)
    async with life(state) as kitchen:
        session = await kitchen.play(code=publisher.code)
        central.end(signal.SIGKILL)
        try:
            kitchen.box.players.players[-1].crash()
            answer = await kitchen.start(code=other.code)
            assert (answer.status, answer["code"]) == (503, "central_unavailable")
            await kitchen.box.until(lambda: kitchen.on is not None and kitchen.on.state == "playing")
            assert kitchen.on is not None
            assert kitchen.on.session_id == session
        finally:
            await asyncio.to_thread(central.start)
        top = await kitchen.play(code=other.code, interrupt=True)
        await publisher.stop()
        assert (await kitchen.ended(session)).reason == "finished"
        assert kitchen.on is not None
        assert kitchen.on.session_id == top


async def test_what_is_joined_may_become_something_else(admin: Admin, state: Path, other_box: str) -> None:
    """The other box has changed channels, and this one with it: from the beginning, in the same session. What it may
    not play ends it, with the reason."""
    stream = await started(other_box, admin, "http://film/one.mp4", title="One")
    path = f"/api/v1/streams/{stream['id']}"
    async with life(state) as kitchen:
        session = await kitchen.play(code=stream["code"], position=4)
        await admin("PATCH", path, {"url": "http://tough/two.mp4", "title": "Two"})
        await kitchen.box.until(lambda: kitchen.plays == "http://tough/two.mp4")
        await kitchen.box.until(lambda: kitchen.on is not None and kitchen.on.state == "playing")
        assert kitchen.on is not None
        assert (kitchen.on.session_id, kitchen.on.title, kitchen.on.url) == (session, "Two", "http://tough/two.mp4")
        assert len(kitchen.box.players.alive) == 1
        await admin("PATCH", path, {"title": "Three"})
        await kitchen.box.until(lambda: kitchen.on is not None and kitchen.on.title == "Three")
        assert len(kitchen.box.players.players) == 2
        await admin("PATCH", path, {"url": "file:///etc/passwd"})
        last = await kitchen.ended(session)
        assert last.error is not None
        assert (last.reason, last.error.code) == ("failed", "media_forbidden")


# --- a publisher that is away for a moment ---


@pytest.mark.usefixtures("unasked")
async def test_a_publisher_that_comes_back_is_waited_for(
    admin: Admin, state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the same session, with the same code, at the address that it was shown at: while it is away nothing else is
    tried, however little is left of it, and it is on again as soon as it is back, whatever the pause."""
    monkeypatch.setattr(retry, "PAUSES", Backoff(30.0, cap_s=30.0))
    monkeypatch.setattr(joined, "AWAITED_S", 0.1)
    publisher = await publish(admin)
    code = publisher.code
    async with life(state) as kitchen:
        session = await kitchen.play(code=code)
        monkeypatch.setitem(SCRIPTS, "camera", GONE)
        await publisher.hang_up()
        kitchen.box.players.players[-1].crash()
        await kitchen.box.until(lambda: kitchen.on is not None and kitchen.on.state != "playing")
        monkeypatch.setitem(SCRIPTS, "camera", LIVE)
        await publisher.go_on_air()
        assert publisher.code == code
        await kitchen.box.until(lambda: kitchen.on is not None and kitchen.on.state == "playing")
        assert kitchen.on is not None
        assert (kitchen.on.session_id, kitchen.on.code) == (session, code)
        assert {player.url.partition(":")[0] for player in kitchen.box.players.players} == {"rtsp"}


@pytest.mark.usefixtures("unasked")
async def test_a_publisher_that_is_away_can_be_joined(
    admin: Admin, state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The start takes as long as it may; the address is not there meanwhile."""
    monkeypatch.setattr(joined, "AWAITED_S", 0.1)
    monkeypatch.setitem(SCRIPTS, "camera", GONE)
    publisher = await publish(admin)
    await publisher.hang_up()
    async with life(state) as kitchen:
        answer = await kitchen.start(code=publisher.code)
        assert answer.status == 200
        await kitchen.box.until(lambda: bool(kitchen.box.players.players))
        monkeypatch.setitem(SCRIPTS, "camera", LIVE)
        await publisher.go_on_air()
        assert await kitchen.box.tracker.first_frame(answer["session_id"], 10.0)


async def test_a_publisher_that_stays_away_has_finished(
    admin: Admin, state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once the central API has given it up."""
    monkeypatch.setitem(SCRIPTS, "camera", LIVE)
    publisher = await publish(admin)
    async with life(state) as kitchen:
        session = await kitchen.play(code=publisher.code)
        monkeypatch.setitem(SCRIPTS, "camera", GONE)
        await publisher.hang_up()
        kitchen.box.players.players[-1].crash()
        await kitchen.box.until(lambda: len(kitchen.box.players.players) > 2)
        assert kitchen.on is not None
        await admin("POST", f"/api/v1/streams/{publisher.stream_id}/stop")
        assert (await kitchen.ended(session)).reason == "finished"


# --- over restarts ---


async def test_it_comes_back_after_a_restart(admin: Admin, state: Path, other_box: str) -> None:
    """With what it is now, asked for by its id; and not if it has ended meanwhile."""
    stream = await started(other_box, admin, "http://film/one.mp4")
    async with life(state) as kitchen:
        session = await kitchen.play(code=stream["code"])
    kept = json.loads((state / WANTED_FILE).read_text())["sessions"][0]
    assert (kept["joined"]["stream_id"], kept["joined"]["urls"]) == (stream["id"], ["http://film/one.mp4"])
    await admin("PATCH", f"/api/v1/streams/{stream['id']}", {"url": "http://tough/two.mp4"})
    async with life(state) as kitchen:
        await kitchen.box.until(lambda: kitchen.on is not None and kitchen.on.state == "playing")
        assert kitchen.on is not None
        assert (kitchen.on.session_id, kitchen.plays) == (session, "http://tough/two.mp4")
    await admin("POST", f"/api/v1/streams/{stream['id']}/stop")
    async with life(state) as kitchen:
        assert (await kitchen.ended(session)).reason == "finished"
        assert kitchen.box.players.players == []


async def test_it_comes_back_without_the_central_api(
    admin: Admin, state: Path, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The stream resumes at its last known address, and hardly later than anything else."""
    monkeypatch.setattr(lookup, "LOOKUP_TIMEOUT_S", 30.0)
    publisher = await publish(admin)
    async with life(state) as kitchen:
        session = await kitchen.play(code=publisher.code)
    proxy.fault = BLACK_HOLE
    async with life(state) as kitchen:
        before = time.monotonic()
        await kitchen.box.until(lambda: kitchen.on is not None and kitchen.on.state == "playing")
        assert time.monotonic() - before < AT_MOST_S, "0.7 s are usual, and looking up takes 30"
        assert kitchen.on is not None
        assert (kitchen.on.session_id, kitchen.on.code) == (session, publisher.code)
        assert kitchen.plays == f"rtsp://code:{publisher.code}@camera/{publisher.path}"
        await publisher.stop()
        proxy.fault = FINE
        assert (await kitchen.ended(session)).reason == "finished"
