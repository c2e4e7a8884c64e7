"""The launcher of players that are not ours: real processes, bound to their parent and confined."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from agent.player import launch
from agent.player.confine import NONE, Confinement
from tests.support.tools import wait_until

LAUNCHER = [sys.executable, "-I", "-S", str(Path(launch.__file__))]
GONE_S = 2.0


def test_it_becomes_the_program() -> None:
    """One process of one id, with the arguments as they are; no shell and no option of ours takes part."""
    command = [*LAUNCHER, "--parent", str(os.getpid()), "--fd", "2", "--", "/bin/echo", "--parent", "$HOME", "a b"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.communicate(timeout=10)[0] == "--parent $HOME a b\n"
    assert process.returncode == 0


def test_it_does_not_outlive_its_parent() -> None:
    """The program dies with the process that had it started, by SIGKILL too, also when it ignores signals."""
    script = (
        "import os, subprocess, sys, time\n"
        f"launcher = {LAUNCHER!r} + ['--parent', str(os.getpid()), '--fd', '2', '--', '/bin/sleep', '60']\n"
        "print(subprocess.Popen(launcher).pid, flush=True)\n"
        "time.sleep(60)\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    with parent.stdout:
        pid = int(parent.stdout.readline())
        wait_until(lambda: _runs(pid, b"/bin/sleep"), timeout_s=5, what="it to become the program")
        parent.send_signal(signal.SIGKILL)
        parent.wait(5)
    wait_until(lambda: not Path(f"/proc/{pid}").exists(), timeout_s=GONE_S, what="it to end with its parent")


def test_it_does_not_start_for_a_parent_that_is_gone() -> None:
    """A launcher whose parent is another process than it was told starts nothing."""
    command = [*LAUNCHER, "--parent", "1", "--fd", "2", "--", "/bin/echo", "started"]
    assert subprocess.run(command, capture_output=True, check=True, timeout=10).stdout == b""


def test_it_confines_and_says_so(tmp_path: Path) -> None:
    """The program cannot read a file that is not for it, and the socket says what keeps it in before it begins."""
    secret = tmp_path / "secret"
    secret.write_text("hunter2")
    cat = os.path.realpath("/bin/cat")
    plan = Confinement(folder=str(tmp_path / "own"), programs=(cat,)).arguments()
    ours, theirs = socket.socketpair()
    with ours, theirs:
        start = [*LAUNCHER, "--parent", str(os.getpid()), "--fd", str(theirs.fileno())]
        free = subprocess.run(
            [*start, "--", cat, str(secret)], capture_output=True, pass_fds=[theirs.fileno()], timeout=10
        )
        kept = subprocess.run(
            [*start, *plan, "--", cat, str(secret)], capture_output=True, pass_fds=[theirs.fileno()], timeout=10
        )
        said = json.loads(ours.recv(4096))
    assert free.stdout == b"hunter2"
    assert said["event"] == "confined"
    if said["by"] == NONE:
        pytest.skip("this machine has no means to confine a process")
    assert (kept.stdout, kept.returncode) == (b"", 1)


def _runs(pid: int, program: bytes) -> bool:
    return Path(f"/proc/{pid}/cmdline").read_bytes().startswith(program)
