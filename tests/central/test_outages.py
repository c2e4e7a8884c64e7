"""The death of the database, of the service and of the power; and the records that are forgotten on purpose."""

from __future__ import annotations

import asyncio
import contextlib
import random
import signal
import sqlite3
from datetime import timedelta

import pytest
from aiohttp import ClientError, ClientSession

from central.core.db import engine
from central.core.settings import RetentionSettings
from central.devices.settings import DeviceSettings
from central.devices.upkeep import Upkeep
from central.streams import upkeep as streams_upkeep
from tests.central.support.postgres import PostgresServer
from tests.central.support.process import CentralProcess, central_process
from tests.central.support.service import Box, Central, Client, served
from tests.support.tools import LOOK_EVERY_S


async def test_a_lost_postgres_is_503_and_then_all_is_well_again(postgres: PostgresServer, postgres_url: str) -> None:
    """Every call says so with Retry-After; when it is back nobody has to do anything."""
    async with served(postgres_url) as central:
        box = await central.box()
        key = (await central.key())["key"]
        assert (await box.put(box.state())).status == 200
        postgres.stop()
        try:
            for answer in (
                await box.put(box.state()),
                await box.send(box.event()),
                await central.admin("GET", "/streams"),
                await central.auth(key),
                await central.admin("GET", "/stream-keys"),
            ):
                assert (answer.status, answer["code"]) == (503, "database_unavailable")
                assert int(answer.headers["Retry-After"]) > 0
            health = await central.anybody("GET", "/health")
            assert (health.status, health["database"]["status"]) == (503, "unavailable")
            assert "cast_central_database_up 0.0" in (await central.anybody("GET", "/metrics")).body
        finally:
            postgres.start()
        assert (await box.put(box.state())).status == 200
        assert (await box.send(box.event()))["results"][0]["status"] == "accepted"
        assert (await central.auth(key)).status == 200
        assert (await central.anybody("GET", "/health"))["status"] == "healthy"


