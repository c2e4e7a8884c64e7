"""Migrations: up, down, one instance at a time, and the same tables as the code has."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, inspect, text
from sqlalchemy.ext.asyncio import AsyncSession

from central.core.db import migrate as migrate_module
from central.core.db.base import Base
from central.core.db.engine import Database
from central.core.db.migrate import configuration, migrate
from central.core.errors import ConfigError
from central.core.ids import new_id
from central.core.pages import utc_now
from central.core.settings import DatabaseSettings
from central.library.tables import Rendition, Video
from central.locks import LOCK_ORDER
from tests.central.conftest import DATABASES
from tests.central.support.dumps import FIXTURES, load_sqlite
from tests.central.support.postgres import PostgresServer


@pytest.fixture(params=DATABASES)
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Of a database without any table."""
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path}/new/central.db"
    else:
        server: PostgresServer = request.getfixturevalue("postgres")
        server.sql("DROP DATABASE IF EXISTS empty")
        server.sql("CREATE DATABASE empty")
        url = server.url("empty")
    return str(DatabaseSettings(url=url).url)


async def test_migrations_go_up_down_and_up_and_make_the_tables_of_the_code(empty_url: str) -> None:
    """Nothing differs from `tables`, and nothing is left below."""

    def differences(connection: Connection) -> list[object]:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        return list(compare_metadata(context, Base.metadata))

    def tables(connection: Connection) -> set[str]:
        return set(inspect(connection).get_table_names()) - {"alembic_version", "sqlite_sequence"}

    database = Database(empty_url, lock_order=LOCK_ORDER)
    try:
        for revision, expected in (("head", set(Base.metadata.tables)), ("base", set()), ("head", None)):
            await migrate(database, revision)
            async with database.read() as session:
                connection = await session.connection()
                assert expected is None or await connection.run_sync(tables) == expected
        async with database.read() as session:
            connection = await session.connection()
            assert await connection.run_sync(differences) == []
            names = await connection.run_sync(lambda c: {i["name"] for i in inspect(c).get_indexes("streams")})
            assert {f"uq_streams_{c}_active" for c in ("code", "device_id", "path", "stream_key_id")} <= names
    finally:
        await database.close()


