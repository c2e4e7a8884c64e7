"""`make install-central` on a Debian with its own systemd: installed, upgraded, taken back, backed up, removed."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.installed.box import SUITES, Box, missing

API = "http://127.0.0.1:8080"
HEALTHY = f"""curl -s {API}/health | grep -q '"status":"healthy"'"""
FILM = "/src/examples/first-picture.mp4"
RUNS_AS = "stat -c %U /proc/$(systemctl show -p MainPID --value cast-central)"
CURRENT = "readlink /opt/cast-central/current"


@pytest.fixture(autouse=True)
def _no_leaks() -> None:
    """Instead of the one for all tests: all that a box starts ends with it."""


@pytest.fixture(scope="module", params=SUITES)
def box(request: pytest.FixtureRequest) -> Iterator[Box]:
    """With the central API installed."""
    if reason := missing():
        pytest.skip(f"NOT TESTED, the installation: {reason}")
    with Box(request.param) as box:
        box.run("apt-get update -qq && apt-get install -qq -y --no-install-recommends curl")
        box.run("cp -a /checkout /src && rm -rf /src/.venv /src/.cache")
        box.run("umask 077 && make -C /src install-central")
        box.wait(HEALTHY, 15)
        yield box


@pytest.fixture(scope="module")
def key(box: Box) -> str:
    """An admin key, made by root beside the service."""
    return box.run("cast-central key add laptop 2>/dev/null").strip()


def call(box: Box, key: str, path: str, *options: str) -> dict[str, object]:
    said = box.run(f"curl -s -H 'Authorization: Bearer {key}' {API}{path} {' '.join(options)}")
    answer: dict[str, object] = json.loads(said)
    return answer


def test_it_runs_as_its_own_user_and_plays_what_is_uploaded(box: Box, key: str) -> None:
    """The unit leaves ffprobe and ffmpeg what they need: a film is ready, and has a poster."""
    assert box.run(RUNS_AS).strip() == "cast-central"
    size = box.run(f"stat -c %s {FILM}").strip()
    body = json.dumps({"title": "Film", "type": "video/mp4", "size": int(size)})
    reserved = call(box, key, "/api/v1/videos", f"-d '{body}'")
    video = f"/api/v1/videos/{reserved['id']}"
    call(box, key, f"{video}/content", f"-T {FILM}")
    call(box, key, f"{video}/complete", "-X POST")
    box.wait(f"curl -s -H 'Authorization: Bearer {key}' {API}{video} | grep -q '\"state\":\"ready\"'", 30)
    box.wait(f"curl -sf -H 'Authorization: Bearer {key}' {API}{video}/poster -o /dev/null", 60)


def test_a_daemon_that_hangs_is_started_anew(box: Box) -> None:
    before = box.run("systemctl show -p MainPID --value cast-central").strip()
    box.run(f"kill -STOP {before}")
    box.wait(f"test $(systemctl show -p MainPID --value cast-central) != {before} && {HEALTHY}", 60)


def test_an_upgrade_can_be_taken_back_and_is_when_it_does_not_start(box: Box, key: str) -> None:
    was = box.run(CURRENT)
    box.run("echo '# mine' >> /etc/cast-central/config.toml")
    box.run("make -C /src install-central")
    assert box.run(CURRENT) != was
    box.run("make -C /src rollback-central")
    assert box.run(CURRENT) == was
    box.run("cp -a /src /broken && echo 'run = None' >> /broken/central/daemon.py")
    box.run("sed -i s/TimeoutStartSec=600/TimeoutStartSec=5/ /broken/systemd/cast-central.service")
    assert "the upgrade was taken back" in box.run("make -C /broken install-central", check=False)
    assert box.run(CURRENT) == was
    assert "# mine" in box.run("cat /etc/cast-central/config.toml")
    assert len(call(box, key, "/api/v1/videos")["items"]) == 1  # type: ignore[arg-type]


def test_a_backup_is_restored_by_root_for_its_user(box: Box, key: str) -> None:
    box.run("cast-central backup /root/central.tar")
    assert "cast-central runs on this database" in box.run("cast-central restore /root/central.tar", check=False)
    box.run("systemctl stop cast-central && cast-central restore --replace /root/central.tar")
    assert box.run("find /var/lib/cast-central -not -user cast-central").strip() == ""
    box.run("systemctl start cast-central")
    assert len(call(box, key, "/api/v1/videos")["items"]) == 1  # type: ignore[arg-type]


def test_uninstalled_it_leaves_the_videos_and_the_configuration(box: Box, key: str) -> None:
    """And installed again it has them; without them it is gone."""
    box.run("/opt/cast-central/install.sh uninstall")
    assert "no such user" in box.run("id cast-central", check=False)
    assert box.run("ls /etc/cast-central").split() == ["config.toml"]
    box.run("make -C /src install-central")
    assert len(call(box, key, "/api/v1/videos")["items"]) == 1  # type: ignore[arg-type]
    box.run("make -C /src uninstall-central INSTALL_ARGS=--purge")
    left = "find / -xdev -name '*cast-central*' -not -path '/src*' -not -path '/broken*' -not -path '/proc/*'"
    assert box.run(f"{left} -not -path '/checkout*'").split() == []
