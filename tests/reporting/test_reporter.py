"""A box and its central API: what is told, when, and that nothing on the box ever waits for it."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession
from structlog.testing import capture_logs

from agent.config.settings import WebhookSettings
from agent.reporting import reporter
from agent.reporting.central import link
from agent.reporting.central import state_reporter as presence
from agent.reporting.central.credentials import FILE as ENROLMENT_FILE
from agent.reporting.central.credentials import Credentials, forget_enrolment
from agent.reporting.central.enrol import enrol
from agent.reporting.http import circuit as line
from agent.reporting.http import errors as trouble
from agent.reporting.outbox import delivery
from agent.reporting.outbox.database import FILE as OUTBOX_FILE
from agent.types import SessionChange, StartRequest
from cast_util.backoff import Backoff
from tests.central.support.process import CentralProcess, central_process
from tests.central.support.service import Box as Sender
from tests.reporting.support.admin import Admin
from tests.reporting.support.box import Box, box
from tests.reporting.support.proxy import BLACK_HOLE, FINE, GARBAGE, Fault, Proxy, http

OUT_S = 5.0
"""For the end of a box on a busy machine; a call that is waited for takes 10 s."""


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pauses short enough to be waited for; what they are for stays the same."""
    monkeypatch.setattr(presence, "COALESCE_S", 0.1)
    monkeypatch.setattr(presence, "LOOK_S", 0.2)
    monkeypatch.setattr(reporter, "LOOK_S", 0.1)
    monkeypatch.setattr(line, "PAUSES", Backoff(0.1, cap_s=300.0))


@pytest.fixture
async def state(proxy: Proxy, enrolment_token: str, tmp_path: Path) -> Path:
    """The state directory of a box that is registered, behind the proxy."""
    folder = tmp_path / "state"
    await enrol(proxy.url, enrolment_token, folder=folder, name="Kitchen")
    return folder


def kinds(events: list[dict[str, Any]]) -> list[str]:
    return [event["kind"] for event in events]


async def device_id(life: Box) -> str:
    await life.until(lambda: life.status.device_id)
    assert life.status.device_id is not None
    return life.status.device_id


# --- with and without ---


async def test_without_a_registration_nothing_is_written_and_nothing_said(tmp_path: Path) -> None:
    """Whatever happens on the box; the status says that there is nobody to report to."""
    async with box(tmp_path) as life:
        await life.play("http://film/")
        await asyncio.sleep(0.3)  # an event is on the disk within some ms
        assert life.status.enabled is False
        assert (life.status.problem, life.status.connected) == (None, False)
    assert not [file for file in tmp_path.iterdir() if "outbox" in file.name or "central" in file.name]


async def test_an_address_without_a_registration_is_said(tmp_path: Path, proxy: Proxy) -> None:
    """With the command that registers; nothing is written, and nobody is called."""
    async with box(tmp_path, url=proxy.url) as life:
        await life.until(lambda: life.status.problem)
        assert (life.status.enabled, life.status.connected) == (True, False)
        assert f"cast-agent enrol --central {proxy.url} --enrol TOKEN" in str(life.status.problem)
    assert proxy.connections == 0
    assert not (tmp_path / OUTBOX_FILE).exists()


async def test_a_configuration_with_an_enrolment_token_registers_by_itself(
    tmp_path: Path, proxy: Proxy, enrolment_token: str, admin: Admin
) -> None:
    """Once: the next start needs no token, and an address in the configuration counts for more than the one kept."""
    async with box(tmp_path, url=proxy.url, token=enrolment_token) as life:
        await life.connected()
        first = await device_id(life)
    async with box(tmp_path, url=proxy.url.replace("127.0.0.1", "localhost"), token=enrolment_token) as life:
        await life.connected()
        assert life.status.device_id == first
        assert life.status.url == proxy.url.replace("127.0.0.1", "localhost")
    assert (await admin.device(first))["name"] == "Kitchen"


