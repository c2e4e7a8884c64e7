"""Looks at files whose disks may hang."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from agent.errors import FileAwayError, InvalidRequestError
from agent.media import policy as checks
from agent.media import urls
from agent.media.policy import THREADS_PER_FOLDER, MediaChecks
from agent.media.urls import MediaPolicy
from tests.support.tools import LOOK_EVERY_S


class DeadShare:
    """Hangs every look below `folder` until it is mended."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.mended = threading.Event()
        self.looks = 0
        real = urls._real

        def look(path: Path) -> Path:
            if path.is_relative_to(folder):
                self.looks += 1
                self.mended.wait(20)
            return real(path)

        monkeypatch.setattr(urls, "_real", look)


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    for name in ("dead", "alive"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "film.mp4").touch()
    return tmp_path / "dead", tmp_path / "alive"


async def test_a_dead_share_keeps_no_other_folder_waiting(
    folders: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """However often the dead share is asked for, the calls are told so, few threads hang, and what is elsewhere is
    played."""
    monkeypatch.setattr(checks, "FILE_CHECK_TIMEOUT_S", 0.3)
    dead, alive = folders
    share = DeadShare(dead, monkeypatch)
    media = MediaChecks(MediaPolicy(media_folders=(dead, alive)))
    try:
        answers = await asyncio.gather(
            *(media.check(f"file://{dead}/film.mp4") for _ in range(50)), return_exceptions=True
        )
        assert all(isinstance(answer, FileAwayError) for answer in answers)
        assert f"The media folder {dead} does not answer." in str(answers[0])
        assert share.looks == THREADS_PER_FOLDER
        began = time.monotonic()
        with pytest.raises(FileAwayError):
            await media.check(f"file://{dead}/film.mp4")
        played = f"file://{alive}/film.mp4"
        assert await media.check(played) == played
        assert time.monotonic() - began < 0.2, "nobody waits for what is known to hang"
    finally:
        share.mended.set()
    async with asyncio.timeout(5):
        while True:
            try:
                await media.check(f"file://{dead}/film.mp4")
                break
            except FileAwayError:
                await asyncio.sleep(LOOK_EVERY_S)


async def test_outside_the_folders(folders: tuple[Path, Path]) -> None:
    """A file that is in no media folder, or does not exist, is refused as ever."""
    media = MediaChecks(MediaPolicy(media_folders=folders))
    with pytest.raises(InvalidRequestError, match="media_folders") as refused:
        await media.check("file:///etc/passwd")
    assert not isinstance(refused.value, FileAwayError)
    with pytest.raises(FileAwayError, match="no such file"):
        await media.check(f"file://{folders[0]}/other.mp4")
    for broken in ("file:", "file://", "file:///\ud800", "file:///%00", " FILE:///x ", "file:///%ff%fe"):
        with pytest.raises(InvalidRequestError):
            await media.check(broken)


def test_a_thread_that_hangs_keeps_no_process_from_ending() -> None:
    """Python waits for the threads of asyncio.to_thread when it ends; not for these."""
    program = """
import asyncio, time
from agent.util.threads import Threads

async def main():
    try:
        await Threads("test", limit=1).call(lambda: time.sleep(60), timeout_s=0.1)
    except TimeoutError:
        print("gave up", flush=True)

asyncio.run(main())
"""
    began = time.monotonic()
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=30, check=True)
    assert done.stdout == "gave up\n"
    assert time.monotonic() - began < 10
