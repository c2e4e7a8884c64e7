"""The service under test as processes of their own on a database that keeps what it says, and what is in it."""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from bench.processes import cpu_s, family
from central.core.db.engine import Database
from central.core.ids import new_id
from central.core.secrets import TokenKind, digest, new_code, new_token
from central.core.settings import DatabaseSettings
from central.devices.tables import Device
from central.media.tables import Broadcaster, StreamKey
from central.streams.tables import Stream
from tests.central.support.postgres import PostgresServer
from tests.central.support.process import CentralProcess

_PORTION = 2_000

_QUIET_S = 0.5
"""Fifty ticks of the kernel's count of processor time: in less, one tick would count for much."""
_QUIET = 0.05
"""The part of a core, over so long, up to which the service is at rest."""
_QUIET_WITHIN_S = 60.0
"""A vacuum of what a measurement wrote takes some seconds."""


@dataclass
class World:
    """The addresses of the service, and the tokens of its callers."""

    database: str
    url: str
    instances: list[CentralProcess]
    admin_key: str
    server: PostgresServer | None
    """None on SQLite."""
    boxes: list[tuple[str, str]] = field(default_factory=list)
    """Id and token."""
    keys: list[tuple[str, str]] = field(default_factory=list)
    """Id and value of stream keys."""

    @property
    def port(self) -> int:
        return self.instances[0].port

    def cpu_s(self) -> float:
        """Processor seconds that the first instance has used so far."""
        (pid,) = self.instances[0].pids
        return cpu_s(pid)

    async def settle(self) -> None:
        """Return when nobody is busy with what the last measurement left (a commit, a vacuum). Raises TimeoutError."""
        deadline = time.monotonic() + _QUIET_WITHIN_S
        while await self._used() > _QUIET * _QUIET_S:
            if time.monotonic() > deadline:
                raise TimeoutError(f"The service or its database was still busy after {_QUIET_WITHIN_S:g} s")

    async def _used(self) -> float:
        """Processor seconds of the service and its database within _QUIET_S."""
        before = self._cpu()
        await asyncio.sleep(_QUIET_S)
        return sum(used - before.get(pid, 0.0) for pid, used in self._cpu().items())

    def _cpu(self) -> dict[int, float]:
        roots = [instance.pids for instance in self.instances] + ([self.server.pids] if self.server else [])
        used = {}
        for pid in (member for pids in roots for root in pids for member in family(root)):
            with contextlib.suppress(OSError):  # a process of the database that has just ended
                used[pid] = cpu_s(pid)
        return used

    async def fill(self, *, boxes: int, on: int, keys: int) -> None:
        """Make so many boxes, of which the first `on` have a stream, and so many stream keys."""
        now = datetime.now(UTC)
        broadcaster = Broadcaster(id=new_id(), name=f"bench {new_code()}", created_at=now, meta={})
        made_boxes = [(new_id(), new_token(TokenKind.DEVICE)) for _ in range(boxes)]
        made_keys = [(new_id(), new_token(TokenKind.STREAM_KEY)) for _ in range(keys)]
        rows: list[Any] = [_box(box, token, now) for box, token in made_boxes]
        rows += [_stream(box, now) for box, _ in made_boxes[:on]]
        rows += [_key(key, value, broadcaster.id, now) for key, value in made_keys]
        database = Database(str(DatabaseSettings(url=self.url).url))
        try:
            await database.add(broadcaster)
            for at in range(0, len(rows), _PORTION):
                await database.add(*rows[at : at + _PORTION])
        finally:
            await database.close()
        self.boxes += made_boxes
        self.keys += made_keys


@contextlib.contextmanager
def busy_core() -> Iterator[None]:
    """Another process that never rests, as on a machine that has more to do than this."""
    process = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        yield
    finally:
        process.kill()
        process.wait()


@contextlib.contextmanager
def world(database: str) -> Iterator[World]:
    """`sqlite` with one instance, or `postgres` with two. Both write to the disk before they answer."""
    with contextlib.ExitStack() as stack:
        server = None
        if database == "postgres":
            server = PostgresServer(options=("max_connections=60", "shared_buffers=128MB"))
            stack.callback(server.close)
            server.start()
            server.sql("CREATE DATABASE central")
            url = server.url("central")
        else:
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-central-"))
            url = f"sqlite:///{folder}/central.db"
        instances = []
        for _ in range(2 if database == "postgres" else 1):
            process = CentralProcess(url)
            stack.callback(process.close)
            process.start()
            instances.append(process)
        yield World(database, url, instances, instances[0].command("key", "add", "bench"), server)


def _box(box_id: str, token: str, now: datetime) -> Device:
    return Device(
        id=box_id,
        name="box",
        token_hash=digest(token),
        created_at=now,
        revoked_at=None,
        last_seen=None,
        online_until=None,
        agent_version=None,
        meta={},
    )


def _stream(box_id: str, now: datetime) -> Stream:
    return Stream(
        id=new_id(),
        code=new_code(),
        source="device",
        device_id=box_id,
        title="A film of an evening",
        url="http://nas.local/films/film.mp4",
        status="active",
        started_at=now,
        meta={},
    )


def _key(key_id: str, value: str, broadcaster_id: str, now: datetime) -> StreamKey:
    return StreamKey(
        id=key_id,
        broadcaster_id=broadcaster_id,
        name="bench",
        key_hash=digest(value),
        path=None,
        created_at=now,
        expires_at=None,
        revoked_at=None,
        last_used=None,
    )
