"""Dumps of a database with data in every table, to try migrations on.

`python -m tests.central.support.dumps` writes those of today's schema, for both databases, into tests/central/fixtures;
run it in the commit that adds a migration, and leave the older ones alone.
"""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import tempfile
from datetime import timedelta
from pathlib import Path

from alembic.script import ScriptDirectory
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from central.core.db.engine import Database
from central.core.db.migrate import configuration, migrate
from central.core.ids import new_id
from central.core.settings import DatabaseSettings
from central.library.jobs import new_job
from central.library.tables import Rendition, Video
from central.library.types import JobKind
from tests.central.support.postgres import PostgresServer
from tests.central.support.service import Central, served

FIXTURES = Path(__file__).parents[1] / "fixtures"


async def fill(central: Central) -> None:
    """Rows in every table: boxes with and without a stream, a revoked one, publishers, keys, claims, tokens."""
    await central.services.access.add_key("an admin")
    await central.anybody("POST", "/api/v1/session", {"key": central.admin.token})
    await central.services.boxes.enrolments.add(uses=3, valid_for=timedelta(days=1))
    for name in ("kitchen", "hall"):
        box = await central.box(name)
        await box.cast(title=f"On in the {name}")
        await box.send(box.event(), box.event("first_frame"))
        await box.put(box.state(engines=[{"name": "mpv", "version": "0.35.1", "codecs": ["h264", "aac"]}]))
    gone = await central.box("gone")
    await gone.cast()
    await central.admin("DELETE", f"/api/v1/devices/{gone.id}")
    key = await central.key()
    await central.auth(key["key"])
    await central.ready()
    waiting = await central.key()
    await central.auth(waiting["key"], "live/two", "c2")
    film = await central.admin("POST", "/api/v1/videos", {"title": "A film", "type": "video/mp4", "size": 1})
    deleted = await central.admin("POST", "/api/v1/videos", {"title": "Deleted", "type": "video/mp4", "size": 1})
    await central.admin("DELETE", f"/api/v1/videos/{deleted['id']}")
    for video in (film, deleted):
        shown = {"video_id": video["id"], "seconds": 12.5, "completed": True}
        await box.send(box.event("session_ended", data={"reason": "finished", "shown": shown}))
    await central.services.database.write(_library)
    await central.admin("POST", "/api/v1/live", {"title": "A live stream"})
    revoked = await central.key()
    await central.admin("DELETE", f"/stream-keys/{revoked['id']}")


async def _library(session: AsyncSession) -> None:
    """A job of a film, and what one made."""
    [video] = (await session.scalars(select(Video))).all()
    now = video.created_at
    made = {"id": new_id(), "video_id": video.id, "kind": JobKind.HD, "sha256": "0" * 64, "created_at": now}
    session.add_all([new_job(video.id, JobKind.POSTER, now=now), Rendition(**made, size=1, width=1280, height=720)])


def dump_sqlite(file: Path) -> str:
    with contextlib.closing(sqlite3.connect(file)) as database:
        return "\n".join(database.iterdump()) + "\n"


def load_sqlite(text: str, file: Path) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    with contextlib.closing(sqlite3.connect(file)) as database:
        database.executescript(text)


async def write_all(head: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "central.db"
        url = str(DatabaseSettings(url=f"sqlite:///{file}").url)
        await _filled(url)
        (FIXTURES / f"{head}.sqlite.sql").write_text(dump_sqlite(file))
    server = PostgresServer()
    server.start()
    try:
        server.sql("CREATE DATABASE dumped")
        await _filled(str(DatabaseSettings(url=server.url("dumped")).url))
        (FIXTURES / f"{head}.postgres.sql").write_text(server.dump("dumped"))
    finally:
        server.close()


async def _filled(url: str) -> None:
    database = Database(url)
    await migrate(database)
    await database.close()
    with tempfile.TemporaryDirectory() as folder:
        async with served(url, library={"dir": folder}) as central:
            await fill(central)


if __name__ == "__main__":
    asyncio.run(write_all(str(ScriptDirectory.from_config(configuration()).get_current_head())))
