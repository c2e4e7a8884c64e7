"""`make install` on a Debian with its own systemd: installed, upgraded, taken back, removed. `make test-install`."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.installed.box import SUITES, Box, missing
from tests.support.authority import cookie, entry

SCREEN = "systemd-run --quiet --unit=screen -p User=cast-agent Xvfb -displayfd 1 -screen 0 1280x720x24 -nolisten tcp"
WEB = "systemd-run --quiet --unit=web --working-directory=/src/examples python3 -m http.server 8000"
FILM = "http://127.0.0.1:8000/first-picture.mp4"
STATUS = "curl -s localhost:8090/status"
HEALTHY = """curl -s localhost:8090/health | grep -q '"status":"healthy"'"""
PLAYS = f"""{STATUS} | grep -q '"state":"playing"'"""
MAY_READ = "stat -c %U:%G:%a /etc/cast-agent/config.toml"
RUNS_AS = "stat -c %U /proc/$(systemctl show -p MainPID --value cast-agent)"


@pytest.fixture(autouse=True)
def _no_leaks() -> None:
    """Instead of the one for all tests: a box that is booted again is other processes, and all end with it."""


@pytest.fixture(scope="module", params=SUITES)
def box(request: pytest.FixtureRequest) -> Iterator[Box]:
    """With the agent installed, and a screen."""
    if reason := missing():
        pytest.skip(f"NOT TESTED, the installation: {reason}")
    with Box(request.param) as box:
        box.run("apt-get update -qq && apt-get install -qq -y --no-install-recommends xvfb curl xxd")
        box.run("cp -a /checkout /src && rm -rf /src/.venv /src/.cache")
        box.run("umask 077 && make -C /src install INSTALL_ARGS=--no-display")
        box.run(f"{SCREEN} && {WEB}")
        box.wait(HEALTHY, 15)
        yield box


def start_film(box: Box) -> None:
    """Play a film of 60 s over and over: an installation may take longer than that."""
    body = json.dumps({"url": FILM, "title": "Film", "loop": True})
    assert "success" in box.run(f"curl -s -X POST localhost:8090/start?wait=15 -d '{body}'")
    box.wait(PLAYS, 10)


def test_it_runs_as_its_own_user_and_plays(box: Box) -> None:
    assert "cast-agent" in box.run("stat -c %U /proc/$(systemctl show -p MainPID --value cast-agent)")
    start_film(box)
    assert "On screen: Film" in box.run("systemctl status cast-agent --no-pager")
    health = json.loads(box.run("curl -s localhost:8090/health"))
    assert health["status"] == "healthy", health
    assert health["checks"]["player"]["engines"]["vlc"]["features"]["confinement"] != "none"


def test_a_daemon_that_hangs_is_started_anew_with_its_film(box: Box) -> None:
    start_film(box)
    before = box.run("systemctl show -p MainPID --value cast-agent").strip()
    box.run(f"kill -STOP {before}")
    box.wait(f"test $(systemctl show -p MainPID --value cast-agent) != {before} && {PLAYS}", 60)


def test_an_upgrade_keeps_what_is_on_and_can_be_taken_back(box: Box) -> None:
    start_film(box)
    was = box.run("readlink /opt/cast-agent/current")
    box.run("echo '# mine' >> /etc/cast-agent/config.toml")
    box.run("rm /opt/cast-agent/current/screen /opt/cast-agent/current/started")  # as of a version without them
    box.run("make -C /src install")
    assert box.run("readlink /opt/cast-agent/current") != was
    assert "# mine" in box.run("cat /etc/cast-agent/config.toml")
    box.wait(PLAYS, 10)
    box.run("make -C /src rollback")
    assert box.run("readlink /opt/cast-agent/current") == was
    box.wait(PLAYS, 10)


def test_an_upgrade_that_does_not_start_is_taken_back(box: Box) -> None:
    was, before = (box.run(f"readlink /opt/cast-agent/{link}") for link in ("current", "previous"))
    box.run("cp -a /src /broken && echo 'run = None' >> /broken/agent/daemon.py")
    box.run("sed -i s/TimeoutStartSec=60/TimeoutStartSec=5/ /broken/systemd/cast-agent.service")
    said = box.run("make -C /broken install; echo code $?")
    assert "the upgrade was taken back" in said
    assert "code 0" not in said
    assert box.run("readlink /opt/cast-agent/current") == was
    assert box.run("systemctl is-active cast-agent").strip() == "active"
    assert box.run("readlink /opt/cast-agent/previous") == before
    assert "TimeoutStartSec=60" in box.run("cat /etc/systemd/system/cast-agent.service")
    box.run("make -C /src rollback")  # to one that worked, and not to the one that did not
    assert box.run("readlink /opt/cast-agent/current") == before
    box.wait(HEALTHY, 15)


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
    assert box.run(RUNS_AS).strip() == "tv"
    assert box.run(MAY_READ).strip() == "root:tv:640"
    environment = box.run("tr '\\0' '\\n' < /proc/$(systemctl show -p MainPID --value cast-agent)/environ").splitlines()
    assert {"XAUTHORITY=/home/tv/.Xauthority", f"XDG_RUNTIME_DIR=/run/user/{box.run('id -u tv').strip()}"} <= {
        *environment
    }
    start_film(box)
    health = json.loads(box.run("curl -s localhost:8090/health"))
    assert health["checks"]["player"]["engines"]["vlc"]["features"]["confinement"] != "none"


@pytest.mark.parametrize("place", ["/run/user/$(id -u tv)/.mutter-Xwaylandauth.4TQ2B3", "/tmp/xauth_kOcZyP"])
def test_a_desktop_that_wants_a_cookie_is_opened(box: Box, place: str) -> None:
    """The cookie is where GNOME and SDDM keep it: in a file whose name nobody knows before, here with the name the host
    had then."""
    box.run("systemctl stop screen && install -d -o tv -m 700 /run/user/$(id -u tv) && rm -f /tmp/xauth_*")
    box.run(f"echo {entry(cookie(), host='the-old-name').hex()} | xxd -r -p | install -o tv -m 600 /dev/stdin {place}")
    box.run(f"{SCREEN.replace('User=cast-agent', 'User=tv')} -auth {place}")
    box.wait(HEALTHY, 15)
    start_film(box)
    assert box.run("stat -c %U:%a /run/cast-agent/Xauthority").strip() == "tv:600"


def test_another_screen_is_another_reader_of_the_configuration(box: Box) -> None:
    """The files that the user of the service needs follow the user, and a rollback takes the choice back as well."""
    start_film(box)
    box.run("make -C /src install INSTALL_ARGS=--no-display")
    assert box.run(RUNS_AS).strip() == "cast-agent"
    assert box.run(MAY_READ).strip() == "root:cast-agent:640"
    assert "Film" in box.run(STATUS)  # it is kept, whoever kept it
    box.run("make -C /src rollback")
    assert box.run(RUNS_AS).strip() == "tv"
    assert box.run(MAY_READ).strip() == "root:tv:640"
    box.wait(PLAYS, 15)


def test_an_upgrade_that_does_not_start_leaves_the_screen_as_it_was(box: Box) -> None:
    said = box.run("make -C /broken install INSTALL_ARGS=--no-display; echo code $?")
    assert "the upgrade was taken back" in said
    assert box.run(RUNS_AS).strip() == "tv"
    assert box.run(MAY_READ).strip() == "root:tv:640"
    box.wait(HEALTHY, 15)


def test_a_console_whose_display_does_not_start_is_told(box: Box) -> None:
    """There is no screen in a container: the installer, /health and the doctor say where to look."""
    box.run("systemctl stop screen")
    said = box.run("make -C /src install INSTALL_ARGS=--console; echo code $?")
    assert "its screen does not: journalctl -u cast-agent-display" in said
    assert "code 0" not in said
    assert box.run("cat /opt/cast-agent/current/screen") == "console\n"
    for told in ("curl -s localhost:8090/health", "cast-agent doctor", "systemctl status cast-agent --no-pager -l"):
        assert "journalctl -u cast-agent-display" in box.run(told, check=False)


def test_a_display_that_does_not_start_is_tried_for_ever(box: Box) -> None:
    box.run("mkdir -p /run/systemd/system/cast-agent-display.service.d")
    quick = "[Service]\\nExecStart=\\nExecStart=/bin/false\\nRestartSec=0.01\\nRestartSteps=0\\n"
    box.run(f"printf '{quick}' > /run/systemd/system/cast-agent-display.service.d/quick.conf")
    box.run("systemctl daemon-reload && systemctl restart cast-agent-display", check=False)
    box.wait("test $(systemctl show -p NRestarts --value cast-agent-display) -gt 15", 30)
    # Between two tries, or in the moment in which /bin/false runs; given up it would be failed.
    assert box.run("systemctl is-active cast-agent-display", check=False).strip() in ("activating", "active")


def test_the_display_goes_with_the_choice(box: Box) -> None:
    box.run("make -C /src install INSTALL_ARGS=--no-display")
    assert "disabled" in box.run("systemctl is-enabled cast-agent-display", check=False)
    assert box.run("systemctl is-active cast-agent-display", check=False).strip() == "inactive"


def test_uninstalled_it_leaves_the_configuration_only(box: Box) -> None:
    box.run("make -C /src uninstall")
    assert box.run("ls /etc/cast-agent").split() == ["config.toml"]
    assert box.run(MAY_READ).strip() == "root:root:640"  # the number of its group is anybody's from now on
    left = "find / -xdev -name '*cast-agent*' -not -path '/src*' -not -path '/broken*' -not -path '/proc/*'"
    assert box.run(f"{left} -not -path '/checkout*'").split() == ["/etc/cast-agent"]
    assert "no such user" in box.run("id cast-agent", check=False)


def test_installed_again_it_reads_the_configuration_that_was_left(box: Box) -> None:
    """Also one of a version that left it to a group whose number is another group's by now."""
    box.run("groupadd --system others && chown root:others /etc/cast-agent/config.toml")
    assert "it does not start" in box.run("make -C /broken install INSTALL_ARGS=--no-display", check=False)
    box.run("make -C /src install INSTALL_ARGS=--no-display")
    assert box.run(MAY_READ).strip() == "root:cast-agent:640"
    assert "# mine" in box.run("cat /etc/cast-agent/config.toml")
    said = box.run("make -C /src rollback; echo code $?")  # and not to the one that never started
    assert "there is no version before this one" in said
    box.run("make -C /src uninstall INSTALL_ARGS=--purge")
    assert not box.run("ls -d /etc/cast-agent", check=False).startswith("/etc/cast-agent\n")


def test_a_checkout_runs_and_is_tested(box: Box) -> None:
    """`make run` and `make test`, each of which installs what is missing; of the tests, those of Wayland sessions."""
    box.run("systemctl stop cast-agent", check=False)  # whatever is left of the tests before
    box.run("systemd-run --quiet --unit=demo --property=KillSignal=SIGINT make -C /src run")
    box.wait("journalctl -u demo | grep -q 'The picture was on the screen'", 300)
    box.run("systemctl stop demo")
    tested = box.run("PYTEST_ADDOPTS='-k wayland -n 2' make -C /src test")
    assert " passed" in tested
    assert "failed" not in tested
    if box.suite != "bookworm":  # labwc is in Debian from 13 on
        assert "NOT TESTED" not in tested
