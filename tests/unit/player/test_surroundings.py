"""The files that were replaced since the spares were made."""

from __future__ import annotations

import asyncio
import os
import threading
from pathlib import Path

import pytest

from agent.player import file_watch as surroundings
from agent.player.file_watch import FileWatch, identities, of_the_system
from tests.support.tools import until


@pytest.fixture(autouse=True)
def _quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(surroundings, "LOOK_INTERVAL_S", 0.01)
    monkeypatch.setattr(surroundings, "RENEWALS_APART_S", 0.5)


def replace(path: Path, text: str) -> None:
    """Replace a file like NetworkManager replaces resolv.conf."""
    new = path.with_suffix(".new")
    new.write_text(text)
    new.replace(path)


def test_a_file_in_place_of_another_is_another(tmp_path: Path) -> None:
    """A file that is written to is the same one; a file that comes, or goes, or is behind a link is another."""
    file, link, missing = tmp_path / "resolv.conf", tmp_path / "link", tmp_path / "missing"
    file.write_text("one")
    link.symlink_to(file)
    paths = [str(path) for path in (file, link, missing)]
    before = identities(paths)
    assert before[str(file)] == before[str(link)] is not None
    file.write_text("two")
    assert identities(paths) == before
    replace(file, "three")
    missing.touch()
    after = identities(paths)
    assert {path for path in paths if after[path] != before[path]} == set(paths)
    missing.unlink()
    assert identities(paths)[str(missing)] is None


def test_what_players_need_of_the_system_is_looked_at() -> None:
    """The resolver's files and the devices are, what the kernel makes up is not; twice the same."""
    found = of_the_system(os.environ)
    assert {"/etc/resolv.conf", "/etc/hosts", "/etc/ssl/certs", "/dev/null"} <= set(found)
    assert not any(path.startswith("/proc/") for path in found)
    assert of_the_system(os.environ) == found


async def test_a_change_is_told_once_and_soon(tmp_path: Path) -> None:
    """Nothing is told while nothing changes; several changes at once are one, and the next is told later."""
    file = tmp_path / "file"
    file.touch()
    told: list[float] = []
    now = asyncio.get_running_loop().time
    watching = asyncio.create_task(
        FileWatch(lambda: identities([str(file)]), changed=lambda: told.append(now())).watch()
    )
    await asyncio.sleep(0.1)  # ten looks
    assert told == []
    replace(file, "one")
    await until(lambda: len(told) == 1)
    replace(file, "two")
    await until(lambda: len(told) == 2)
    assert told[1] - told[0] >= surroundings.RENEWALS_APART_S - 0.05
    watching.cancel()
    await asyncio.gather(watching, return_exceptions=True)


async def test_a_look_that_hangs_is_the_only_one() -> None:
    """A dead network disk costs one thread, and the watch ends all the same."""
    let_go, looks = threading.Event(), 0

    def look() -> dict[str, tuple[int, int] | None]:
        nonlocal looks
        looks += 1
        if looks > 1:
            let_go.wait(10)
        return {}

    watching = asyncio.create_task(FileWatch(look, changed=lambda: None).watch())
    await until(lambda: looks == 2)
    await asyncio.sleep(0.2)  # there would be twenty more
    watching.cancel()
    await asyncio.gather(watching, return_exceptions=True)
    assert looks == 2
    let_go.set()
