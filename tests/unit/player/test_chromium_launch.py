"""The launcher of Chromium, with another program in its place: what it gives that, and where it starts nothing."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from agent.player.chromium import launch
from agent.player.confine import NONE

LAUNCHER = [sys.executable, "-I", "-S", str(Path(launch.__file__))]
WITHOUT_NAMESPACES = [sys.executable, "-m", "tests.support.without_namespaces"]
ENV = {"PATH": os.environ["PATH"], "HOME": "/nowhere"}
SAYS = """
import os, resource
print(os.getcwd(), os.geteuid(), os.environ["HOME"], *resource.getrlimit(resource.RLIMIT_DATA))
os.write(4, b"from 4")
print(os.read(3, 9))
"""


def begin(folder: Path, *prefix: str) -> tuple[subprocess.Popen[str], socket.socket]:
    ours, theirs = socket.socketpair()
    with theirs:
        command = [*prefix, *LAUNCHER, "--parent", str(os.getpid()), "--fd", str(theirs.fileno())]
        command += ["--folder", str(folder), "--", sys.executable, "-c", SAYS]
        process = subprocess.Popen(
            command, env=ENV, pass_fds=[theirs.fileno()], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
    ours.settimeout(10)
    return process, ours


def test_it_becomes_the_program_with_a_home_of_its_own(tmp_path: Path) -> None:
    """The program reads from 3 and writes to 4, is no root, has a bound on its memory, and homes of processes that are
    gone are removed."""
    gone = subprocess.Popen(["/bin/true"])
    gone.wait(5)
    (tmp_path / str(gone.pid)).mkdir()
    process, line = begin(tmp_path)
    with line:
        word, _, rest = line.recv(4096).partition(b"\0")
        line.sendall(b"to 3")
        said, _ = process.communicate(timeout=10)
        rest = rest or line.recv(100)
    home = tmp_path / str(process.pid)
    about = json.loads(word)["params"]
    assert (about["home"], about["confinement"], rest) == (str(home), NONE, b"from 4")
    cwd, user, told_home, *limits = said.splitlines()[0].split()
    assert [int(limit) for limit in limits] == [launch.MEMORY_LIMIT] * 2
    assert (cwd, told_home) == (str(home), str(home))
    assert (user == "0") is not about["sandbox"]
    assert "b'to 3'" in said
    assert [each.name for each in tmp_path.iterdir()] == [home.name]


@pytest.mark.skipif(os.geteuid() != 0, reason="NOT TRIED: only root does without")
def test_root_does_without_the_sandbox_where_there_are_no_namespaces(tmp_path: Path) -> None:
    """It says so."""
    process, line = begin(tmp_path, *WITHOUT_NAMESPACES)
    with line:
        about = json.loads(line.recv(4096).partition(b"\0")[0])["params"]
        line.sendall(b"to 3")
        process.communicate(timeout=10)
    assert about["sandbox"] is False