async def test_a_locked_sqlite_is_503_and_then_all_is_well_again(
    sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another process holds it for longer than we wait; reading goes on."""
    monkeypatch.setattr(engine, "BUSY_TIMEOUT_S", 0.1)
    async with served(sqlite_url) as central:
        box = await central.box()
        file = sqlite_url.removeprefix("sqlite:///")
        other = sqlite3.connect(file, isolation_level=None, check_same_thread=False)
        try:
            await asyncio.to_thread(other.execute, "BEGIN IMMEDIATE")  # the service may be writing, and goes on
            answer = await box.put(box.state())
            assert (answer.status, answer["code"]) == (503, "database_unavailable")
            assert (await central.admin("GET", "/streams")).status == 200
        finally:
            other.close()
        assert (await box.put(box.state())).status == 200


async def test_nothing_that_was_answered_is_lost_when_the_service_is_killed(database_url: str) -> None:
    """Killed with SIGKILL at random moments while boxes report: every event that was accepted is there afterwards, once
    and in order, and so are streams and keys."""
    moments = random.Random(5)
    with central_process(database_url) as process:
        admin_key = process.command("key", "add", "test")
        async with Reporters(process, admin_key, boxes=4) as reporters:
            for _ in range(3):
                await asyncio.sleep(moments.uniform(0.2, 0.6))  # some tens of batches
                assert await asyncio.to_thread(process.end, signal.SIGKILL) == -signal.SIGKILL
                await asyncio.to_thread(process.start)
        await reporters.compare()


class Reporters:
    """Boxes that send events one after the other, each again until it is answered, and keep what was answered."""

    def __init__(self, process: CentralProcess, admin_key: str, *, boxes: int) -> None:
        self._process, self._admin_key, self._number = process, admin_key, boxes
        self._kept: dict[str, list[str]] = {}
        self._boxes: list[Box] = []
        self._codes: dict[str, str] = {}
        self._done = False

    async def __aenter__(self) -> Reporters:
        self._session = ClientSession(self._process.url)
        admin = Client(self._session, self._admin_key)
        for number in range(self._number):
            made = await admin("POST", "/api/v1/devices", {"name": f"box {number}"})
            box = Box(self._session, made["token"], id=made["id"])
            self._boxes.append(box)
            self._codes[box.id] = (await box.cast())["code"]
        self._tasks = [asyncio.create_task(self._report(box)) for box in self._boxes]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._done = True
        await asyncio.gather(*self._tasks)

    async def _report(self, box: Box) -> None:
        kept = self._kept.setdefault(box.id, [])
        while not self._done:
            batch = [box.event() for _ in range(3)]
            while True:
                with contextlib.suppress(ClientError, TimeoutError):
                    answer = await box.send(*batch)
                    assert answer.status == 200, answer.body
                    break
                await asyncio.sleep(0.02)  # a box pauses longer; these are to be there at every moment
            kept += [event["event_id"] for event in batch]

    async def compare(self) -> None:
        async with self._session:
            assert sum(len(kept) for kept in self._kept.values()) > 50
            for box in self._boxes:
                assert await self._events_of(box) == self._kept[box.id]
                assert (await box.cast())["code"] == self._codes[box.id]

    async def _events_of(self, box: Box) -> list[str]:
        found, cursor = [], ""
        while True:
            page = await box("GET", f"/api/v1/devices/{box.id}/events?limit=200{cursor}")
            found += [event["event_id"] for event in page["items"]]
            if page["next_cursor"] is None:
                return found
            cursor = f"&cursor={page['next_cursor']}"


async def test_a_stop_lets_those_finish_who_are_being_answered(postgres: PostgresServer, postgres_url: str) -> None:
    """SIGTERM while a call waits for the database: it is answered, new calls are not taken, and the exit code is 0."""
    with central_process(postgres_url) as process:
        key = process.command("key", "add", f"stop {random.random()}")
        lock = "BEGIN; LOCK TABLE broadcasters IN ACCESS EXCLUSIVE MODE; SELECT pg_sleep(1); COMMIT"
        holding = asyncio.create_task(asyncio.to_thread(postgres.sql, lock, database="central"))
        held = "SELECT count(*) FROM pg_locks WHERE mode = 'AccessExclusiveLock' AND granted"
        async with asyncio.timeout(10):
            while postgres.sql(held, database="central") == "0":
                await asyncio.sleep(LOOK_EVERY_S)
        async with ClientSession(process.url) as session:
            call = asyncio.create_task(Client(session, key)("POST", "/broadcasters", {"name": f"x {random.random()}"}))
            await asyncio.sleep(0.2)  # the call waits for the lock by then, which is held for a second
            assert await asyncio.to_thread(process.end) == 0
            assert (await call).status == 201
        await holding


async def test_old_events_and_streams_are_forgotten(central: Central) -> None:
    """After their time and not before; what is on stays however old it is."""
    box = await central.box()
    await box.send(box.event())
    ended = await box.cast()
    await box("POST", f"/api/v1/streams/{ended['id']}/stop")
    on = await box.cast()
    upkeep = Upkeep(
        central.services.database,
        DeviceSettings(lost=24 * 365),
        RetentionSettings(events=30),
        now=central.clock,
    )

    of_streams = streams_upkeep.Upkeep(central.services.database, RetentionSettings(streams=90), now=central.clock)

    async def left() -> tuple[int, list[str]]:
        await upkeep.once()
        await of_streams.once()
        events = await box("GET", f"/api/v1/devices/{box.id}/events")
        streams = await central.admin("GET", "/api/v1/streams")
        return len(events["items"]), [stream["id"] for stream in streams["items"]]

    central.clock.forward(timedelta(days=29.9).total_seconds())
    assert await left() == (1, [on["id"], ended["id"]])
    central.clock.forward(timedelta(days=0.2).total_seconds())
    assert await left() == (0, [on["id"], ended["id"]])
    central.clock.forward(timedelta(days=60).total_seconds())
    assert await left() == (0, [on["id"]])


async def test_the_stream_of_a_box_that_stays_away_ends(central: Central) -> None:
    """Not before its time, because a box that comes back gets its stream back; also of a box that never reported."""
    box, silent = await central.box(), await central.box("silent")
    await box.put(box.state())
    streams = [await box.cast(), await silent.cast()]
    settings = DeviceSettings(lost=1)
    upkeep = Upkeep(central.services.database, settings, RetentionSettings(), now=central.clock)
    central.clock.forward(3600)
    await upkeep.once()
    assert len((await central.admin("GET", "/streams"))["items"]) == 2
    central.clock.forward(200)
    await upkeep.once()
    assert (await central.admin("GET", "/streams"))["items"] == []
    for stream in streams:
        assert (await central.admin("GET", f"/api/v1/streams/{stream['id']}"))["end_reason"] == "device_lost"


async def test_a_run_of_a_box_that_is_long_over_is_forgotten_but_not_the_current_one(central: Central) -> None:
    """A state of the current run that comes late is still known to be older."""
    box = await central.box()
    first, second = box.state(), box.state()
    await box.put(second)
    central.clock.forward(timedelta(days=40).total_seconds())
    await Upkeep(central.services.database, DeviceSettings(), RetentionSettings(), now=central.clock).once()
    assert (await box.put(first))["accepted"] is False
