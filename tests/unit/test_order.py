"""The order of the test files."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.support.order import PLAYERS_LIMIT, next_file
from tests.unit.test_layers import ROOT

WAITING = ["tests/unit/test_a.py", "tests/real/test_b.py", "tests/unit/test_c.py", "tests/real/test_d.py"]
NOTED = """
import os, pathlib, time

def test_it():
    running = pathlib.Path({folder!r}) / f"{{{name!r}}}-{{os.environ['PYTEST_XDIST_WORKER']}}"
    running.touch()
    playing = len([other for other in running.parent.iterdir() if other.name.startswith("real")])
    time.sleep(0.3)
    running.unlink()
    assert playing <= {limit}
"""
CONFTEST = """
from tests.support.order import Spread

def pytest_configure(config):
    config.pluginmanager.register(Spread())
"""


def test_the_kind_that_is_wanted_comes_first() -> None:
    """A worker is never idle while there are files."""
    assert next_file(WAITING, plays=True) == "tests/real/test_b.py"
    assert next_file(WAITING, plays=False) == "tests/unit/test_a.py"
    assert next_file(WAITING[1:2], plays=False) == "tests/real/test_b.py"


def test_files_that_play_are_not_side_by_side_with_too_many_others(tmp_path: Path) -> None:
    """Four workers share as many files of both kinds as keep them busy, and all are run."""
    running = tmp_path / "running"
    running.mkdir()
    for kind in ("real", "unit"):
        folder = tmp_path / "tests" / kind
        folder.mkdir(parents=True)
        for number in range(4):
            source = NOTED.format(folder=str(running), name=kind, limit=PLAYERS_LIMIT)
            (folder / f"test_{kind}_{number}.py").write_text(source)
    (tmp_path / "tests" / "conftest.py").write_text(CONFTEST)
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    command = [sys.executable, "-m", "pytest", "--rootdir", str(tmp_path), "-p", "no:cacheprovider", "-n", "4"]
    command += ["--dist", "loadfile", "--no-loadscope-reorder", str(tmp_path / "tests")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "8 passed" in done.stdout
