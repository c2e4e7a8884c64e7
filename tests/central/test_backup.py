"""Backups of a service that runs and takes an upload, restored into another place, on both databases."""

from __future__ import annotations

import asyncio
import contextlib
import io
import os
import shutil
import signal
import sqlite3
import stat
import tarfile
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from central import archive
from central.backup import back_up
from central.cli import main
from central.core.db.migrate import known_revisions
from central.core.errors import BackupError, CentralError, ConfigError
from central.core.ids import new_id
from central.library import folder as library_folder
from central.library import repository
from central.library.settings import S3Settings
from central.library.types import VideoState
from central.restore import Restore
from central.settings import Settings
from tests.central.library.conftest import ServedShelf
from tests.central.support.dumps import FIXTURES, dump_sqlite, fill, load_sqlite
from tests.central.support.postgres import PostgresServer
from tests.central.support.service import Client, served
from tests.reporting.support.full_disk import small_disk
from tests.support.tools import LOOK_EVERY_S

FILM = bytes(range(256)) * 1000
CUT = 200_000
"""Bytes of the film that are there when the backup is made."""


def place_of(url: str, folder: Path) -> Settings:
    """The settings of a service with that database, whose state is in that folder."""
    given = {"database": {"url": url}, "state": {"dir": str(folder)}, "library": {"keep_free": 0}}
    return Settings.model_validate(given)


def sqlite_in(folder: Path) -> Settings:
    return place_of(f"sqlite:///{folder}/central.db", folder)


