"""Web pages on an installed box: Chromium in its sandbox, under the confinement and the unit. `make test-install`."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from PIL import Image

from tests.installed.box import SUITES, Box, missing
from tests.installed.test_install import HEALTHY, SCREEN
from tests.support.colours import name_of

WEB = "systemd-run --quiet --unit=pages --working-directory=/srv/pages python3 -m http.server 8001"
HOSTILE = """<!doctype html><title>Wall</title><body style="background: red"><script>
const green = () => { document.body.style.background = "lime"; };
fetch("file:///etc/passwd").then(green, () => {});
const frame = document.createElement("iframe");
frame.src = "file:///etc/passwd";
frame.style.cssText = "position: fixed; inset: 0; width: 100%; height: 100%; border: 0; background: none";
document.body.append(frame);
window.open("chrome://sandbox");
setTimeout(() => { location.href = "mailto:somebody@example.org"; }, 500);
setTimeout(() => { location.href = "file:///etc/passwd"; }, 1000);
</script>"""
"""A page that is red unless it gets at something that it may not have."""
SHOWS = """curl -s localhost:8090/status | grep -q '"state":"playing"'"""


@pytest.fixture(autouse=True)
def _no_leaks() -> None:
    """Instead of the one for all tests: a box that is booted again is other processes, and all end with it."""


@pytest.fixture(scope="module", params=SUITES)
def box(request: pytest.FixtureRequest) -> Iterator[Box]:
    """With the agent and Chromium installed, a screen, and the page."""
    if reason := missing():
        pytest.skip(f"NOT TESTED, web pages on an installed box: {reason}")
    with Box(request.param) as box:
        box.run("apt-get update -qq && apt-get install -qq -y --no-install-recommends xvfb curl procps")
        box.run("cp -a /checkout /src && rm -rf /src/.venv /src/.cache")
        box.run("umask 077 && make -C /src install INSTALL_ARGS='--no-display --with-pages'")
        box.run("mkdir -p /srv/pages")
        (box.root / "srv/pages/index.html").write_text(HOSTILE)
        box.run(f"{SCREEN} && {WEB}")
        box.wait(HEALTHY, 30)
        yield box


def start(box: Box, url: str) -> str:
    body = json.dumps({"url": url, "as": "page"})
    return box.run(f"curl -s -X POST localhost:8090/start?wait=30 -d '{body}'")


def test_a_hostile_page_is_kept_in(box: Box) -> None:
    """Each of its processes is in a sandbox of Chromium's, and all are confined; it gets at no file, opens no page of
    the browser and starts no program."""
    assert "success" in start(box, "http://127.0.0.1:8001/")
    box.wait(SHOWS, 15)
    features = json.loads(box.run("curl -s localhost:8090/health"))["checks"]["player"]["engines"]["chromium"][
        "features"
    ]
    assert features["sandbox"] is True, features
    assert features["confinement"] != "none"
    box.run("sleep 3")
    renderers = box.run("pgrep -f -- --type=renderer").split()
    assert renderers
    mine = box.run("readlink /proc/$(systemctl show -p MainPID --value cast-agent)/ns/user")
    for pid in renderers:
        status = box.run(f"cat /proc/{pid}/status", check=False)
        if not status.startswith("Name"):
            continue  # it has gone meanwhile: a tab that was refused
        assert "Seccomp:\t2" in status
        assert "NoNewPrivs:\t1" in status
        assert box.run(f"readlink /proc/{pid}/ns/user") != mine
    assert box.run("ps -eo comm= | grep -E '^(xdg-open|xdg-email|thunderbird|gio)'", check=False) == ""
    box.wait(SHOWS, 5)
    box.run("curl -s -o /srv/screen.png -H 'Accept: image/png' localhost:8090/snapshot")
    with Image.open(box.root / "srv/screen.png") as picture:
        assert name_of(picture.convert("RGB").getpixel((picture.width // 2, picture.height // 2))) == "red"  # type: ignore[arg-type]


@pytest.mark.parametrize("url", ["file:///etc/passwd", "chrome://sandbox", "view-source:http://127.0.0.1:8001/"])
def test_what_is_no_page_of_the_web_is_refused(box: Box, url: str) -> None:
    answer = json.loads(start(box, url))
    assert answer["status"] in (403, 422), answer
