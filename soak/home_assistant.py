"""`python -m soak.home_assistant --hass FILE`: a dashboard of a real Home Assistant on the screen of a real agent;
each of them is restarted, and at last its token is revoked.

Exit code 0 when it was always logged in until then, 1 when it was not, 2 when it could not be begun.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from aiohttp import ClientError, ClientSession

from tests.support.agent import Agent
from tests.support.recorder import ScreenRecorder
from tests.support.running import Started
from tests.support.sockets import free_port
from tests.support.tools import MissingToolError
from tests.support.xserver import XServer

NOT_RUN: Final = (MissingToolError, RuntimeError, OSError, AssertionError, ClientError, subprocess.SubprocessError)

READY_S: Final = 180.0
"""Home Assistant needs 10 s; the first time it makes its files, on a busy machine."""

REVOKED_S: Final = 2.0
ASK_EVERY_S: Final = 0.2
"""It tells nobody that it is ready; to start takes it 5 s and more."""
QUIET_S: Final = 10.0
"""The time after a revocation for which nothing may try again."""

TURNS_S: Final = 40.0
LAID_OUT_S: Final = 3.0
"""The time after the first picture in which the front-end lays out its first view."""

_COLOURS: Final = ("green", "blue")
"""The backgrounds of the two views."""

_CONFIGURATION: Final = """
http: {server_host: 127.0.0.1, server_port: %d, ip_ban_enabled: true, login_attempts_threshold: 3}
frontend:
config:
person:
sun:
lovelace: {mode: yaml}
"""
_DASHBOARD: Final = """
views:
- {title: Wall, background: "#00ff00", cards: [{type: entity, entity: sun.sun}]}
- {title: Hall, background: "#0000ff", cards: [{type: entity, entity: sun.sun}]}
"""


class HomeAssistant(Started):
    """`hass` in a folder of its own, with one user."""

    def __init__(self, program: str) -> None:
        self._program = program
        self._port = free_port()
        self._folder = tempfile.TemporaryDirectory(prefix="hass-", ignore_cleanup_errors=True)
        self._process: subprocess.Popen[bytes] | None = None
        self._refresh_token = ""
        self.url = f"http://127.0.0.1:{self._port}"
        folder = Path(self._folder.name)
        (folder / "configuration.yaml").write_text(_CONFIGURATION % self._port)
        (folder / "ui-lovelace.yaml").write_text(_DASHBOARD)
        self._log = folder / "log"

    @property
    def failures(self) -> int:
        """Log-ins that it has refused."""
        return self._log.read_text(errors="replace").count("invalid authentication")

    def start(self) -> None:
        with self._log.open("ab") as log:
            command = [self._program, "-c", self._folder.name, "--skip-pip"]
            self._process = subprocess.Popen(command, stdout=log, stderr=log)  # noqa: S603 - named by who calls this
        asyncio.run(self._until_ready())

    def stop(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.send_signal(signal.SIGTERM)
            process.wait(60)

    def token(self) -> str:
        """A new long-lived access token of its user, whom the first call makes."""
        return asyncio.run(self._new_token())

    def revoke(self) -> None:
        """All long-lived access tokens."""
        asyncio.run(self._revoke())

    async def _until_ready(self) -> None:
        async with asyncio.timeout(READY_S), ClientSession(self.url) as http:
            while True:
                with suppress(ClientError):  # it does not listen yet
                    async with http.get("/manifest.json") as answer:
                        if answer.status == 200:
                            return
                await asyncio.sleep(ASK_EVERY_S)

    async def _new_token(self) -> str:
        client = f"{self.url}/"
        async with ClientSession(self.url) as http:
            if not self._refresh_token:
                user = {"client_id": client, "name": "a", "username": "a", "password": "a", "language": "en"}
                async with http.post("/api/onboarding/users", json=user) as answer:
                    code = (await answer.json())["auth_code"]
                grant = {"grant_type": "authorization_code", "code": code, "client_id": client}
                async with http.post("/auth/token", data=grant) as answer:
                    tokens = await answer.json()
                self._refresh_token = tokens["refresh_token"]
                for step in ("core_config", "analytics", "integration"):
                    body = {"client_id": client, "redirect_uri": client} if step == "integration" else None
                    bearer = {"Authorization": f"Bearer {tokens['access_token']}"}
                    async with http.post(f"/api/onboarding/{step}", json=body, headers=bearer):
                        continue
        wish = {"type": "auth/long_lived_access_token", "client_name": "wall", "lifespan": 365}
        return str((await self._call(wish))[0])

    async def _revoke(self) -> None:
        [tokens] = await self._call({"type": "auth/refresh_tokens"})
        long_lived = [each["id"] for each in tokens if each["type"] == "long_lived_access_token"]
        await self._call(*({"type": "auth/delete_refresh_token", "refresh_token_id": each} for each in long_lived))

    async def _call(self, *commands: dict[str, Any]) -> list[Any]:
        """The results of commands of its websocket."""
        grant = {"grant_type": "refresh_token", "refresh_token": self._refresh_token, "client_id": f"{self.url}/"}
        async with ClientSession(self.url) as http:
            async with http.post("/auth/token", data=grant) as answer:
                access = (await answer.json())["access_token"]
            async with http.ws_connect("/api/websocket") as line:
                await line.receive_json()
                await line.send_json({"type": "auth", "access_token": access})
                await line.receive_json()
                results = []
                for number, command in enumerate(commands, 1):
                    await line.send_json({"id": number, **command})
                    results.append((await line.receive_json())["result"])
                return results


def _turn(home: HomeAssistant, agent: Agent, display: str) -> None:
    """Two views in turn, in one browser: nothing else is seen. Raises AssertionError for what is wrong."""
    agent.show_page(f"{home.url}/lovelace/0", page={"seconds": 2, "then": [{"url": f"{home.url}/lovelace/1"}]})
    pid = agent.player_pid()
    time.sleep(LAID_OUT_S)
    with ScreenRecorder(display) as recorder:
        time.sleep(TURNS_S)
        recording = recorder.stop()
    shown = Counter(recording.colours())
    assert set(shown) == set(_COLOURS), f"the screen showed {shown}"
    assert min(shown.values()) >= TURNS_S / 2 / 2 - 1, f"the views did not take turns: {shown}"
    assert agent.player_pid() == pid, "another browser was started"
    agent.wait_state("playing")
    print(f"{shown.total() - 1} changes of the view: {dict(shown)}, one browser", flush=True)
    agent.stop(all=True)


def _show(home: HomeAssistant, agent: Agent) -> None:
    """Raises AssertionError for what is wrong."""
    session = agent.show_page(f"{home.url}/lovelace/0")["session_id"]
    agent.wait_state("playing")
    print("shown: playing", flush=True)
    began = time.monotonic()
    home.stop()
    agent.wait_state("buffering", READY_S)
    home.start()
    assert agent.wait_state("playing", READY_S)["session_id"] == session
    print(f"Home Assistant restarted: playing after {time.monotonic() - began:.1f} s", flush=True)
    agent.kill()
    agent.run()
    assert agent.wait_state("playing", READY_S)["session_id"] == session
    assert home.failures == 0, f"{home.failures} log-ins were refused"
    print("agent restarted: playing", flush=True)
    home.revoke()
    began = time.monotonic()
    agent.wait_until(lambda: agent.status()["stream"] is None, REVOKED_S, "the session has ended")
    print(f"revoked: ended after {time.monotonic() - began:.2f} s", flush=True)
    assert (code := agent.status()["last"]["error"]["code"]) == "page_login", code
    time.sleep(QUIET_S)
    assert home.failures <= 1, f"{home.failures} log-ins were tried with a revoked token"


def main() -> int:
    parser = argparse.ArgumentParser(prog="soak.home_assistant", description=__doc__)
    parser.add_argument("--hass", default="hass", metavar="FILE", help="the program of Home Assistant (default hass)")
    options = parser.parse_args()
    has_begun = False
    try:
        with HomeAssistant(options.hass) as home, XServer() as x:
            entries = [{"origin": home.url, "kind": "home-assistant", "secret": home.token()}]
            with Agent(x.display, audio__output="none", login=json.dumps(entries)) as agent:
                has_begun = True
                _turn(home, agent, x.display)
                _show(home, agent)
    except NOT_RUN as error:
        print(f"soak home-assistant: {error}", file=sys.stderr)
        return 1 if has_begun else 2
    print("all right", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