def files_in(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def elsewhere(request: pytest.FixtureRequest, database_url: str, tmp_path: Path) -> Settings:
    """Another place for the same kind of database, with nothing there."""
    folder = tmp_path / "elsewhere"
    if database_url.startswith("sqlite"):
        return sqlite_in(folder)
    server: PostgresServer = request.getfixturevalue("postgres")
    server.sql("DROP DATABASE IF EXISTS elsewhere")
    server.sql("CREATE DATABASE elsewhere")
    return place_of(server.url("elsewhere"), folder)


@pytest.fixture
def rows(request: pytest.FixtureRequest) -> Callable[[Settings], list[str]]:
    """All rows of a database as text."""

    def text(of: Settings) -> list[str]:
        kind, _, where = of.database_url().partition("://")
        if kind.startswith("sqlite"):
            dumped = dump_sqlite(Path(where[1:]))
        else:
            dumped = request.getfixturevalue("postgres").dump(where.rpartition("/")[2])
        return sorted(line for line in dumped.splitlines() if line.startswith("INSERT"))

    return text


async def test_a_service_that_runs_is_backed_up_and_restored_elsewhere(
    database_url: str,
    elsewhere: Settings,
    rows: Callable[[Settings], list[str]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Every row and every file is there. The upload that was under way goes on, a video that was deleted meanwhile has
    failed, and all is for its user alone."""
    monkeypatch.setattr(library_folder, "PIECE", 1)
    here, backup, go_on = place_of(database_url, tmp_path / "state"), tmp_path / "central.tar", asyncio.Event()
    folder = tmp_path / "state" / "library"

    async def body() -> AsyncIterator[bytes]:
        yield FILM[:CUT]
        await go_on.wait()
        yield FILM[CUT:]

    async with served(database_url, library={"dir": str(folder), "workers": 0}) as central:
        await fill(central)
        token = central.admin.token
        shelf = ServedShelf(central.admin, folder, central)
        ready, deleted, coming = [(await shelf.reserve(FILM))["id"] for _ in range(3)]
        for video_id in (ready, deleted):
            await shelf.put(video_id, FILM)
        [made] = await central.services.database.write(lambda session: _made_ready(session, ready, deleted))
        poster = folder.joinpath("renditions", *made)
        poster.parent.mkdir(parents=True)
        poster.write_bytes(b"a poster")
        sending = asyncio.create_task(shelf.put(coming, body()))
        while (await shelf.get(coming))["received"] < CUT:
            await asyncio.sleep(LOOK_EVERY_S)
        (folder / deleted).unlink()
        await asyncio.to_thread(back_up, here, backup)
        before = rows(here)
        with pytest.raises(BackupError, match="runs on this database"):
            await asyncio.to_thread(Restore(here).run, backup, replace=True)
        go_on.set()
        assert (await sending)["received"] == len(FILM)

    assert stat.S_IMODE(backup.stat().st_mode) == 0o600
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]
    manifest, lost = await asyncio.to_thread(Restore(elsewhere).run, backup, replace=False)
    assert (all(manifest.rows.values()), lost) == (True, 1)
    assert [line for line in rows(elsewhere) if deleted not in line] == [line for line in before if deleted not in line]
    restored = elsewhere.library_folder()
    assert restored is not None
    found = {name: data for name, data in files_in(restored).items() if data}
    assert found == {ready: FILM, coming: FILM[:CUT], f"renditions/{'/'.join(made)}": b"a poster"}
    assert not [path for path in restored.parent.rglob("*") if stat.S_IMODE(path.stat().st_mode) & 0o077]

    async with served(elsewhere.database_url(), library={"dir": str(restored), "workers": 0}) as central:
        shelf = ServedShelf(Client(central.session, token), restored, central)
        assert (await shelf.get(coming))["received"] == CUT
        assert (await shelf.put(coming, FILM[CUT:], CUT))["received"] == len(FILM)
        assert (await shelf.complete(coming)).status == 202
        assert "was deleted while" in (await shelf.get(deleted))["problem"]
    await asyncio.to_thread(Restore(elsewhere).run, backup, replace=True)
    assert [line for line in rows(elsewhere) if deleted not in line] == [line for line in before if deleted not in line]


async def _made_ready(session: AsyncSession, *video_ids: str) -> list[tuple[str, str]]:
    """Have the videos be ready; return the renditions that there are."""
    for video_id in video_ids:
        await repository.change(session, video_id, {"state": VideoState.READY, "sha256": "0" * 64})
    return list(await repository.renditions(session))


@pytest.fixture(scope="module")
def archived(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A backup of an SQLite database and of a library with one film."""
    folder = tmp_path_factory.mktemp("archived")
    shutil.copy(sqlite_template, folder / "central.db")

    async def upload() -> None:
        async with served(f"sqlite:///{folder}/central.db", library={"dir": str(folder / "library")}) as central:
            shelf = ServedShelf(central.admin, folder / "library", central)
            assert (await shelf.put((await shelf.reserve(FILM))["id"], FILM)).status == 200

    asyncio.run(upload())
    back_up(sqlite_in(folder), folder / "central.tar")
    return (folder / "central.tar").read_bytes()


@pytest.fixture
def backup(archived: bytes, tmp_path: Path) -> Path:
    file = tmp_path / "central.tar"
    file.write_bytes(archived)
    return file


def renamed(data: bytes, before: str, after: str) -> bytes:
    """The archive with other names in it."""
    made = io.BytesIO()
    with tarfile.open(fileobj=io.BytesIO(data)) as old, tarfile.open(fileobj=made, mode="w") as new:
        for entry in old:
            content = old.extractfile(entry)
            entry.name = entry.name.replace(before, after)
            new.addfile(entry, content)
    return made.getvalue()


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        (lambda data: data[: len(data) // 2], "a part of"),
        (lambda data: data[: data.rindex(b"SHA256SUMS")], "a part of it is missing"),
        (lambda data: data.replace(FILM[:512], bytes(512), 1), "library/.* has another SHA-256"),
        (lambda _: b"something else" * 1000, "no backup of cast-central"),
        (lambda data: data.replace(b'"format": 1', b'"format": 9'), "newer than this one"),
        (lambda data: data.replace(b'"revision": "0', b'"revision": "9'), "newer than this one"),
        (lambda data: data.replace(b'"sqlite"', b'"oracle"'), "holds a database of oracle"),
        (lambda data: renamed(data, "library/", "../"), "nothing of cast-central"),
    ],
)
def test_what_is_broken_or_of_another_program_is_refused(
    backup: Path, tmp_path: Path, damage: Callable[[bytes], bytes], sentence: str
) -> None:
    """Before anything is touched, though it may be replaced."""
    place = sqlite_in(tmp_path / "elsewhere")
    Restore(place).run(backup, replace=False)
    before = files_in(tmp_path)
    backup.write_bytes(damage(backup.read_bytes()))
    with pytest.raises(BackupError, match=sentence):
        Restore(place).run(backup, replace=True)
    assert files_in(tmp_path) == before | {backup.name: backup.read_bytes()}


def test_a_bucket_is_in_no_backup_and_gets_none(sqlite_url: str, backup: Path, tmp_path: Path) -> None:
    """The database alone is copied, and a library of files is refused where nobody would look for it."""
    in_bucket = place_of(sqlite_url, tmp_path / "state").model_copy(update={"s3": S3Settings(bucket="cast")})
    assert not back_up(in_bucket, tmp_path / "rows.tar").has_library
    empty = sqlite_in(tmp_path / "empty").model_copy(update={"s3": S3Settings(bucket="cast")})
    with pytest.raises(BackupError, match="no bucket in"):
        Restore(empty).run(backup, replace=False)


def test_what_is_there_is_replaced_only_on_demand(backup: Path, tmp_path: Path) -> None:
    """All of it: what a killed service left in the log of SQLite, what a killed restore left, and other videos."""
    place, killed = tmp_path / "place", tmp_path / "killed"
    Restore(sqlite_in(place)).run(backup, replace=False)
    restored = files_in(place)
    with contextlib.closing(sqlite3.connect(place / "central.db")) as left:
        left.execute("CREATE TABLE left_behind (x)")
        shutil.copytree(place, killed)
    assert (killed / "central.db-wal").stat().st_size
    (killed / "library" / new_id()).write_bytes(b"another film")
    (killed / "library" / "lost+found").mkdir()
    (killed / "restoring").mkdir()
    (killed / "restoring" / "database").write_bytes(bytes(10_000_000))
    with pytest.raises(BackupError, match=r"There is a database already\. With --replace"):
        Restore(sqlite_in(killed)).run(backup, replace=False)
    Restore(sqlite_in(killed)).run(backup, replace=True)
    assert files_in(killed) == restored
    assert (killed / "library" / "lost+found").is_dir()
    (killed / "central.db").unlink()
    with pytest.raises(BackupError, match="There is a library already"):
        Restore(sqlite_in(killed)).run(backup, replace=False)


def test_a_backup_of_an_older_version_is_migrated(tmp_path: Path) -> None:
    old, place = tmp_path / "old.db", sqlite_in(tmp_path / "place")
    load_sqlite((FIXTURES / "0003.sqlite.sql").read_text(), old)
    with (
        (tmp_path / "old.tar").open("wb") as out,
        old.open("rb") as database,
        archive.writing(out, moved=lambda _: None) as writer,
    ):
        manifest = archive.Manifest(
            format=1,
            version="0.1.0",
            revision="0003",
            database="sqlite",
            made_at=datetime.now(UTC),
            has_library=False,
            rows={},
            files=0,
        )
        writer.add_text(archive.MANIFEST, manifest.model_dump_json())
        writer.add(archive.DATABASE, database)
    Restore(place).run(tmp_path / "old.tar", replace=False)
    with pytest.raises(BackupError, match="is one of another version"):
        back_up(place_of(f"sqlite:///{old}", tmp_path / "none"), tmp_path / "new.tar")
    back_up(place, tmp_path / "new.tar", with_library=False)
    with contextlib.closing(sqlite3.connect(tmp_path / "place" / "central.db")) as database:
        assert database.execute("SELECT version_num FROM alembic_version").fetchall() == [(known_revisions()[0],)]
        assert database.execute("SELECT count(*) FROM devices").fetchone()[0]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a small disk")
def test_a_full_disk_leaves_what_was_there(backup: Path, tmp_path: Path) -> None:
    """A former backup, and the place of a restore. What was begun is removed."""
    place = sqlite_in(tmp_path / "place")
    Restore(place).run(backup, replace=False)
    with small_disk(tmp_path / "small") as disk:
        (disk.folder / "central.tar").write_bytes(b"a former backup")
        disk.fill()
        with pytest.raises(CentralError, match=r"disk is full|No space left on device"):
            back_up(place, disk.folder / "central.tar")
        assert (disk.folder / "central.tar").read_bytes() == b"a former backup"
        assert len(list(disk.folder.iterdir())) == 2
        with pytest.raises(BackupError, match=r"nothing has changed: .*No space left on device"):
            Restore(sqlite_in(disk.folder / "place")).run(backup, replace=False)
        assert not [name for name in files_in(disk.folder / "place") if not name.endswith(".use")]


def test_the_tools_of_postgres_are_named_when_they_are_missing(
    postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ConfigError, match=r"pg_dump.* apt install postgresql-client"):
        back_up(place_of(postgres_url, tmp_path), tmp_path / "central.tar")
    assert not list(tmp_path.iterdir())


def test_the_commands_say_what_they_did(
    backup: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Or exit with 1 and a sentence."""
    monkeypatch.setenv("CAST_CENTRAL_STATE__DIR", str(tmp_path / "place"))
    monkeypatch.setattr(signal, "signal", lambda *_: None)  # this is the process of all tests

    def said(code: int, *arguments: str) -> str:
        assert main(list(arguments)) == code
        output, messages = capsys.readouterr()
        assert arguments[0] != "backup" or output == "", "where the backup follows it would be damaged"
        return output + messages

    assert "1 files of the library" in said(0, "restore", str(backup))
    assert said(1, "restore", str(backup)).startswith("cast-central: There is a database already.")
    assert "the database and not the library" in said(0, "backup", "--without-library", str(tmp_path / "again.tar"))
