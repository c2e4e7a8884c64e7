"""Keys and reloads of a real daemon while it runs."""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.support.agent import Agent

SOON_S = 10.0

CONFIG = '[log]\nlevel = "info"\n[api]\nallowed_hosts = []\n'


@pytest.fixture(scope="module")
def agent() -> Iterator[Agent]:
    """An agent without a display: nobody plays anything here. Its settings are in the file, where a reload looks."""
    with Agent(None, config=CONFIG, log__level="") as agent:
        yield agent


def key(agent: Agent, *arguments: str) -> str:
    """Run the command as a person beside the agent does; its standard output."""
    command = [sys.executable, "-m", "agent.cli", "key", *arguments]
    done = subprocess.run(command, env=agent.env, capture_output=True, text=True, timeout=SOON_S)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_a_key_closes_and_its_end_opens(agent: Agent) -> None:
    """A key that the command makes closes the running agent to those without, at once; one that it revokes is refused
    at once, also on a connection that was there before."""
    connection = http.client.HTTPConnection("127.0.0.1", agent.port, timeout=SOON_S)

    def status(key: str = "") -> tuple[int, object]:
        connection.request("GET", "/status", headers={"Authorization": f"Bearer {key}"} if key else {})
        ends = connection.sock.getsockname()
        answer = connection.getresponse()
        answer.read()
        return answer.status, ends

    try:
        before, line = status()
        assert before == 200
        first = key(agent, "add", "first")
        assert status() == (401, line)
        assert status(first) == (200, line)
        second = key(agent, "add", "second")
        key(agent, "revoke", "first")
        assert status(first) == (401, line)
        assert status(second) == (200, line)
        agent.wait_until(lambda: used(agent, "second"), SOON_S, "its use is noted")
        key(agent, "revoke", "second")
        assert status() == (200, line)  # protected mode, and this is the box
        agent.wait_until(lambda: agent.log("access_mode_changed")[-1]["auth"] == "closed", 5, "it is told")
    finally:
        connection.close()
    assert [line["auth"] for line in agent.log("access_mode_changed")] == ["closed", "key", "closed"]
    assert first[4:] not in json.dumps(agent.log())
    assert second[4:] not in json.dumps(agent.log())


def used(agent: Agent, name: str) -> bool:
    return any(entry["name"] == name and entry["last_used_at"] for entry in json.loads(key(agent, "list", "--json")))


def test_hup_takes_over_what_it_can_and_names_the_rest(agent: Agent) -> None:
    """The log's level and the names of the box change while it runs; the idle screen waits for a restart; a file with
    a mistake changes nothing and is told with its mistake."""

    def reload(config: str, event: str) -> dict[str, object]:
        before = len(agent.log(event))
        (agent.folder / "config.toml").write_text(config)
        os.kill(agent.pid, signal.SIGHUP)
        agent.wait_until(lambda: len(agent.log(event)) > before, SOON_S, f"{event} is logged")
        return agent.log(event)[-1]

    def known(host: str) -> bool:
        return agent.call("GET", "/status", headers={"Host": host}).status == 200

    assert not known("tv.example")
    changed = '[log]\nlevel = "debug"\n[api]\nallowed_hosts = ["tv.example"]\n[display]\nidle = "desktop"\n'
    assert reload(changed, "restart_required")["settings"] == ["display.idle"]
    assert set(agent.log("settings_reloaded")[-1]["changed"]) == {"api.allowed_hosts", "log.level"}
    assert known("tv.example")
    agent.call("GET", "/health/live")
    agent.wait_until(lambda: agent.log()[-1].get("path") == "/health/live", SOON_S, "what is debug is logged")
    failed = reload('[api]\nallowed_hosts = "x"\nportt = 1\n', "settings_reload_failed")
    assert "api.portt" in str(failed["reason"])
    assert "should be a list" in str(failed["reason"])
    assert known("tv.example")
    assert reload(changed, "restart_required")["settings"] == ["display.idle"]  # still
    reload(CONFIG, "settings_reloaded")
    assert not known("tv.example")
