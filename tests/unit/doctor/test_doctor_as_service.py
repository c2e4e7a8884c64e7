"""`sudo cast-agent doctor` looks as the installed service does: as its user, with its environment."""

from __future__ import annotations

import grp
import json
import os
import pwd
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.cli.as_service import installed_service
from agent.config.loader import Settings
from agent.config.settings import AudioSettings
from agent.doctor import examine, machine
from agent.doctor.findings import Level
from tests.support.tools import SOON_S

PROGRAM = Path(sys.executable).absolute().with_name("cast-agent")

SHOWN = """\
LoadState=loaded
User=pat
Group=tv
SupplementaryGroups=video render
Environment=HOME=/var/lib/cast-agent XDG_RUNTIME_DIR=/run/user/1000 "GREETING=two words"
StateDirectory=cast-agent
RuntimeDirectory=cast-agent
ExecStart={ path=PROGRAM ; argv[]=PROGRAM run --config /srv/tv.toml ; ignore_errors=no ; start_time=[n/a] ; pid=0 }
"""
"""The output of systemd 252 and 257."""


@pytest.fixture
def readable() -> Iterator[Path]:
    """A folder that everybody can read, which pytest's own is not."""
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


def test_the_service_is_what_systemd_says() -> None:
    service = installed_service(SHOWN.replace("PROGRAM", str(PROGRAM)))
    assert service is not None
    assert (service.user, service.group, service.more_groups) == ("pat", "tv", ("video", "render"))
    assert service.environment == {
        "HOME": "/var/lib/cast-agent",
        "XDG_RUNTIME_DIR": "/run/user/1000",
        "GREETING": "two words",
        "STATE_DIRECTORY": "/var/lib/cast-agent",
        "RUNTIME_DIRECTORY": "/run/cast-agent",
    }
    assert service.config == ["--config", "/srv/tv.toml"]


@pytest.mark.parametrize(
    "shown",
    [
        "",
        "LoadState=not-found\nUser=\nEnvironment=\nExecStart=\n",
        SHOWN.replace("PROGRAM", "/opt/other/bin/cast-agent"),
    ],
    ids=["no systemd", "no service", "another program"],
)
def test_without_the_service_root_looks_as_itself(shown: str) -> None:
    """A checkout's doctor beside an installed agent is about the checkout."""
    assert installed_service(shown) is None


@pytest.mark.skipif(os.geteuid() != 0, reason="NOT TRIED: only root becomes somebody else")
def test_root_becomes_the_user_of_the_service(readable: Path) -> None:
    """The program runs anew, with the service's user, groups and environment, and nothing of root's."""
    nobody = pwd.getpwnam("nobody")
    group = grp.getgrgid(nobody.pw_gid).gr_name
    seen = (
        "import os, json, sys; print(json.dumps([os.getuid(), os.getgid(), os.getgroups(), {**os.environ}, sys.argv]))"
    )
    python = readable / "python"
    python.write_text(f"#!/bin/sh\nexec /usr/bin/env python3 -c '{seen}' \"$@\"\n")
    python.chmod(0o755)
    become = (
        f"import sys; from agent.cli.as_service import Service, become; sys.executable = {str(python)!r}; "
        f"become(Service('nobody', {group!r}, ('audio',), {{'XDG_RUNTIME_DIR': '/run/x'}}, ()), ['doctor', '--json'])"
    )
    done = subprocess.run(
        [sys.executable, "-c", become],
        env={**os.environ, "XAUTHORITY": "/root/.Xauthority", "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        timeout=SOON_S,
        check=True,
    )
    uid, gid, groups, environment, arguments = json.loads(done.stdout)
    assert (uid, gid) == (nobody.pw_uid, nobody.pw_gid)
    assert set(groups) == {nobody.pw_gid, grp.getgrnam("audio").gr_gid}
    assert environment["XDG_RUNTIME_DIR"] == "/run/x"
    assert environment["HOME"] == nobody.pw_dir
    assert environment["NO_COLOR"] == "1"
    assert "XAUTHORITY" not in environment
    assert arguments[1:] == ["-m", "agent.cli", "doctor", "--json"]


async def test_as_the_service_its_advice_is_about_the_service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It says what the owner of the box changes, and not to call the doctor in another way."""
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path))
    for name in ("PULSE_SERVER", "PULSE_RUNTIME_PATH", "XDG_RUNTIME_DIR", "INVOCATION_ID"):
        monkeypatch.delenv(name, raising=False)
    settings = Settings(audio=AudioSettings(output="auto"))
    found = await machine.sound(settings, tmp_path)
    assert found.level is Level.WARN
    assert "--desktop USER" in found.advice
    monkeypatch.setattr(examine, "SYSTEM_CONFIG", tmp_path)  # which is there, and was not read
    found = examine.configuration(None, settings)
    assert (found.level, "chmod 640" in found.advice) == (Level.FAIL, True)
