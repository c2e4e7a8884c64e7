"""The files in the folder of the library that the database knows: what a backup holds of it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Final

from sqlalchemy.ext.asyncio import AsyncSession

from central.core.db.engine import Database, open_private
from central.core.ids import is_id
from central.core.threads import in_thread
from central.library import repository
from central.library.folder import MADE, MARK
from central.library.types import VideoState
from central.library.workshop import WORK

LOST: Final = "Its file is not in the backup that was restored, because it was deleted while that was made."


async def files(session: AsyncSession) -> Sequence[str]:
    """Their names relative to the folder: the videos, as far as they have come, and what was made of them."""
    videos = await repository.ids(session, without=[VideoState.FAILED])
    return [*videos, *(f"{MADE}/{video_id}/{made_id}" for video_id, made_id in await repository.renditions(session))]


def is_name(name: str) -> bool:
    """Return True if a file of the library has such a name, relative to its folder."""
    *above, last = name.split("/")
    return is_id(last) and (not above or (len(above) == 2 and above[0] == MADE and is_id(above[1])))


def is_empty(root: Path) -> bool:
    """Return True if no library is in this folder. Raises OSError."""
    return not (root / MARK).exists()


def replace(root: Path, new: Path) -> None:
    """Put the files of a library in the folder `new`, which is in `root`, in place of those in `root`. Blocks. Raises
    OSError."""
    for path in list(root.iterdir()):
        if path.name in (MADE, WORK):
            shutil.rmtree(path)
        elif is_id(path.name):
            path.unlink()
    os.close(open_private(root / MARK))
    for path in list(new.iterdir()):
        path.rename(root / path.name)
    new.rmdir()


async def mark_lost(database: Database, root: Path, *, now: datetime) -> int:
    """Have videos fail whose file is not there, and return their number. Raises DatabaseUnavailableError."""
    async with database.read() as session:
        known = await repository.ids(session, without=[VideoState.UPLOADING, VideoState.FAILED])
    lost = await in_thread(lambda: [video_id for video_id in known if not (root / video_id).exists()])
    values = {"state": VideoState.FAILED, "problem": LOST, "updated_at": now}

    async def work(session: AsyncSession) -> None:
        for video_id in lost:
            await repository.change(session, video_id, values)

    await database.write(work)
    return len(lost)