async def test_instances_that_start_together_migrate_once(empty_url: str) -> None:
    """Four processes at the same moment: all succeed."""
    environment = os.environ | {"CAST_CENTRAL_DATABASE__URL": empty_url}
    command = [sys.executable, "-m", "central.cli", "key", "list"]
    started = [
        await asyncio.create_subprocess_exec(*command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        for _ in range(4)
    ]
    done = await asyncio.gather(*(process.communicate() for process in started))
    assert [process.returncode for process in started] == [0] * 4, done


@pytest.mark.parametrize("dump", sorted(FIXTURES.glob("*.sql")), ids=lambda path: path.name)
async def test_no_migration_loses_a_row(dump: Path, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    """From each schema that there was, with data in every table: up to today's, back, and up again."""
    revision, kind, _ = dump.name.split(".")
    if kind == "sqlite":
        url = f"sqlite:///{tmp_path}/old/central.db"
        load_sqlite(dump.read_text(), tmp_path / "old" / "central.db")
    else:
        server: PostgresServer = request.getfixturevalue("postgres")
        server.sql("DROP DATABASE IF EXISTS old")
        server.sql("CREATE DATABASE old")
        server.load(dump.read_text(), database="old")
        url = server.url("old")
    database = Database(str(DatabaseSettings(url=url).url))
    try:
        before = await rows_of(database)
        assert revision != head() or before.keys() >= Base.metadata.tables.keys()
        assert all(before.values()), before
        for target in ("head", revision, "head"):
            await migrate(database, target)
            after = await rows_of(database)
            assert {table: after[table] for table in before} == before, target
        async with database.read() as session:
            connection = await session.connection()
            differing = await connection.run_sync(
                lambda c: compare_metadata(MigrationContext.configure(c, opts={"compare_type": True}), Base.metadata)
            )
        assert differing == []
    finally:
        await database.close()


async def test_a_table_that_is_made_anew_keeps_what_refers_to_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SQLite changes a column by dropping the table: events, states and claims stay. A backup is made before."""
    scripts = tmp_path / "migrations"
    shutil.copytree(Path(migrate_module.__file__).parent / "migrations", scripts)
    (scripts / "versions" / "9998_all_anew.py").write_text(ALL_ANEW.format(head=head()))
    file = tmp_path / "old" / "central.db"
    load_sqlite((FIXTURES / f"{head()}.sqlite.sql").read_text(), file)
    database = Database(str(DatabaseSettings(url=f"sqlite:///{file}").url))
    before = await rows_of(database)
    config = configuration()
    config.set_main_option("script_location", str(scripts))
    monkeypatch.setattr(migrate_module, "configuration", lambda: config)
    try:
        await migrate(database)
        assert await rows_of(database) == before
        async with database.read() as session:
            assert (await session.execute(text("PRAGMA foreign_keys"))).scalar() == 1
    finally:
        await database.close()
    [backup] = tmp_path.glob("old/central.db.before-*")
    assert backup.stat().st_mode & 0o777 == 0o600
    with contextlib.closing(sqlite3.connect(backup)) as kept:
        assert kept.execute("SELECT count(*) FROM events").fetchone() == (before["events"],)
        assert kept.execute("SELECT version_num FROM alembic_version").fetchone() == (head(),)


async def test_without_room_for_a_backup_nothing_is_migrated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It says how much is needed, and the database is as it was."""
    file = tmp_path / "central.db"
    oldest = min(FIXTURES.glob("*.sqlite.sql"))
    load_sqlite(oldest.read_text(), file)
    (tmp_path / f"central.db.before-{oldest.name[:4]}.part").mkdir()  # as good as a disk that takes no file
    database = Database(str(DatabaseSettings(url=f"sqlite:///{file}").url))
    try:
        with pytest.raises(ConfigError, match="It needs 1 MB in"):
            await migrate(database)
    finally:
        await database.close()
    with contextlib.closing(sqlite3.connect(file)) as left:
        assert left.execute("SELECT version_num FROM alembic_version").fetchone() == (oldest.name[:4],)


async def test_what_boxes_got_instead_of_an_original_comes_back(empty_url: str) -> None:
    """The version before knows the rendition of a film that it played nowhere, and no other."""
    database = Database(empty_url, lock_order=LOCK_ORDER)
    try:
        await migrate(database)
        now = utc_now()
        films = (("video/x-msvideo", "h264", "aac"), ("video/mp4", "prores", None), ("video/mp4", "h264", "wmapro"))
        plays = (("video/mp4", "h264", "pcm_s16le"), ("video/mp4", "h264", None))

        async def fill(session: AsyncSession) -> None:
            for media_type, picture, sound in (*films, *plays):
                video_id = new_id()
                session.add(
                    Video(
                        id=video_id,
                        title="A film",
                        description="",
                        tags="\n",
                        words="",
                        type=media_type,
                        size=1,
                        state="ready",
                        made_by="a test",
                        video_codec=picture,
                        audio_codec=sound,
                        created_at=now,
                        updated_at=now,
                    )
                )
                await session.flush()
                for kind in ("1080p", "720p"):
                    made = {"id": new_id(), "video_id": video_id, "kind": kind, "sha256": "0" * 64, "created_at": now}
                    session.add(Rendition(**made, size=1, width=2, height=2))

        await database.write(fill)
        await migrate(database, "0008")
        query = "SELECT v.type, v.video_codec, v.audio_codec FROM videos v JOIN renditions r ON r.id = v.rendition_id"
        async with database.read() as session:
            found = [tuple(row) for row in await session.execute(text(f"{query} WHERE r.kind = '1080p'"))]
            others = await session.scalar(text("SELECT count(*) FROM videos WHERE rendition_id IS NULL"))
        assert (sorted(found, key=str), others) == (sorted(films, key=str), len(plays))
    finally:
        await database.close()


async def rows_of(database: Database) -> dict[str, int]:
    """The number of rows of each table."""
    async with database.read() as session:
        connection = await session.connection()
        names = await connection.run_sync(lambda c: inspect(c).get_table_names())
        names = [name for name in names if name != "sqlite_sequence"]
        return {
            name: (await session.execute(text(f"SELECT count(*) FROM {name}"))).scalar_one() for name in sorted(names)
        }


def head() -> str:
    return str(ScriptDirectory.from_config(configuration()).get_current_head())


ALL_ANEW = """
import sqlalchemy as sa
from alembic import op
revision, down_revision, branch_labels, depends_on = "9998", "{head}", None, None
def upgrade():
    for table in ("devices", "stream_keys", "broadcasters"):
        with op.batch_alter_table(table, recreate="always") as batch:
            batch.add_column(sa.Column("anew", sa.Integer()))
def downgrade():
    pass
"""


async def test_a_database_of_a_newer_version_is_left_alone(empty_url: str) -> None:
    """It says what to do, and touches nothing."""
    database = Database(empty_url)
    try:
        await migrate(database)
        newer = text("UPDATE alembic_version SET version_num = '9999'")
        await database.write(lambda session: session.execute(newer))
        with pytest.raises(ConfigError, match="newer version"):
            await migrate(database)
    finally:
        await database.close()
