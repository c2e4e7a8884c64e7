"""Disks that do not answer: the whole daemon, in which every look below one folder hangs as it does on a dead share."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.support.agent import Agent
from tests.support.looking import wait_moves
from tests.support.media_server import MediaServer
from tests.support.screen import Screen
from tests.support.xserver import XServer, free_display

KEEPS_NOTHING = ("unshare", "--mount", "--propagation", "private", sys.executable, "-m", "tests.support.bad_disk")
"""A command after it runs with such a disk as its state directory; see there."""

CALLERS = 12
"""More than asyncio's own pool has threads on two cores."""

HANGING = """
import os, time

def hanging(look):
    def at(path, *args, **kwargs):
        if isinstance(path, (str, os.PathLike)) and os.fspath(path).startswith({dead!r}):
            time.sleep(60)
        return look(path, *args, **kwargs)
    return at

os.stat, os.lstat = hanging(os.stat), hanging(os.lstat)
"""


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    for name in ("dead", "alive", "python"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "film.mp4").touch()
    (tmp_path / "python" / "sitecustomize.py").write_text(HANGING.format(dead=str(tmp_path / "dead")))
    return tmp_path / "dead", tmp_path / "alive"


@pytest.fixture
def agent(folders: tuple[Path, Path], tmp_path: Path) -> Iterator[Agent]:
    path = os.pathsep.join([str(tmp_path / "python"), str(Path(__file__).parents[2])])
    media = [str(folder) for folder in folders]
    with Agent(None, env={"PYTHONPATH": path}, display__display=free_display(), player__media_folders=media) as agent:
        yield agent


def test_a_dead_share_holds_up_nothing_else(agent: Agent, folders: tuple[Path, Path]) -> None:
    """Starts from it are answered with what to do; other files, the state on the disk and the end of the agent are as
    quick as ever. There is no screen: a file that may be played is answered 503."""
    dead, alive = folders

    def start(folder: Path) -> tuple[int, str, float]:
        began = time.monotonic()
        answer = agent.call("POST", "/start", {"url": f"file://{folder}/film.mp4"})
        return answer.status, answer.json["detail"], time.monotonic() - began

    with ThreadPoolExecutor(CALLERS) as callers:
        for status, detail, seconds in callers.map(start, [dead] * CALLERS):
            assert (status, detail) == (
                422,
                f"The media folder {dead} does not answer. Check its disk or network share.",
            )
            assert seconds < 7
    status, detail, seconds = start(alive)
    assert (status, seconds < 1) == (503, True), detail
    began = time.monotonic()
    assert agent.call("POST", "/volume", {"volume_level": 0.3}).status == 200
    assert time.monotonic() - began < 0.9, "it was on the disk before that"
    assert '"level":0.3' in (agent.folder / "state" / "wanted.json").read_text()
    began = time.monotonic()
    assert agent.terminate() == 0
    assert time.monotonic() - began < 5


@pytest.mark.parametrize(
    ("kind", "words"), [("full", "No space left on device"), ("read-only", "Read-only file system")]
)
def test_a_first_start_on_a_disk_that_keeps_nothing_shows_what_it_is_told(
    xserver: XServer, media_server: MediaServer, tmp_path: Path, kind: str, words: str
) -> None:
    """Nobody visits this box: it plays all the same, says in /health and in its log what is wrong, and has the same id
    at each start."""
    if os.geteuid() != 0:
        pytest.skip("NOT TRIED: only root can mount a disk")
    ids = []
    for _ in range(2):
        with Agent(
            xserver.display, prefix=(*KEEPS_NOTHING, kind, str(tmp_path)), state__dir=tmp_path / "state"
        ) as agent:
            with Screen(xserver.display) as screen:
                agent.start(media_server.url("/film/green.mp4"))
                wait_moves(screen, "green")
            health = agent.health()
            assert (health["status"], health["checks"]["storage"]["status"]) == ("degraded", "fail")
            assert words in health["checks"]["storage"]["message"]
            assert agent.log("storage_failed")[0]["level"] == "warning"
            assert not agent.log("player_died")
            ids.append(agent.status()["device"]["id"])
            assert agent.terminate() == 0
    assert ids[0] == ids[1]
