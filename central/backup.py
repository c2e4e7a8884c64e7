"""`cast-central backup`: the database and the files of the library in one archive, while the service runs.

The database is copied first, as it is at one moment, and then the files that it knows. A file never changes once its
upload is complete. So whatever happens in between, the two fit: an upload has come further, and goes on from where its
file ends, as after a crash; a video was deleted, and fails when the backup is restored.
"""

from __future__ import annotations

import asyncio
import os
import tempfile
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Final

from central import archive
from central.core.db.dump import revision, rows, snapshot
from central.core.db.engine import open_private, opened, sqlite_file
from central.core.db.migrate import known_revisions
from central.core.errors import BackupError
from central.library import contents
from central.progress import progress
from central.settings import Settings

COUNT_S: Final = 600.0
"""The longest time for which the rows of one table are counted: it may hold events of years."""


def back_up(settings: Settings, file: Path, *, with_library: bool = True) -> archive.Manifest:
    """Write a backup to `file`, where it appears when it is whole, for its user alone.

    Raises BackupError, ConfigError or DatabaseUnavailableError.
    """
    if file.is_dir():
        raise BackupError(f"{file} is a folder. Name a file in it.")
    root = settings.videos_folder() if with_library else None
    try:
        with tempfile.TemporaryDirectory(prefix=f".{file.name}.", dir=file.parent) as scratch:
            dump, whole = Path(scratch) / "database", Path(scratch) / "archive"
            manifest, files = asyncio.run(_saved(settings, dump, root))
            lost = _write(whole, manifest, dump, files)
            if lost and root is not None and contents.is_empty(root):
                raise BackupError(
                    f"The videos are not in {root}. Mount the disk that holds them, or leave them out: "
                    "--without-library."
                )
            os.replace(whole, file)
    except OSError as error:
        raise BackupError(f"The backup {file} cannot be made: {error}.") from error
    return manifest


async def _saved(settings: Settings, dump: Path, root: Path | None) -> tuple[archive.Manifest, Mapping[str, Path]]:
    """Write the database to `dump`; the description of the backup, and the files that the database knows."""
    async with opened(settings.database_url(), statement_s=COUNT_S) as database:
        if (file := sqlite_file(database.url)) is not None and not file.exists():
            raise BackupError(f"There is no database {file}. Name the configuration of the service with --config.")
        async with snapshot(database, dump) as session:
            found = await revision(session)
            if found is None or found != known_revisions()[0]:
                raise BackupError(
                    f"The database is one of another version of cast-central ({found or 'without tables'}). Back it up "
                    "with the version that runs on it."
                )
            files = {name: root / name for name in await contents.files(session)} if root is not None else {}
            manifest = archive.Manifest(
                format=archive.FORMAT,
                version=version("cast-agent"),
                revision=found,
                database=database.url.get_backend_name(),
                made_at=datetime.now(UTC),
                has_library=root is not None,
                rows=await rows(session),
                files=len(files),
            )
    return manifest, files


def _write(whole: Path, manifest: archive.Manifest, dump: Path, files: Mapping[str, Path]) -> int:
    """Write the archive; return the number of files that were deleted meanwhile. Raises OSError."""
    lost = 0
    total = sum(map(_size_of, (dump, *files.values())))
    with open(open_private(whole), "wb") as out:
        with progress(total) as moved, archive.writing(out, moved=moved) as writer:
            writer.add_text(archive.MANIFEST, manifest.model_dump_json(indent=2))
            with dump.open("rb") as source:
                writer.add(archive.DATABASE, source)
            dump.unlink()
            for name, path in files.items():
                try:
                    source = path.open("rb")
                except FileNotFoundError:
                    lost += 1
                    continue
                with source:
                    writer.add(f"{archive.LIBRARY}{name}", source)
        out.flush()
        os.fsync(out.fileno())
    return lost


def _size_of(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
