"""Wakes through a real RabbitMQ, skipped where there is none; and what holds without it."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Iterator
from functools import partial
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from cast_util.backoff import Backoff
from central.core import rabbit_wakes
from central.core.rabbit_wakes import RabbitWakes
from central.library.feature import JOBS
from tests.central.library.conftest import ServedShelf
from tests.central.library.test_jobs import job
from tests.central.support.servers import RABBITMQ, RabbitServer
from tests.central.support.service import served
from tests.support.leaks import LeakCheck
from tests.support.tools import until

needs_rabbitmq = pytest.mark.skipif(
    not RABBITMQ.exists(), reason="THE REAL RABBITMQ WAS NOT TESTED: apt-get install rabbitmq-server"
)
RESTART_S = 60.0
"""A node that was killed needs some 10 s on a busy machine."""


@pytest.fixture(scope="module")
def rabbit(leaks: LeakCheck) -> Iterator[RabbitServer]:
    server = RabbitServer()
    leaks.own_pids(lambda: server.pids)
    try:
        server.start()
        yield server
    finally:
        server.close()


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rabbit_wakes, "PAUSES", Backoff(0.05, cap_s=0.2))


class Program:
    """A program with a worker for films and one for sounds, and what they heard."""

    def __init__(self, url: str) -> None:
        self.wakes = RabbitWakes(url)
        self.heard: set[str] = set()
        self.tell = {topic: self.wakes.join(topic, partial(self.heard.add, topic)) for topic in ("film", "sound")}

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[Program]:
        running = asyncio.create_task(self.wakes.run())
        try:
            yield self
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)

    async def connected(self) -> None:
        """Every worker is woken by that."""
        await until(lambda: self.wakes.check().available, timeout_s=RESTART_S)
        assert self.heard == {"film", "sound"}
        self.heard.clear()


async def test_without_the_server_this_program_is_woken(caplog: pytest.LogCaptureFixture) -> None:
    """At once; the log says once that others are not, and nowhere with which password."""
    tries = 0

    async def hang_up(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal tries
        tries += 1
        writer.close()

    server = await asyncio.start_server(hang_up, "127.0.0.1")
    program = Program(f"amqp://guest:a-password@127.0.0.1:{server.sockets[0].getsockname()[1]}/")
    with capture_logs() as logs:
        async with server, program.running():
            await until(lambda: logs)
            program.tell["film"]()
            assert program.heard == {"film"}
            assert not program.wakes.check().available
            await until(lambda: tries > 2)
    assert [line["event"] for line in logs] == ["broker_lost"]
    assert not [record for record in caplog.records if record.levelno > logging.INFO]
    assert "a-password" not in str(logs) + caplog.text


async def test_an_end_that_meets_a_failure_is_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """The client raises the failure, and not the cancellation (asyncio.wait_for in Python 3.11)."""
    begun = asyncio.Event()

    async def connect(*_: object, **__: object) -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            raise ConnectionError("refused") from None

    monkeypatch.setattr("aio_pika.connect", connect)
    running = asyncio.create_task(RabbitWakes("amqp://127.0.0.1/").run())
    await begun.wait()
    running.cancel()
    async with asyncio.timeout(5):
        await asyncio.wait({running})
    assert running.cancelled()


@needs_rabbitmq
async def test_workers_of_all_programs_are_woken(rabbit: RabbitServer) -> None:
    """Those of the topic. Those of a program that was not connected are all woken when it is, and what could not be
    told before is told then."""
    one, two = Program(rabbit.url), Program(rabbit.url)
    with capture_logs() as logs:
        async with one.running(), two.running():
            for program in (one, two):
                await program.connected()
            one.tell["film"]()
            await until(lambda: two.heard == {"film"})
            two.tell["sound"]()
            await until(lambda: one.heard == {"film", "sound"})
            await asyncio.to_thread(rabbit.end)
            await until(lambda: not any(program.wakes.check().available for program in (one, two)))
            for program in (one, two):
                program.heard.clear()
            await asyncio.to_thread(rabbit.start)
            for program in (one, two):
                await program.connected()
            one.tell["film"]()
            await until(lambda: two.heard == {"film"})
    assert sorted(line["event"] for line in logs) == ["broker_lost"] * 2 + ["broker_recovered"] * 2


@needs_rabbitmq
async def test_a_job_wakes_a_worker_elsewhere(rabbit: RabbitServer, sqlite_url: str, tmp_path: Path) -> None:
    """The service tells it, and /health says that it can."""
    woken = asyncio.Event()
    elsewhere = RabbitWakes(rabbit.url)
    elsewhere.join(JOBS, woken.set)
    working = asyncio.create_task(elsewhere.run())
    async with served(
        sqlite_url, broker={"url": rabbit.url}, library={"dir": str(tmp_path / "library"), "workers": 0}
    ) as central:
        checks = (elsewhere.check, central.services.servers.checks["broker"])
        await until(lambda: all(check().available for check in checks))
        assert (await central.anybody("GET", "/health"))["broker"] == {"status": "available", "detail": None}
        woken.clear()
        await job(ServedShelf(central.admin, tmp_path / "library", central))
        async with asyncio.timeout(10):
            await woken.wait()
    working.cancel()
    await asyncio.gather(working, return_exceptions=True)
