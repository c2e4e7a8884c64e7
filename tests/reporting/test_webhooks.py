"""Webhooks: who is told what, in which form, and that no receiver holds up another one."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import random
import sqlite3
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import get_args
from uuid import UUID

import pytest
from structlog.testing import capture_logs

from agent.config.settings import EventName, WebhookSettings
from agent.health import WebhookStatus
from agent.reporting import reporter
from agent.reporting.central import state_reporter as presence
from agent.reporting.central.credentials import FILE as ENROLMENT_FILE
from agent.reporting.central.credentials import forget_enrolment
from agent.reporting.central.enrol import enrol
from agent.reporting.http import circuit as line
from agent.reporting.http.errors import Trouble
from agent.reporting.outbox.database import FILE as OUTBOX_FILE
from agent.reporting.webhooks import webhook
from agent.reporting.webhooks.webhook import headers_of, of_answer
from agent.reporting.webhooks.webhooks import FILE as WEBHOOKS_FILE
from cast_util.backoff import Backoff
from cast_wire.kinds import REPORTED
from tests.central.support.process import CentralProcess
from tests.reporting.support.admin import Admin
from tests.reporting.support.box import SETTLED_S, Box, box
from tests.support.calls import GONE, call
from tests.support.faked_agent import FakedAgent
from tests.support.receiver import PATH, SECRET, Answer, Receiver
from tests.support.tools import wait_until

PAUSE_S = 0.1
"""After a failure, short enough to be waited for; what it is for stays the same."""


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(presence, "COALESCE_S", 0.1)
    monkeypatch.setattr(reporter, "LOOK_S", 0.1)
    monkeypatch.setattr(line, "PAUSES", Backoff(PAUSE_S, cap_s=300.0))
    monkeypatch.setattr(webhook, "CALL_TIMEOUT_S", 1.0)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """One that wants everything signed."""
    with Receiver(secret=SECRET) as made:
        yield made


@pytest.fixture
def other() -> Iterator[Receiver]:
    """One that cannot check signatures."""
    with Receiver() as made:
        yield made


def hook(receiver: Receiver, *events: EventName, secret: str | None = None) -> WebhookSettings:
    return WebhookSettings(url=receiver.url, secret=secret or receiver.secret, events=events or None)


def only(life: Box) -> WebhookStatus:
    """The status of the only webhook, or an empty one until the configuration is read."""
    (status,) = life.reporter.webhooks or (WebhookStatus(""),)
    return status


async def told(life: Box) -> None:
    """Return when no webhook has anything left to be sent."""
    await asyncio.sleep(0.01)  # what has just happened is looked at when the loop is free
    await life.until(lambda: life.reporter.webhooks)
    await life.until(lambda: all(not status.queued and status.connected for status in life.reporter.webhooks))


def once(receiver: Receiver) -> list[str]:
    """The kinds of what came, without repeats of the same."""
    return [kind for _, kind in dict.fromkeys((got.id, got.kind) for got in receiver.got)]


CAST = ["session_started", "first_frame", "session_ended"]


# --- what is sent ---


async def test_each_event_is_a_signed_request(tmp_path: Path, receiver: Receiver) -> None:
    """In order, in the form of Standard Webhooks, and with all that a receiver needs to know."""
    async with box(tmp_path, webhooks=[hook(receiver)]) as life:
        session = await life.play("http://film/?token=hidden", title='Ünïcode "film"')
        await life.tracker.stop()
        await told(life)
        assert only(life).url == f"http://127.0.0.1:{receiver.port}"
        assert (only(life).connected, only(life).problem, only(life).dropped) == (True, None, 0)
        assert life.status.enabled is False
    assert receiver.kinds == ["agent_started", *CAST]
    started = receiver.got[1]
    assert started.headers["content-type"] == "application/json"
    assert started.headers["user-agent"] == "cast-agent/0.1.0"
    assert UUID(started.id).version == 7
    assert started.body.keys() == {"type", "timestamp", "data"}
    data = started.body["data"]
    assert (
        data.items()
        >= {
            "session_id": session,
            "url": "http://film/?token=***",
            "title": 'Ünïcode "film"',
            "device_id": "4f0c",
            "device_name": "Kitchen",
            "event_id": started.id,
            "seq": 2,
            "agent_version": "0.1.0",
        }.items()
    )
    assert receiver.got[3].body["data"]["reason"] == "stopped"
    assert len({got.id for got in receiver.got}) == 4


def test_the_signature_is_that_of_the_published_example() -> None:
    """Of the tests of Standard Webhooks' own libraries."""
    headers = headers_of("msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}', SECRET)
    assert headers == {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }


def test_the_configuration_knows_every_event() -> None:
    """It cannot ask for them, because it is below."""
    assert set(get_args(EventName)) == {kind.value for kind in REPORTED}


async def test_each_webhook_has_its_own_events(tmp_path: Path, receiver: Receiver, other: Receiver) -> None:
    """An event that one webhook does not want is not sent to it and does not wait for it; without a secret nothing is
    signed."""
    hooks = [hook(receiver), hook(other, "session_started", "session_ended")]
    other.answer = Answer(503)
    async with box(tmp_path, webhooks=hooks) as life:
        await life.play("http://film/")
        await life.until(lambda: len(receiver.got) == 3 and other.got)
        await life.until(lambda: [status.queued for status in life.reporter.webhooks] == [0, 1])
        other.answer = Answer()
        await told(life)
        await life.tracker.stop()
        await told(life)
    assert once(receiver) == ["agent_started", *CAST]
    assert once(other) == ["session_started", "session_ended"]
    assert "webhook-signature" not in other.got[0].headers
    assert other.got[0].id == receiver.got[1].id


async def test_credentials_of_an_address_are_used_and_not_told(tmp_path: Path, other: Receiver) -> None:
    """Neither they nor the path are in the status or the log, also when something is wrong."""
    url = other.url.replace("http://", "http://me:pa%40ss@")
    other.first += [Answer(500), Answer(301, {"Location": f"http://else.local{PATH}"})]
    with capture_logs() as logs:
        async with box(tmp_path, webhooks=[WebhookSettings(url=url, secret=SECRET)]) as life:
            await life.until(lambda: "redirects to http://else.local. Set" in str(only(life).problem))
            said = repr(life.reporter.webhooks)
    assert other.got[0].headers["authorization"] == "Basic bWU6cGFAc3M="
    assert not any(secret in repr(logs) + said for secret in ("geheim", "pa%40ss", "pa@ss", SECRET))


# --- answers ---


@pytest.mark.parametrize(
    ("status", "trouble", "said"),
    [
        (408, Trouble.PASSING, "ha:8123 answered 408. The agent tries again."),
        (425, Trouble.PASSING, "answered 425."),
        (429, Trouble.PASSING, "answered 429."),
        (500, Trouble.PASSING, "answered 500."),
        (599, Trouble.PASSING, "answered 599."),
        (101, Trouble.PASSING, "does not speak HTTP as it should"),
        (
            301,
            Trouble.REFUSED,
            "redirects to https://ha.example. Set the url of this [[webhook]] to the final address.",
        ),
        (401, Trouble.REFUSED, "rejects the secret or the url"),
        (403, Trouble.REFUSED, "rejects the secret or the url"),
        (410, Trouble.GONE, "refuses further events (410), so the agent sends it nothing."),
        (400, Trouble.REJECTED, "answered 400: it refused an event. If it checks signatures, then its secret must be"),
        (404, Trouble.REJECTED, "answered 404: it refused an event. Check the path of the url"),
        (422, Trouble.REJECTED, "answered 422: it refused an event."),
    ],
)
def test_what_an_answer_means(status: int, trouble: Trouble, said: str) -> None:
    """Each kind, with a sentence that tells no path; a clock that may be wrong explains a refusal."""
    headers = {"Location": "https://ha.example/api/webhook/geheim"}
    error = of_answer("ha:8123", status, headers, clock_is_doubtful=False)
    assert error.trouble is trouble
    assert said in str(error)
    assert "geheim" not in str(error)
    doubtful = of_answer("ha:8123", status, headers, clock_is_doubtful=True)
    assert doubtful.trouble is (Trouble.PASSING if trouble is Trouble.REJECTED else trouble)


async def test_it_is_tried_again_until_it_is_taken(tmp_path: Path, receiver: Receiver) -> None:
    """Whatever is in the way: with the same id, each attempt signed anew, and when the receiver said; nothing overtakes
    it."""
    receiver.first += [
        Answer(500),
        Answer(429, {"Retry-After": "1"}),
        Answer(408),
        Answer(silent=True),
        Answer(200, endless="headers"),
    ]
    async with box(tmp_path, webhooks=[hook(receiver)]) as life:
        await life.play("http://film/")
        await told(life)
    assert [got.kind for got in receiver.got[:6]] == ["agent_started"] * 6
    assert len({got.id for got in receiver.got[:6]}) == 1
    assert receiver.got[2].at - receiver.got[1].at >= 1.0
    assert once(receiver) == ["agent_started", "session_started", "first_frame"]


async def test_an_answer_without_end_is_an_answer(tmp_path: Path, receiver: Receiver) -> None:
    """Its status is what counts; nobody waits for the rest."""
    receiver.answer = Answer(200, endless="body")
    async with box(tmp_path, webhooks=[hook(receiver)]) as life:
        await life.play("http://film/")
        await told(life)
    assert receiver.kinds == ["agent_started", "session_started", "first_frame"]


async def test_what_is_refused_for_good_is_put_aside(tmp_path: Path, other: Receiver) -> None:
    """Once, with a line in the log; the next one goes on, and the status says what was wrong until one is taken."""
    other.first += [Answer(), Answer(422)]
    with capture_logs() as logs:
        async with box(tmp_path, webhooks=[hook(other)]) as life:
            await life.until(lambda: len(other.got) == 1)
            other.answer = Answer(404)
            await life.play("http://film/")
            await life.until(lambda: len(other.got) == 3 and not only(life).queued)
            assert "answered 404: it refused an event. Check the path of the url" in str(only(life).problem)
            other.answer = Answer()
            await life.tracker.stop()
            await told(life)
            assert only(life).problem is None
    assert [entry["kind"] for entry in logs if entry["event"] == "event_refused"] == ["session_started", "first_frame"]
    db = sqlite3.connect(tmp_path / OUTBOX_FILE)
    letters = db.execute("SELECT reader, json_extract(event, '$.kind'), reason FROM dead_letters").fetchall()
    db.close()
    assert [(kind, "answered 4" in reason) for _, kind, reason in letters] == [
        ("session_started", True),
        ("first_frame", True),
    ]
    assert letters[0][0].startswith("webhook-")


async def test_redirects_are_not_followed(tmp_path: Path, receiver: Receiver, other: Receiver) -> None:
    """The body and the signature go to nobody else; all is kept until the address is mended."""
    receiver.answer = Answer(307, {"Location": other.url})
    hooks = [hook(receiver)]
    async with box(tmp_path, webhooks=hooks) as life:
        await life.play("http://film/")
        await life.until(lambda: only(life).problem)
        assert (only(life).connected, only(life).queued, len(receiver.got)) == (False, 3, 1)
    assert other.got == []


async def test_a_receiver_that_wants_no_more_is_left_alone(tmp_path: Path, receiver: Receiver, other: Receiver) -> None:
    """After a 410, over restarts too, and nothing is kept for it; configured otherwise it is tried again."""
    receiver.answer = Answer(410)
    settings = hook(receiver)
    with capture_logs() as logs:
        async with box(tmp_path, webhooks=[settings, hook(other)]) as life:
            await life.until(lambda: (first := life.reporter.webhooks[:1]) and first[0].disabled)
            await life.play("http://film/")
            await life.until(lambda: len(other.got) == 3 and (tmp_path / WEBHOOKS_FILE).exists())
            disabled = life.reporter.webhooks[0]
            assert (disabled.connected, disabled.queued) == (False, 0)
            assert "refuses further events (410)" in str(disabled.problem)
    said = [entry for entry in logs if entry["event"] == "webhook_call_failed"]
    assert [(entry["trouble"], entry["url"], entry["log_level"]) for entry in said] == [
        ("gone", f"http://127.0.0.1:{receiver.port}", "error")
    ]
    receiver.answer = Answer()
    async with box(tmp_path, webhooks=[settings]) as life:
        await life.until(lambda: only(life).disabled)
        await life.play("http://film/")
        await asyncio.sleep(0.3)  # an event is with its receiver within 0.1 s
        assert len(receiver.got) == 1
    assert (tmp_path / WEBHOOKS_FILE).stat().st_mode & 0o777 == 0o600
    assert SECRET not in (tmp_path / WEBHOOKS_FILE).read_text()
    async with box(tmp_path, webhooks=[hook(receiver, "agent_started")]) as life:
        await told(life)
        await life.until(lambda: json.loads((tmp_path / WEBHOOKS_FILE).read_text()) == {"disabled": []})
    assert receiver.kinds == ["agent_started", "agent_started"]


@pytest.mark.parametrize("content", ["", "{", "[]", '{"disabled": 3}', '{"disabled": ["x"]}'])
async def test_a_damaged_note_of_what_is_disabled_does_no_harm(
    tmp_path: Path, receiver: Receiver, content: str
) -> None:
    """All are asked again then."""
    (tmp_path / WEBHOOKS_FILE).write_text(content)
    async with box(tmp_path, webhooks=[hook(receiver)]) as life:
        await told(life)
    assert receiver.kinds == ["agent_started"]


# --- several, and changes ---


async def test_a_dead_receiver_holds_up_nobody(
    tmp_path: Path, receiver: Receiver, other: Receiver, central: CentralProcess, enrolment_token: str, admin: Admin
) -> None:
    """Neither another one nor the central API; when it is there again it gets everything, in order, also what happened
    before the box was restarted."""
    await enrol(central.url, enrolment_token, folder=tmp_path, name="Kitchen")
    receiver.stop()
    hooks = [hook(receiver), hook(other)]
    async with box(tmp_path, webhooks=hooks) as life:
        await life.play("http://film/")
        await life.tracker.stop()
        await life.until(lambda: [status.queued for status in life.reporter.webhooks] == [4, 0])
        await life.connected()
        device_id = str(life.status.device_id)
        assert [event["kind"] for event in await admin.events(device_id)] == ["agent_started", *CAST]
        dead, alive = life.reporter.webhooks
        assert (dead.connected, dead.queued, alive.connected, alive.queued) == (False, 4, True, 0)
        assert "cannot be reached" in str(dead.problem)
        assert "Check that the receiver runs" in str(dead.problem)
    receiver.start()
    async with box(tmp_path, webhooks=hooks) as life:
        await told(life)
        await life.connected()
        events = await admin.events(device_id)
    assert (
        once(receiver)
        == once(other)
        == [event["kind"] for event in events]
        == ["agent_started", *CAST, "agent_started"]
    )
    assert [got.id for got in other.got] == [event["event_id"] for event in events]
    assert {got.body["data"]["device_id"] for got in other.got} == {"4f0c"}


async def test_a_registration_beside_the_running_agent_disturbs_no_webhook(
    tmp_path: Path, receiver: Receiver, central: CentralProcess, enrolment_token: str, admin: Admin
) -> None:
    """The central API gets what happens from then on, and the webhook everything, as of one run."""
    async with box(tmp_path, webhooks=[hook(receiver)]) as life:
        await told(life)
        receiver.answer = Answer(503)
        await life.play("http://film/")
        await life.until(lambda: only(life).problem)
        await enrol(central.url, enrolment_token, folder=tmp_path, name="Kitchen")
        await life.until(lambda: life.status.device_id)
        device_id = str(life.status.device_id)
        await life.tracker.stop()
        await life.connected()
        assert only(life).queued == 3
        assert [event["kind"] for event in await admin.events(device_id)] == ["session_ended"]
        receiver.answer = Answer()
        await told(life)
        forget_enrolment(tmp_path)
        await life.until(lambda: not life.status.enabled)
        await life.play("http://film/")
        await told(life)
    assert once(receiver) == ["agent_started", *CAST, "session_started", "first_frame"]
    assert len({got.body["data"]["boot_id"] for got in receiver.got}) == 1
    assert list(dict.fromkeys(got.body["data"]["seq"] for got in receiver.got)) == list(range(1, 7))


async def test_states_go_on_counting_within_a_run(
    tmp_path: Path, receiver: Receiver, central: CentralProcess, enrolment_token: str, admin: Admin
) -> None:
    """A registration that is taken away and put back while a webhook keeps the run going: its states are news there."""
    await enrol(central.url, enrolment_token, folder=tmp_path, name="Kitchen")
    kept = (tmp_path / ENROLMENT_FILE).read_text()
    async with box(tmp_path, webhooks=[hook(receiver)]) as life:
        for url in ("http://film/1", "http://film/2", "http://film/3"):
            await life.play(url)
            await life.code()
        await life.connected()
        device_id = str(life.status.device_id)
        before = (await admin.device(device_id))["state"]["seq"]
        forget_enrolment(tmp_path)
        await life.until(lambda: not life.status.enabled)
        (tmp_path / ENROLMENT_FILE).write_text(kept)
        await life.connected()
        assert (await admin.device(device_id))["state"]["seq"] > before
    assert len({got.body["data"]["boot_id"] for got in receiver.got}) == 1


async def test_webhooks_come_and_go_while_it_runs(tmp_path: Path, receiver: Receiver, other: Receiver) -> None:
    """The configuration is read again; a webhook that stays is not sent anything twice, and with the last one nothing
    is kept any more."""
    hooks = [hook(receiver)]
    async with box(tmp_path, webhooks=hooks) as life:
        await told(life)
        hooks.append(hook(other))
        life.reporter.look()
        await life.until(lambda: len(life.reporter.webhooks) == 2)
        await life.play("http://film/")
        await told(life)
        assert (receiver.kinds, other.kinds) == (["agent_started", *CAST[:2]], CAST[:2])
        hooks.pop(0)
        life.reporter.look()
        await life.until(lambda: len(life.reporter.webhooks) == 1)
        await life.tracker.stop()
        await told(life)
        assert (len(receiver.got), other.kinds) == (3, CAST)
        hooks.clear()
        life.reporter.look()
        await life.until(lambda: not life.reporter.webhooks)
        size = (tmp_path / OUTBOX_FILE).stat().st_size
        await life.play("http://film/")
        await asyncio.sleep(0.2)  # an event is on the disk within 0.1 s
        assert len(other.got) == 3
        assert (tmp_path / OUTBOX_FILE).stat().st_size == size
        hooks.append(hook(receiver))
        life.reporter.look()
        await life.until(lambda: len(receiver.got) > 3)


def test_a_kill_at_any_moment_loses_nothing_and_overtakes_nothing(
    tmp_path: Path, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A busy box that is killed again and again, and a receiver that breaks off and refuses: each event of each run
    comes, in order, and what comes again does so before the next one."""
    dice = random.Random(3)
    monkeypatch.setenv("CAST_AGENT_WEBHOOK", json.dumps([{"url": receiver.url, "secret": SECRET}]))
    with FakedAgent(tmp_path, pauses_s=PAUSE_S) as agent:
        for _ in range(6):
            port = agent.live()
            receiver.first += [Answer(dice.choice([204, 204, 500]), {"Retry-After": "0"}) for _ in range(5)]
            killer = threading.Timer(dice.uniform(0.0, 0.1), agent.kill)
            starts = dice.randint(6, 16)  # as many on a machine that is slow
            with contextlib.suppress(*GONE):
                for number in itertools.count(1):
                    call(port, "POST", "/start", {"url": "http://film/"})
                    if number == starts:
                        killer.start()
                    time.sleep(dice.choice((0.0, 0.05, 0.1)))  # some switches overtake each other, some do not
            killer.join()
            receiver.stop()
            receiver.start()
        port = agent.live()

        def is_settled() -> bool:
            told = call(port, "GET", "/status")["webhooks"]
            return bool(told) and not (told[0]["queued"] or told[0]["problem"])

        while not is_settled():
            before = len(receiver.got)
            wait_until(
                lambda before=before: len(receiver.got) > before or is_settled(),  # type: ignore[misc]
                timeout_s=SETTLED_S,
                what="the receiver to get the next one",
            )
        (status,) = call(port, "GET", "/status")["webhooks"]
    assert status["dropped"] == 0
    last: tuple[str, int] = ("", 0)
    for got in receiver.got:
        data = got.body["data"]
        if (this := (data["boot_id"], data["seq"])) != last:
            assert this == (last[0], last[1] + 1) or (this[0] != last[0] and this[1] == 1), (last, got)
        last = this
    assert len({got.body["data"]["boot_id"] for got in receiver.got}) == 7
    assert len({got.id for got in receiver.got}) > 75


async def test_a_damaged_registration_stops_no_webhook(tmp_path: Path, receiver: Receiver) -> None:
    """It is said of itself."""
    (tmp_path / "central.json").write_text("{")
    async with box(tmp_path, webhooks=[hook(receiver)]) as life:
        await told(life)
        assert "is damaged" in str(life.status.problem)
    assert receiver.kinds == ["agent_started"]
