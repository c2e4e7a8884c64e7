"""The service under test as processes of their own on a database that keeps what it says, and what is in it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from central.config import DatabaseSettings
from central.db.engine import Database
from central.db.tables import Broadcaster, Device, Stream, StreamKey
from central.ids import new_id
from central.secrets import TokenKind, digest, new_code, new_token
from tests.central.support.postgres import PostgresServer
from tests.central.support.process import CentralProcess

_PORTION = 2_000


@dataclass
class World:
    """Where the service is, and the tokens of those who call it."""

    database: str
    url: str
    instances: list[CentralProcess]
    admin_key: str
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
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    async def fill(self, *, boxes: int, on: int, keys: int) -> None:
        """So many boxes, of which the first `on` have a stream, and so many stream keys."""
        now = datetime.now(UTC)
        broadcaster = Broadcaster(id=new_id(), name=f"bench {new_code()}", created_at=now, meta={})
        made_boxes = [(new_id(), new_token(TokenKind.DEVICE)) for _ in range(boxes)]
        made_keys = [(new_id(), new_token(TokenKind.STREAM_KEY)) for _ in range(keys)]
        rows: list[Any] = [_box(box, token, now) for box, token in made_boxes]
        rows += [_stream(box, now) for box, _ in made_boxes[:on]]
        rows += [_key(key, value, broadcaster.id, now) for key, value in made_keys]
        database = Database(str(DatabaseSettings(url=self.url).url))
        try:
            async with database.write() as session:
                session.add(broadcaster)
            for at in range(0, len(rows), _PORTION):
                async with database.write() as session:
                    session.add_all(rows[at : at + _PORTION])
        finally:
            await database.close()
        self.boxes += made_boxes
        self.keys += made_keys


@contextlib.contextmanager
def world(database: str) -> Iterator[World]:
    """`sqlite` with one instance, or `postgres` with two. Both write to the disk before they answer."""
    with contextlib.ExitStack() as stack:
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
        yield World(database, url, instances, instances[0].command("key", "add", "bench"))


async def settle() -> None:
    """What the last measurement left (a commit, a vacuum) is not the next one's."""
    await asyncio.sleep(1.0)


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