async def test_a_command_beside_the_agent_registers_and_forgets(
    tmp_path: Path, proxy: Proxy, enrolment_token: str, admin: Admin
) -> None:
    """Taken up while it runs: what is on is told, and when it is forgotten nothing more."""
    async with box(tmp_path) as life:
        session = await life.play("http://film/")
        await enrol(proxy.url, enrolment_token, folder=tmp_path, name="Kitchen")
        box_id = await device_id(life)
        await life.connected()
        assert kinds(await admin.events(box_id)) == ["agent_started", "session_started", "first_frame"]
        assert (await admin.device(box_id))["on"]["session_id"] == session
        forget_enrolment(tmp_path)
        await life.until(lambda: not life.status.enabled)
        connections = proxy.connections
        await life.tracker.stop()
        await asyncio.sleep(0.3)  # what changes is told within 0.1 s here
        assert proxy.connections == connections
        await enrol(proxy.url, enrolment_token, folder=tmp_path, name="Kitchen")
        second = await device_id(life)
        await life.connected()
        assert second != box_id
        assert kinds(await admin.events(second)) == ["agent_started"], "what only the first one knew is over"


async def test_a_registration_that_cannot_be_read_for_a_while_loses_nothing(
    tmp_path: Path, proxy: Proxy, enrolment_token: str, admin: Admin
) -> None:
    """Neither what waited nor what happens meanwhile, although webhooks are told meanwhile; it is said of itself."""
    file, aside = tmp_path / ENROLMENT_FILE, tmp_path / "aside"
    await enrol(proxy.url, enrolment_token, folder=tmp_path, name="Kitchen")
    async with box(tmp_path) as life:
        box_id = await device_id(life)
        await life.connected()
        proxy.fault = BLACK_HOLE
        await life.play("http://film/1")
    file.rename(aside)
    file.mkdir()
    async with box(tmp_path, webhooks=[WebhookSettings(url="http://127.0.0.1:9/")]) as life:
        await life.play("http://film/2")
        await life.until(lambda: "cannot be read" in str(life.status.problem))
        file.rmdir()
        aside.rename(file)
        proxy.fault = FINE
        await life.connected()
        told = kinds(await admin.events(box_id))
    assert (told.count("agent_started"), told.count("session_started"), told.count("first_frame")) == (2, 2, 2)


# --- the two channels ---


async def test_what_happens_is_told_in_order(state: Path, admin: Admin) -> None:
    """A film, a doorbell over it, a camera that breaks and comes back, a start that fails."""
    async with box(state) as life:
        film = await life.play("http://film/", title="A film")
        bell = await life.play("http://film/?token=secret", interrupt=True)
        await life.tracker.stop()
        await life.until(lambda: life.tracker.snapshot().on_screen)
        camera = await life.play("http://fragile/")
        await life.until(lambda: (s := life.tracker.snapshot().stream) and s.attempt > 1)
        await life.until(lambda: (s := life.tracker.snapshot().stream) and s.attempt == 1)
        await life.tracker.stop()
        broken = life.tracker.start(_request("http://late-broken/"))
        await life.tracker.stop()
        await life.connected()
        events = await admin.events(await device_id(life))
    names = {film: "film", bell: "bell", camera: "camera", broken: "broken"}
    told = [(names[event["session_id"]], event["kind"].removeprefix("session_")) for event in events[1:]]
    assert [one for one in told if one[0] != "camera"] == [
        ("film", "started"),
        ("film", "first_frame"),
        ("bell", "started"),
        ("bell", "first_frame"),
        ("film", "waiting"),
        ("bell", "ended"),
        ("film", "resumed"),
        ("film", "ended"),
        ("broken", "started"),
        ("broken", "ended"),
    ]
    of_camera = [kind for name, kind in told if name == "camera"]
    assert of_camera[:4] == ["started", "first_frame", "failing", "resumed"]
    assert (of_camera[-1], of_camera.count("first_frame")) == ("ended", 1)
    data = {(names[event["session_id"]], event["kind"]): event["data"] for event in events[1:]}
    assert data["film", "session_started"] == {"url": "http://film/", "title": "A film", "quality": "auto"}
    assert data["bell", "session_started"]["url"] == "http://film/?token=***"
    assert data["film", "first_frame"]["time_to_first_frame"] > 0
    assert data["film", "session_ended"]["reason"] == "replaced"
    assert data["camera", "session_failing"]["error"]["code"] == "media_network"
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))


