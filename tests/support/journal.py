"""A real systemd-journald without systemd: its protocol, and what it makes of what is written to it. Needs root."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from tests.support.tools import end, wait_until

JOURNALD = Path("/lib/systemd/systemd-journald")
NAME = "tests"
ALONE = ("unshare", "--mount", "--propagation", "private")
"""Gives this one's /run to nobody else, and takes it away with the process."""
LAST = "this is all"
START_S = 10.0
RUN_S = 30.0


def why_not() -> str:
    """The reason why there can be no journal here; empty where there can be one."""
    if os.geteuid() != 0:
        return "only root can make a mount namespace for it"
    if not JOURNALD.exists() or shutil.which("journalctl") is None:
        return "systemd is not installed"
    tried = subprocess.run([*ALONE, "true"], capture_output=True, check=False)
    return "" if tried.returncode == 0 else tried.stderr.decode().strip()


def entries_of(*command: str, env: dict[str, str]) -> list[dict[str, Any]]:
    """The entries in the journal of a command that ran as systemd runs a service, in order."""
    whole = [*ALONE, sys.executable, "-m", "tests.support.journal", *command]
    done = subprocess.run(whole, env=env, capture_output=True, check=False, timeout=RUN_S)
    assert done.returncode == 0, done.stderr.decode()
    return [json.loads(line) for line in done.stdout.splitlines()]


def _main(command: list[str]) -> None:
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", "/run"], check=True)
    settings = Path(f"/run/systemd/journald@{NAME}.conf.d/tests.conf")
    settings.parent.mkdir(parents=True)
    settings.write_text("[Journal]\nStorage=volatile\n")
    Path("/run/log/journal").mkdir(parents=True)
    if not Path("/etc/machine-id").read_text().strip():
        raise SystemExit("/etc/machine-id is empty: the journal has no name for its folder")
    folder = Path(f"/run/systemd/journal.{NAME}")
    with tempfile.TemporaryFile() as said:
        journald = subprocess.Popen([JOURNALD, NAME], stdout=said, stderr=said)
        try:
            wait_until((folder / "stdout").exists, timeout_s=START_S, what="the journal")
            with socket.socket(socket.AF_UNIX) as line:
                line.connect(str(folder / "stdout"))
                # As systemd says hello for a service: identifier, unit, SyslogLevel=err, SyslogLevelPrefix=yes.
                line.sendall(b"cast\n\n3\n1\n0\n0\n0\n")
                there = os.fstat(line.fileno())
                env = os.environ | {"JOURNAL_STREAM": f"{there.st_dev}:{there.st_ino}"}
                subprocess.run(command, env=env, stdin=subprocess.DEVNULL, stderr=line.fileno(), check=True)
                line.sendall(f"{LAST}\n".encode())
            kept = next(Path("/run/log/journal").iterdir())
            show = ["journalctl", "--no-pager", "-o", "json", "-D", str(kept), "-t", "cast"]
            wait_until(lambda: LAST in _output(show), timeout_s=START_S, what="the last line in the journal")
            print(*_output(show).splitlines()[:-1], sep="\n")
        finally:
            end(journald)


def _output(command: list[str]) -> str:
    return subprocess.run(command, capture_output=True, check=True, text=True).stdout


if __name__ == "__main__":
    _main(sys.argv[1:])
