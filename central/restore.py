"""`cast-central restore`: puts back what `cast-central backup` wrote.

All of it is unpacked beside its place and compared with its sums first, and nothing else is touched until then. After
that the database is exchanged at once, and the files of the library are renamed into their place.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Final

from pydantic import ValidationError

from central import archive
from central.core.db.dump import has_tables, load_postgres, revision, users
from central.core.db.engine import make_private, open_private, opened, sqlite_file
from central.core.db.file_lock import locked
from central.core.db.migrate import known_revisions, migrate, use_file
from central.core.errors import BackupError
from central.core.pages import utc_now
from central.library import contents
from central.progress import progress
from central.settings import Settings

FOLDER: Final = "restoring"
"""A folder in which what is restored is prepared; one that a killed restore left behind is deleted."""

LOOKS: Final = 10
LOOK_EVERY_S: Final = 0.1
"""A service that was stopped a moment ago may still be connected in the eyes of PostgreSQL."""

_RUNS: Final = (
    "cast-central runs on this database. Stop the service and its workers first: systemctl stop cast-central."
)


class Restore:
    """One restore, into the place that the settings name."""

    def __init__(self, settings: Settings) -> None:
        """Raises ConfigError."""
        self._url = settings.database_url()
        self._file = sqlite_file(self._url)
        self._root = settings.videos_folder()
        self._beside = (self._file.parent if self._file else settings.state.directory()) / FOLDER
        self._dump = self._beside / archive.DATABASE

    def run(self, backup: Path, *, replace: bool) -> tuple[archive.Manifest, int]:
        """Restore the backup, with `replace` in place of what is there, which is lost then; return its description and
        the number of its videos that were deleted while it was made.

        Raises BackupError, ConfigError or DatabaseUnavailableError.
        """
        with _telling(f"The backup {backup} cannot be restored, and nothing has changed"), self._prepared():
            is_taken = asyncio.run(self._is_taken())
            manifest = self._unpack(backup, is_taken=is_taken, replace=replace)
            with _telling("The backup is restored in part only; restore it once more, with --replace"):
                lost = self._exchange(manifest)
        return manifest, lost

    @contextlib.contextmanager
    def _prepared(self) -> Iterator[None]:
        """An empty folder to unpack into, and no service that uses the database."""
        make_private(self._beside.parent)
        with contextlib.ExitStack() as held:
            if self._file:
                try:
                    held.enter_context(locked(use_file(self._file)))
                except BlockingIOError as error:
                    raise BackupError(_RUNS) from error
            self._clean()
            make_private(self._beside)
            try:
                yield
            finally:
                self._clean()

    def _clean(self) -> None:
        for folder in (self._beside, self._root / FOLDER if self._root else None):
            if folder is not None and folder.exists():
                shutil.rmtree(folder)

    async def _is_taken(self) -> bool:
        """Return True if there is a database already. Raises BackupError while a service uses it."""
        if self._file:
            return self._file.exists() and self._file.stat().st_size > 0
        async with opened(self._url) as database, database.read() as session:
            for _ in range(LOOKS):
                if not await users(session):
                    break
                await asyncio.sleep(LOOK_EVERY_S)
            else:
                raise BackupError(_RUNS)
            if await revision(session) not in (None, *known_revisions()):
                raise BackupError("The database is one of a newer version of cast-central. Name an empty one.")
            return await has_tables(session)

    def _unpack(self, backup: Path, *, is_taken: bool, replace: bool) -> archive.Manifest:
        manifest = None
        with backup.open("rb") as file, progress(os.fstat(file.fileno()).st_size) as moved:
            for name, content in archive.entries(file, moved=moved):
                if manifest is None:
                    manifest = self._manifest(name, content, is_taken=is_taken, replace=replace)
                else:
                    _copy(content, self._place(name))
        if manifest is None or not self._dump.exists():
            raise BackupError("The backup holds no database.")
        return manifest

    def _manifest(self, name: str, content: archive.Reading, *, is_taken: bool, replace: bool) -> archive.Manifest:
        """The description of a backup that can be restored here. Raises BackupError."""
        try:
            manifest = archive.Manifest.model_validate_json(content.read(archive.MANIFEST_LIMIT))
        except ValidationError as error:
            raise BackupError("This is no backup of cast-central.") from error
        if manifest.format > archive.FORMAT or manifest.revision not in known_revisions():
            raise BackupError(
                f"The backup was made by cast-central {manifest.version}, which is newer than this one "
                f"({version('cast-agent')}). Restore it with that version."
            )
        kind = "sqlite" if self._file else "postgresql"
        if manifest.database != kind:
            raise BackupError(
                f"The backup holds a database of {manifest.database}, and this service uses {kind}. Set database.url "
                "to another one."
            )
        if manifest.has_library and self._root is None:
            raise BackupError(
                "The backup holds a library, and there is no folder for it. Set library.dir, and no bucket in [s3]."
            )
        has_library = manifest.has_library and self._root is not None and not contents.is_empty(self._root)
        if (is_taken or has_library) and not replace:
            what = "a database" if is_taken else "a library"
            raise BackupError(f"There is {what} already. With --replace the backup takes its place, and it is lost.")
        return manifest

    def _place(self, name: str) -> Path:
        """The place to unpack an entry to. Raises BackupError."""
        if name == archive.DATABASE:
            return self._dump
        inside = name.removeprefix(archive.LIBRARY)
        if self._root is None or inside == name or not contents.is_name(inside):
            raise BackupError(f"The backup holds {name!r}, which is nothing of cast-central.")
        return self._root / FOLDER / inside

    def _exchange(self, manifest: archive.Manifest) -> int:
        """Put what is unpacked in its place; return the number of videos whose files are lost."""
        if self._file:
            asyncio.run(self._migrated(f"sqlite+aiosqlite:///{self._dump}"))
            for suffix in ("-wal", "-shm"):  # of the old one: SQLite would read them into the new one
                Path(f"{self._file}{suffix}").unlink(missing_ok=True)
            os.replace(self._dump, self._file)
        else:
            asyncio.run(self._loaded())
        lost = 0
        if manifest.has_library and self._root is not None:
            make_private(self._root / FOLDER)
            contents.replace(self._root, self._root / FOLDER)
            lost = asyncio.run(self._lost(self._root))
        os.sync()  # what is called restored outlives a power cut
        return lost

    async def _migrated(self, url: str) -> None:
        async with opened(url) as database:
            await migrate(database)

    async def _loaded(self) -> None:
        async with opened(self._url) as database:
            await load_postgres(database, self._dump)
            await migrate(database)

    async def _lost(self, root: Path) -> int:
        async with opened(self._url) as database:
            return await contents.mark_lost(database, root, now=utc_now())


@contextlib.contextmanager
def _telling(what: str) -> Iterator[None]:
    """Turn an OSError into BackupError."""
    try:
        yield
    except OSError as error:
        raise BackupError(f"{what}: {error}.") from error


def _copy(content: archive.Reading, to: Path) -> None:
    make_private(to.parent)
    with open(open_private(to), "wb") as out:
        shutil.copyfileobj(content, out, archive.PIECE)