async def test_the_state_follows_what_is_on(state: Path, admin: Admin) -> None:
    """At each change, several at once as one; what nobody tells is seen; at the end the box is offline at once."""
    async with box(state, heartbeat=3600) as life:
        box_id = await device_id(life)
        await life.connected()
        film = await life.play("http://film/", title="A film")
        await life.play("http://film/bell", interrupt=True)
        await life.tracker.set_volume(0.3, True)
        life.problems.append("The disk is loud.")

        async def told() -> dict[str, Any]:
            device = await admin.device(box_id)
            return device["state"] if device["state"] else {}

        state_ = await _until(told, lambda state: state.get("volume_level") == 0.3 and state["problems"])
        assert (state_["status"], state_["health"], state_["problems"]) == (
            "casting",
            "degraded",
            ["The disk is loud."],
        )
        assert (state_["stream"]["url"], state_["muted"]) == ("http://film/bell", True)
        assert [session["session_id"] for session in state_["interrupted"]] == [film]
        assert state_["seq"] < 8
        assert (await admin.device(box_id))["online"] is True
    device = await admin.device(box_id)
    assert (device["online"], device["state"]["stopping"], device["on"]["url"]) == (False, True, "http://film/bell")


async def test_heartbeats_come_as_often_as_the_server_says(state: Path, admin: Admin) -> None:
    """Every second here, although the configuration says an hour; between them nothing is sent."""
    async with box(state, heartbeat=3600) as life:
        box_id = await device_id(life)
        await life.connected()
        number = (await admin.device(box_id))["state"]["seq"]
        seen: list[tuple[float, int]] = []
        # What changes on the box as it starts is told a second later, which may come instead of a heartbeat.
        async with asyncio.timeout(10):
            while len(seen) < 3 or min(later[0] - one[0] for one, later in pairwise(seen)) > 1.25:
                await asyncio.sleep(0.02)
                before, number = number, (await admin.device(box_id))["state"]["seq"]
                if number != before:
                    seen.append((time.monotonic(), number))
        (began, first), (ended, last) = seen[0], seen[-1]
        assert ended - began > 0.83 * (last - first)


