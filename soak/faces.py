"""`python -m soak.faces --messages 10000 --seed 7`: so many malformed messages to ESPHome's API and to DLNA of the real
agent, while a film plays.

Exit code 0 when nothing failed, stayed open or stopped the film, 1 when something did, 2 when it could not be begun.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from functools import partial

from aiohttp import ClientSession

from agent.frontends.esphome.key import KeyFile
from agent.util.threads import IDLE_LIMIT
from bench.processes import descriptors, memory, threads
from tests.support.agent import Agent
from tests.support.clips import Clips
from tests.support.esphome import KEY
from tests.support.malformed import DLNA_STATUSES, call_dlna, send_esphome, send_no_http
from tests.support.media_server import MediaServer
from tests.support.sockets import free_port
from tests.support.tools import MissingToolError, wait_until
from tests.support.xserver import XServer

NOT_RUN = (MissingToolError, RuntimeError, OSError, AssertionError, subprocess.SubprocessError)

WARM_UP = 300
"""Messages to each face after which caches are filled."""

NO_HTTP_OF = 10
"""One of so many messages to DLNA is not even HTTP."""

FILM_S = 10.0

SETTLE_S = 15.0
"""The time for the last connections to end: a client that says no hello is disconnected after 10 s."""


class Run:
    """Sends, and adds up what is wrong."""

    def __init__(self, agent: Agent, film: str, *, seed: int) -> None:
        self._agent = agent
        status = agent.status()
        self._ports = {face: int(status[face]["port"]) for face in ("esphome", "dlna")}
        self._film = film
        self._dice = random.Random(seed)  # noqa: S311 - it is printed
        self._statuses: Counter[int] = Counter()
        self.wrong: list[str] = []

    def all(self, messages: int) -> None:
        """Each face in turn. Raises OSError when the agent is gone, AssertionError when it does not settle."""
        agent = self._agent
        for count in (WARM_UP, messages):
            files, before, mib = descriptors(agent.pid), threads(agent.pid), memory(agent.pid).rss
            self._phase("ESPHome, without the key", count // 2, lambda: self._esphome(None), film_goes_on=True)
            self._phase("DLNA", count, self._dlna, film_goes_on=True)
            # Some of these are commands that are well formed by chance, and may stop the film.
            self._phase("ESPHome, with the key", count - count // 2, lambda: self._esphome(KEY), film_goes_on=False)
            agent.stop(all=True)
            agent.wait_for_spare()
            wait_until(
                partial(_has_at_most, agent, files),
                timeout_s=SETTLE_S,
                what=f"at most {files} open files, as before",
            )
            if threads(agent.pid) > before + IDLE_LIMIT:
                self.wrong.append(f"{threads(agent.pid)} threads, {before} before")
            grown = memory(agent.pid).rss - mib
            print(f"  open files {files} -> {descriptors(agent.pid)}, memory {grown:+.1f} MiB", flush=True)
        self._look(agent)

    def _phase(self, name: str, messages: int, send: Callable[[], Awaitable[int]], *, film_goes_on: bool) -> None:
        agent = self._agent
        session = agent.start(self._film, loop=True)["session_id"]
        began = time.monotonic()
        asyncio.run(self._send(messages, send))
        seconds = time.monotonic() - began
        if film_goes_on and agent.wait_state("playing")["session_id"] != session:
            self.wrong.append(f"{name}: the film was replaced")
        print(f"{name}: {messages} messages in {seconds:.0f} s", flush=True)

    async def _send(self, messages: int, send: Callable[[], Awaitable[int]]) -> None:
        sent = 0
        while sent < messages:
            sent += await send()

    async def _esphome(self, key: bytes | None) -> int:
        return await send_esphome(self._ports["esphome"], self._dice, key)

    async def _dlna(self) -> int:
        port = self._ports["dlna"]
        async with ClientSession() as http:
            for number in range(100):
                if number % NO_HTTP_OF == 0:
                    await send_no_http(port, self._dice)
                else:
                    self._statuses[await call_dlna(http, f"http://127.0.0.1:{port}", self._dice)] += 1
        return 100

    def _look(self, agent: Agent) -> None:
        self.wrong += [f"DLNA answered {status}" for status in self._statuses.keys() - DLNA_STATUSES]
        faults = [line for line in agent.log() if line.get("level") in ("error", "critical")]
        self.wrong += [f"in the log: {fault['event']}" for fault in faults]
        status, health = agent.status(), agent.health()
        self.wrong += [str(check) for check in health["checks"].values() if check["status"] != "ok"]
        if left := [*status["esphome"]["clients"], *status["dlna"]["subscribers"]]:
            self.wrong.append(f"still connected: {left}")


def _has_at_most(agent: Agent, files: int) -> bool:
    return descriptors(agent.pid) <= files


def main() -> int:
    options = _options()
    print(f"soak faces: {options.messages} messages to each face, --seed {options.seed}", flush=True)
    run: Run | None = None
    try:
        with MediaServer(clips := Clips()) as server, XServer() as x:
            agent = Agent(
                x.display,
                audio__output="none",
                dlna__enabled=True,
                dlna__host="127.0.0.1",
                dlna__port=0,
                esphome__enabled=True,
                esphome__port=free_port(),
            )
            KeyFile(agent.folder / "state").add(KEY)
            with agent:
                agent.wait_until(lambda: agent.status()["dlna"]["port"], SETTLE_S, "DLNA listens")
                run = Run(agent, server.file_url(clips.film_mp4("green", FILM_S)), seed=options.seed)
                run.all(options.messages)
    except NOT_RUN as error:
        print(f"soak faces: {error}", file=sys.stderr)
        return 1 if run is not None else 2
    for line in run.wrong:
        print(f"  ! {line}")
    print("WRONG" if run.wrong else "all right", flush=True)
    return 1 if run.wrong else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="soak.faces", description="Sends malformed messages to the real agent.")
    parser.add_argument("--messages", type=int, default=10_000, metavar="N", help="to each face (default 10000)")
    seed = random.randrange(100_000)  # noqa: S311 - it is printed
    parser.add_argument("--seed", type=int, default=seed, metavar="N", help="the same seed sends the same messages")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
