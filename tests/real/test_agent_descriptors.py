"""The whole agent without a single free descriptor: everything goes on once there are some again."""

from __future__ import annotations

import http.client
import json
import resource
from typing import Any

from tests.support.agent import Agent
from tests.support.looking import wait_moves
from tests.support.media_server import MediaServer
from tests.support.screen import Screen
from tests.support.xserver import XServer

NONE_LEFT = 3
"""The limit of descriptors for the process: those that every process begins with."""

NOTICED_S = 10.0
BACK_S = 15.0
"""The stage tries every second; a spare player may be paused for some seconds after failures."""


def test_an_agent_out_of_descriptors_recovers(mortal: XServer, media_server: MediaServer) -> None:
    """Its display goes while nothing can be opened: /health says why, and once descriptors can be had again it takes
    the display and plays."""
    with Agent(mortal.display, audio__output="none") as agent:
        usual = resource.prlimit(agent.pid, resource.RLIMIT_NOFILE)
        kept = http.client.HTTPConnection("127.0.0.1", agent.port, timeout=5)
        _health(kept)  # the connection is there before the descriptors are gone
        resource.prlimit(agent.pid, resource.RLIMIT_NOFILE, (NONE_LEFT, usual[1]))
        mortal.kill()
        agent.wait_until(lambda: "Too many open files" in _message(kept), NOTICED_S, "the reason is told")
        assert _health(kept)["status"] == "degraded"
        mortal.start()
        wanted = {"url": media_server.url("/film/green.mp4")}
        kept.request("POST", "/start", json.dumps(wanted), {"Content-Type": "application/json"})
        answer = kept.getresponse()
        answer.read()
        assert answer.status == 503
        resource.prlimit(agent.pid, resource.RLIMIT_NOFILE, usual)
        agent.wait_until(lambda: _health(kept)["status"] == "healthy", BACK_S, "all is well again")
        agent.start(wanted["url"])
        with Screen(mortal.display) as screen:
            wait_moves(screen, "green")
        kept.close()
        assert not agent.log("display_failed")
        assert not agent.log("task_failed"), "no part of the agent takes this for a mistake"


def _health(connection: http.client.HTTPConnection) -> Any:
    connection.request("GET", "/health")
    return json.loads(connection.getresponse().read())


def _message(connection: http.client.HTTPConnection) -> str:
    return str(_health(connection)["checks"]["display"]["message"])
