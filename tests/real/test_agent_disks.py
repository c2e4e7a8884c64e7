"""Disks that do not answer: the whole daemon, in which every look below one folder hangs as it does on a dead share."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.support.agent import Agent
from tests.support.xserver import free_display

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
