"""`make install` on a Debian 12 with its own systemd: installed, upgraded, taken back, removed. `make test-install`."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.installed.box import Box, missing

SCREEN = "systemd-run --quiet --unit=screen -p User=cast-agent Xvfb -displayfd 1 -screen 0 1280x720x24 -nolisten tcp"
WEB = "systemd-run --quiet --unit=web --working-directory=/src/examples python3 -m http.server 8000"
FILM = "http://127.0.0.1:8000/first-picture.mp4"
STATUS = "curl -s localhost:8090/status"
HEALTHY = """curl -s localhost:8090/health | grep -q '"status":"healthy"'"""
PLAYS = f"""{STATUS} | grep -q '"state":"playing"'"""


@pytest.fixture(autouse=True)
def _no_leaks() -> None:
    """Instead of the one for all tests: a box that is booted again is other processes, and all end with it."""


@pytest.fixture(scope="module")
def box() -> Iterator[Box]:
    """With the agent installed, and a screen."""
    if reason := missing():
        pytest.skip(f"NOT TESTED, the installation: {reason}")
    with Box() as box:
        box.run("apt-get update -qq && apt-get install -qq -y --no-install-recommends xvfb curl")
        box.run("cp -a /checkout /src && rm -rf /src/.venv /src/.cache")
        box.run("make -C /src install INSTALL_ARGS=--no-display")
        box.run(f"{SCREEN} && {WEB}")
        box.wait(HEALTHY, 15)
        yield box


def start_film(box: Box) -> None:
    body = json.dumps({"url": FILM, "title": "Film"})
    assert "success" in box.run(f"curl -s -X POST localhost:8090/start?wait=15 -d '{body}'")
    box.wait(PLAYS, 10)


def test_it_runs_as_its_own_user_and_plays(box: Box) -> None:
    assert "cast-agent" in box.run("stat -c %U /proc/$(systemctl show -p MainPID --value cast-agent)")
    start_film(box)
    assert "On screen: Film" in box.run("systemctl status cast-agent --no-pager")
    health = json.loads(box.run("curl -s localhost:8090/health"))
    assert health["status"] == "healthy", health
    assert health["checks"]["player"]["features"]["confinement"] != "none"


def test_a_daemon_that_hangs_is_started_anew_with_its_film(box: Box) -> None:
    start_film(box)
    before = box.run("systemctl show -p MainPID --value cast-agent").strip()
    box.run(f"kill -STOP {before}")
    box.wait(f"test $(systemctl show -p MainPID --value cast-agent) != {before} && {PLAYS}", 60)


def test_an_upgrade_keeps_what_is_on_and_can_be_taken_back(box: Box) -> None:
    start_film(box)
    was = box.run("readlink /opt/cast-agent/current")
    box.run("echo '# mine' >> /etc/cast-agent/config.toml")
    box.run("make -C /src install")
    assert box.run("readlink /opt/cast-agent/current") != was
    assert "# mine" in box.run("cat /etc/cast-agent/config.toml")
    box.wait(PLAYS, 10)
    box.run("make -C /src rollback")
    assert box.run("readlink /opt/cast-agent/current") == was
    box.wait(PLAYS, 10)


def test_an_upgrade_that_does_not_start_is_taken_back(box: Box) -> None:
    was = box.run("readlink /opt/cast-agent/current")
    box.run("cp -a /src /broken && echo 'run = None' >> /broken/agent/daemon.py")
    box.run("sed -i s/TimeoutStartSec=60/TimeoutStartSec=5/ /broken/systemd/cast-agent.service")
    said = box.run("make -C /broken install; echo code $?")
    assert "the upgrade was taken back" in said
    assert "code 0" not in said
    assert box.run("readlink /opt/cast-agent/current") == was
    assert box.run("systemctl is-active cast-agent").strip() == "active"


def test_it_comes_back_after_a_power_cut(box: Box) -> None:
    start_film(box)
    box.power_off()
    box.boot()
    box.run(f"{SCREEN} && {WEB}")
    box.wait(PLAYS, 30)


def test_on_a_desktop_it_is_the_desktops_user(box: Box) -> None:
    box.run("useradd --create-home tv && systemctl stop screen")
    box.run(SCREEN.replace("User=cast-agent", "User=tv"))
    box.run("make -C /src install INSTALL_ARGS='--desktop tv'")
    box.wait(HEALTHY, 15)
    assert box.run("stat -c %U /proc/$(systemctl show -p MainPID --value cast-agent)").strip() == "tv"
    environment = box.run("tr '\\0' '\\n' < /proc/$(systemctl show -p MainPID --value cast-agent)/environ").splitlines()
    assert {"XAUTHORITY=/home/tv/.Xauthority", f"XDG_RUNTIME_DIR=/run/user/{box.run('id -u tv').strip()}"} <= {
        *environment
    }
    start_film(box)
    health = json.loads(box.run("curl -s localhost:8090/health"))
    assert health["checks"]["player"]["features"]["confinement"] != "none"


def test_uninstalled_it_leaves_the_configuration_only(box: Box) -> None:
    box.run("systemctl stop screen")
    box.run("make -C /src uninstall")
    assert box.run("ls /etc/cast-agent").split() == ["config.toml"]
    left = "find / -xdev -name '*cast-agent*' -not -path '/src*' -not -path '/broken*' -not -path '/proc/*'"
    assert box.run(f"{left} -not -path '/checkout*'").split() == ["/etc/cast-agent"]
    assert "no such user" in box.run("id cast-agent", check=False)
    box.run("make -C /src uninstall INSTALL_ARGS=--purge")
    assert not box.run("ls -d /etc/cast-agent", check=False).startswith("/etc/cast-agent\n")