async def test_a_copied_card_is_noticed(state: Path, proxy: Proxy, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another box reports under our name and is believed: somebody has to know."""
    monkeypatch.setattr(presence, "CLONES_AFTER", 2)
    async with box(state) as life:
        await life.connected()
        proxy.fault = http(200, '{"accepted": false, "server_time": "2026-01-01T00:00:00Z", "next_interval_s": 1}')
        await life.until(lambda: "was the card copied?" in str(life.status.problem))
        proxy.fault = FINE
        await life.until(lambda: life.status.problem is None)


# --- the stream with its code ---


async def test_what_is_on_has_one_stream_with_a_code(state: Path, admin: Admin) -> None:
    """The same for the next cast and after a restart, brought up to date; it ends when the box goes idle."""
    async with box(state) as life:
        await life.play("rtsp://me:secret@film/one", title="One\n film")
        code = await life.code()
        stream = await admin("GET", f"/api/v1/streams/{code}")
        assert (stream["url"], stream["title"], stream["status"]) == ("rtsp://film/one", "One film", "active")
        assert stream["device_id"] == life.status.device_id
        second = await life.play("http://film/two")
        stream = await _until(lambda: admin("GET", f"/api/v1/streams/{code}"), lambda s: s["url"] == "http://film/two")
        assert (stream["title"], stream["metadata"]) == (None, {"session_id": second})
        life.tracker.change(second, SessionChange(title="Two"))
        await _until(lambda: admin("GET", f"/api/v1/streams/{code}"), lambda s: s["title"] == "Two")
    async with box(state) as life:
        assert await life.code() == code
        assert life.tracker.snapshot().sessions[0].session_id == second
        assert life.status.stream_id == stream["id"]
        await life.tracker.stop()
        await life.until(lambda: life.status.code is None)
        ended = await admin("GET", f"/api/v1/streams/{stream['id']}")
        assert (ended["status"], ended["end_reason"]) == ("ended", "stopped")


async def test_an_address_is_told_without_what_nobody_may_see(state: Path, admin: Admin) -> None:
    """And is not refused for it: there is a code. An @ without anybody before it means to listen, and stays."""
    async with box(state) as life:
        await life.play("http://me:secret@film/one?quality=1&access_token=secret")
        code = await life.code()
        assert (await admin("GET", f"/api/v1/streams/{code}"))["url"] == "http://film/one?quality=1&access_token=***"
        await life.play("udp://@film:5004")
        await _until(
            lambda: admin("GET", f"/api/v1/streams/{code}"), lambda stream: stream["url"] == "udp://@film:5004"
        )


async def test_a_stream_that_somebody_ended_is_made_anew(state: Path, admin: Admin) -> None:
    """At a heartbeat, and at once when something changes: while something is on there is one."""
    async with box(state) as life:
        session = await life.play("http://film/")
        codes = {await life.code()}
        await admin("POST", f"/api/v1/streams/{life.status.stream_id}/stop")
        await life.until(lambda: life.status.code not in codes)
        codes.add(await life.code())
        await admin("POST", f"/api/v1/streams/{life.status.stream_id}/stop")
        life.tracker.change(session, SessionChange(title="Now"))
        await life.until(lambda: life.status.code not in codes)
        assert (await admin("GET", f"/api/v1/streams/{life.status.code}"))["title"] == "Now"


async def test_what_was_left_on_is_ended_by_a_box_that_comes_back_idle(state: Path, admin: Admin) -> None:
    """It was on when the power went, and is not to come back."""
    async with box(state, restores=False) as life:
        await life.play("http://film/")
        await life.code()
        stream_id = life.status.stream_id
        await life.connected()
    async with box(state, restores=False) as life:
        box_id = await device_id(life)
        ended = await _until(lambda: admin("GET", f"/api/v1/streams/{stream_id}"), lambda s: s["status"] == "ended")
        assert ended["end_reason"] == "stopped"
        await life.connected()
        ends = [event["data"] for event in await admin.events(box_id) if event["kind"] == "session_ended"]
        assert [end["reason"] for end in ends] == ["shutdown"]


async def test_what_is_only_being_prepared_makes_no_stream(state: Path) -> None:
    """A start that fails leaves no trace there."""
    async with box(state) as life:
        life.tracker.start(_request("http://late-broken/"))
        await life.connected()
        await asyncio.sleep(0.5)  # what changes is told within 0.1 s here
        assert life.status.code is None


# --- trouble ---

FAULTS = {
    "black hole": (BLACK_HOLE, "did not answer within"),
    "slow": (Fault(delay_s=30.0), "did not answer within"),
    "garbage": (GARBAGE, "does not speak HTTP"),
    "reset": (Fault(reset=True), "broke the connection off"),
    "answers lost": (Fault(cut_answer=True), "broke the connection off"),
    "401": (http(401), "Register this box again: cast-agent enrol"),
    "429": (http(429, Retry_After="1"), "answered 429"),
    "500": (http(500), "answered 500"),
    "redirect": (http(302, Location="https://elsewhere/"), "redirects to https://elsewhere/"),
}


async def test_nothing_waits_and_nothing_is_lost_in_trouble(
    state: Path, proxy: Proxy, admin: Admin, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Starts and stops are as quick as ever, the status says what is wrong, and after each trouble all is there by
    itself; in the end in order and once."""
    monkeypatch.setattr(line, "REFUSED_RETRY_S", 0.3)
    monkeypatch.setattr("agent.reporting.central.client.CentralClient.__init__.__kwdefaults__", {"timeout_s": 0.5})
    sessions = []
    async with box(state) as life:
        await life.connected()
        for name, (fault, said) in FAULTS.items():
            proxy.fault = fault
            before = time.perf_counter()
            session = life.tracker.start(_request("http://film/"))
            assert time.perf_counter() - before < 0.1, name
            sessions.append(session)
            assert await life.tracker.first_frame(session, 5.0) is not None
            await life.tracker.stop()
            assert time.perf_counter() - before < 2.0, f"{name}: it takes 0.2 s"
            await life.until(lambda said=said: said in str(life.status.problem))  # type: ignore[misc]
            assert (life.status.connected, life.status.queued) == (False, 3), name
            assert life.status.last_success is not None
            proxy.fault = FINE
            await life.connected()
            assert life.status.problem is None, name
        events = await admin.events(await device_id(life))
    one = ["session_started", "first_frame", "session_ended"]
    assert [(event["session_id"], event["kind"]) for event in events[1:]] == [
        (session, kind) for session in sessions for kind in one
    ]


async def test_a_quota_that_is_used_up_holds_back_events_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The box stays online and its state is told; its events wait until there is room, and the status says why."""
    monkeypatch.setattr(trouble, "RETRY_AFTER_MOST_S", 0.3)
    monkeypatch.setattr(delivery, "JITTER_S", 0.1)
    environ: dict[str, Any] = {"CAST_CENTRAL_DEVICES__QUOTA": "8", "CAST_CENTRAL_DEVICES__HEARTBEAT": "1"}
    with central_process(f"sqlite:///{tmp_path / 'central.db'}", **environ) as process:
        await enrol(process.url, process.command("enrol"), folder=tmp_path / "state", name="Kitchen")
        async with ClientSession(process.url) as session, box(tmp_path / "state") as life:
            admin = Admin(session, process.command("key", "add", "test"))
            await life.connected()
            await _use_up(admin, await device_id(life))
            await life.play("http://film/")
            await life.until(lambda: "devices.quota" in str(life.status.problem))
            assert (life.status.connected, life.status.queued) == (True, 2)
            before = (await admin.device(await device_id(life)))["last_seen"]
            async with asyncio.timeout(5):
                while (await admin.device(await device_id(life)))["last_seen"] == before:
                    await asyncio.sleep(0.1)
            assert (await admin.device(await device_id(life)))["status"] == "casting"
            await asyncio.to_thread(process.end)
            await asyncio.to_thread(process.start)
            await life.connected()
            await life.until(lambda: life.status.queued == 0 and life.status.problem is None)
            assert kinds(await admin.events(await device_id(life)))[-2:] == ["session_started", "first_frame"]


async def _use_up(admin: Admin, box_id: str) -> None:
    """Call like a program that has the token of the box, and has gone wild."""
    wild = Sender(admin.session, admin.token, id=box_id)
    for events, characters in ((50, 4000), (1, 0)):
        while (
            answer := await wild.send(*(wild.event("wild", data={"a": "x" * characters}) for _ in range(events)))
        ).status == 200:
            pass
        assert answer.status == 429, answer.body


async def test_a_box_that_is_gone_reports_no_more_until_it_is_registered_anew(
    state: Path, proxy: Proxy, enrolment_token: str
) -> None:
    """410 is final: one call, then none, and a sentence that says so."""
    async with box(state) as life:
        await life.connected()
        proxy.fault = http(410)
        await life.until(lambda: "gone for good, so it is not asked again" in str(life.status.problem))
        await asyncio.sleep(0.2)  # a call that was under way is answered
        connections = proxy.connections
        await life.play("http://film/")
        await asyncio.sleep(0.5)  # what changes is told within 0.1 s here
        assert proxy.connections == connections
        proxy.fault = FINE
        (state / ENROLMENT_FILE).unlink()
        await enrol(proxy.url, enrolment_token, folder=state, name="Kitchen")
        await life.until(lambda: life.status.connected)
        await life.connected()


async def test_a_box_that_is_known_again_reports_as_soon_as_somebody_says_so(
    state: Path, proxy: Proxy, enrolment_token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A refusal is tried again after minutes; the command that it advises has it tried at once, and by the same box."""
    monkeypatch.setattr(line, "REFUSED_RETRY_S", 300.0)
    async with box(state) as life:
        await life.connected()
        before = life.status.device_id
        for fault in (http(401), http(410)):
            proxy.fault = fault
            await life.play("http://film/")
            await life.until(lambda: "Register this box" in str(life.status.problem))
            proxy.fault = FINE
            assert not (await enrol(proxy.url, enrolment_token, folder=state, name="Kitchen")).is_new
            await life.until(lambda: life.status.connected)
            assert life.status.device_id == before


async def test_an_event_that_is_refused_does_not_hold_up_the_others(state: Path, proxy: Proxy, admin: Admin) -> None:
    """By itself, or with the whole batch: it is put aside, once, and the log says so."""
    with capture_logs() as logged:
        async with box(state) as life:
            await life.connected()
            box_id = await device_id(life)
            proxy.fault = http(422, '{"code": "invalid_request", "detail": "No."}')
            await life.play("http://film/")
            await life.until(lambda: not life.status.queued)
            assert life.status.connected
            proxy.fault = FINE
            await life.tracker.stop()
            await life.connected()
    assert kinds(await admin.events(box_id)) == ["agent_started", "session_ended"]
    refused = [line["kind"] for line in logged if line["event"] == "event_refused"]
    assert refused == ["session_started", "first_frame"]
    db = sqlite3.connect(state / OUTBOX_FILE)
    letters = db.execute("SELECT json_extract(event, '$.kind') FROM dead_letters").fetchall()
    db.close()
    assert letters == [("session_started",), ("first_frame",)]


async def test_the_end_of_the_agent_waits_for_nobody(
    state: Path, proxy: Proxy, admin: Admin, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A central API that hangs just then costs a second at most; one that is known to be away, nothing."""
    monkeypatch.setattr(link, "FAREWELL_S", 0.6)
    async with box(state) as life:
        await life.connected()
        proxy.fault = BLACK_HOLE
        began = time.monotonic()
    assert 0.4 < time.monotonic() - began < OUT_S
    monkeypatch.setattr(link, "FAREWELL_S", 2 * OUT_S)
    proxy.fault = http(500)
    async with box(state) as life:
        await life.until(lambda: life.status.problem)
        began = time.monotonic()
    assert time.monotonic() - began < OUT_S


async def test_a_central_api_that_restarts_is_found_again(
    central: CentralProcess, enrolment: Credentials, admin: Admin, tmp_path: Path
) -> None:
    """It is down for a second; the box says so, and goes on by itself with the same stream."""
    async with box(tmp_path / "state") as life:
        session = await life.play("http://film/")
        code = await life.code()
        await asyncio.to_thread(central.end)
        life.tracker.change(session, SessionChange(title="Meanwhile"))
        await life.until(lambda: "cannot be reached" in str(life.status.problem))
        await asyncio.to_thread(central.start)
        await life.connected()
        await _until(lambda: admin("GET", f"/api/v1/streams/{code}"), lambda s: s["title"] == "Meanwhile")
        assert life.status.code == code


def _request(url: str) -> StartRequest:
    return StartRequest(url=url)


async def _until(look: Any, true: Any, timeout_s: float = 10.0) -> Any:
    deadline = time.monotonic() + timeout_s
    while not true(found := await look()):
        assert time.monotonic() < deadline, found
        await asyncio.sleep(0.05)  # each look asks the central API
    return found
