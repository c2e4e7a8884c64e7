"""One agent for each state directory."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from agent.errors import ConfigError
from agent.host.lock import FILE, only_agent

HOLD = "import sys; from pathlib import Path; from agent.host.lock import only_agent\n"
HOLD += "with only_agent(Path(sys.argv[1])):\n    print('held', flush=True); sys.stdin.read()"


def test_a_second_agent_is_refused_and_told_which_is_the_first(tmp_path: Path) -> None:
    """The lock holds as long as the first agent lives, however it dies; a missing folder is made, for nobody else."""
    folder = tmp_path / "state"
    first = subprocess.Popen([sys.executable, "-c", HOLD, folder], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert first.stdout is not None
    assert first.stdout.readline() == b"held\n"
    try:
        with pytest.raises(ConfigError) as caught, only_agent(folder):
            pass
    finally:
        first.kill()
        first.communicate()
    assert f"Another cast-agent (process {first.pid}) runs with the state directory {folder}. Stop" in str(caught.value)
    assert folder.stat().st_mode & 0o777 == 0o700
    with only_agent(folder):
        assert (folder / FILE).read_text() == f"{os.getpid()}\n"
    with only_agent(folder):
        pass


def test_the_command_says_so_and_ends(tmp_path: Path) -> None:
    """It ends with the exit code of a wrong configuration, before it touches a screen."""
    command = [sys.executable, "-m", "agent.cli", "run"]
    environ = os.environ | {"CAST_AGENT_STATE__DIR": str(tmp_path), "CAST_AGENT_LOG__LEVEL": "error"}
    with only_agent(tmp_path):
        done = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=20, check=False)
    assert done.returncode == 78
    assert done.stderr.startswith("cast-agent: Another cast-agent (process ")


def test_a_place_where_nothing_can_be_locked_is_no_obstacle(tmp_path: Path) -> None:
    """The agent runs on; there is a warning."""
    (tmp_path / "state").write_text("no folder")
    with capture_logs() as logs, only_agent(tmp_path / "state"):
        pass
    [warning] = logs
    assert (warning["event"], warning["log_level"]) == ("state_lock_failed", "warning")
    assert warning["folder"] == str(tmp_path / "state")


def test_the_name_of_the_file_stays() -> None:
    """An agent of another version, which may still run during an upgrade, has locked that one."""
    assert FILE == "agent.lock"
