"""The whole daemon beside a real central API: what it reports, and that its calls and its end wait for nobody."""

from __future__ import annotations

import json
import time
import urllib.request
from pathlib import Path
from typing import Any

from agent.reporting.central.enrol import enrol_now
from tests.central.support.process import CentralProcess, central_process
from tests.reporting.support.proxy import BLACK_HOLE, FINE, Proxy
from tests.support.agent import Agent
from tests.support.media_server import MediaServer
from tests.support.xserver import XServer


def asked(central: CentralProcess, key: str, path: str) -> Any:
    request = urllib.request.Request(central.url + path, headers={"Authorization": f"Bearer {key}"})
    with urllib.request.urlopen(request, timeout=10) as answer:
        return json.loads(answer.read())


def test_a_box_reports(xserver: XServer, media_server: MediaServer, tmp_path: Path) -> None:
    """A film, a restart in its middle, a central API that hangs, the end: what was on the screen is what is told, the
    code stays, and no call is slower for it."""
    with central_process(f"sqlite:///{tmp_path / 'central.db'}") as central:
        report(xserver, media_server, central)


def report(xserver: XServer, media_server: MediaServer, central: CentralProcess) -> None:
    key, token = central.command("key", "add", "test"), central.command("enrol")
    agent = Agent(xserver.display, audio__output="none", device__name="Hall")
    with Proxy(before=central.port) as proxy:
        box = enrol_now(proxy.url, token, folder=agent.folder / "state", name="Hall").enrolment.device_id
        with agent:
            film = agent.start(media_server.url("/film/red.mp4"), title="A film")["session_id"]
            agent.wait_until(lambda: agent.status()["reporting"]["code"], 10, "there is a code")
            reporting = agent.status()["reporting"]
            assert (reporting["enabled"], reporting["connected"], reporting["device_id"]) == (True, True, box)
            agent.wait_until(lambda: asked(central, key, f"/api/v1/devices/{box}")["on"], 10, "its state is told")
            device = asked(central, key, f"/api/v1/devices/{box}")
            assert (device["name"], device["online"], device["code"]) == ("Hall", True, reporting["code"])
            assert device["on"]["session_id"] == film

            assert agent.terminate() == 0
            device = asked(central, key, f"/api/v1/devices/{box}")
            assert (device["online"], device["state"]["stopping"]) == (False, True)
            agent.run()
            agent.wait_state("playing")
            agent.wait_until(lambda: agent.status()["reporting"]["code"], 10, "there is a code")
            assert agent.status()["reporting"]["code"] == reporting["code"]

            proxy.fault = BLACK_HOLE
            before = time.monotonic()
            agent.stop()
            green = agent.start(media_server.url("/film/green.mp4"))["session_id"]
            agent.stop()
            assert time.monotonic() - before < 5.0, "0.5 s are usual"
            assert agent.status()["reporting"]["queued"] == 4
            agent.wait_until(lambda: agent.status()["reporting"]["problem"], 20, "it is noticed")
            assert "did not answer within 10 s" in agent.status()["reporting"]["problem"]
            proxy.fault = FINE
            agent.wait_until(lambda: agent.status()["reporting"]["connected"], 10, "it is back")
            agent.wait_until(lambda: not agent.status()["reporting"]["queued"], 10, "all is told")
            agent.wait_until(lambda: agent.status()["reporting"]["code"] is None, 10, "nothing is on")

            proxy.fault = BLACK_HOLE
            before = time.monotonic()
            assert agent.terminate() == 0
            assert time.monotonic() - before < 5.0
    events = asked(central, key, f"/api/v1/devices/{box}/events")["items"]
    assert [(event["kind"], event["session_id"]) for event in events] == [
        ("agent_started", None),
        ("session_started", film),
        ("first_frame", film),
        ("agent_started", None),
        ("session_resumed", film),
        ("session_ended", film),
        ("session_started", green),
        ("first_frame", green),
        ("session_ended", green),
    ]
    assert [event["data"].get("reason") for event in events if event["kind"] == "session_ended"] == ["stopped"] * 2
