"""The end of the agent within 5 s of a signal, whatever hangs."""

from __future__ import annotations

import os
import signal
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from tests.support.agent import Agent
from tests.support.media_server import MediaServer
from tests.support.stuck import start_stuck_hls
from tests.support.tools import wait_until
from tests.support.xserver import XServer

OUT_S = 5.0
SOON_S = 10.0


@contextmanager
def deaf_caller(agent: Agent) -> Iterator[socket.socket]:
    """A caller that asks again and again and never reads an answer, until the agent can send no more."""
    with socket.socket() as line:
        line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        line.connect(("127.0.0.1", agent.port))
        line.settimeout(0.5)
        ask = b"GET /nothing HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n" * 100
        try:
            for _ in range(1000):
                line.sendall(ask)
        except TimeoutError:
            yield line
            return
        raise AssertionError("the agent has read everything")


def out_after(agent: Agent, *signals: int) -> tuple[float, int]:
    """Seconds from the first signal to the end of the process, and its exit code."""
    process, agent.process = agent.process, None
    assert process is not None
    began = time.monotonic()
    try:
        for number in signals:
            process.send_signal(number)
            time.sleep(0.1)  # as somebody presses Ctrl-C twice; two at once would be one signal
        code = process.wait(OUT_S * 3)
    finally:
        process.kill()
        process.wait()
    return time.monotonic() - began, code


def test_out_in_time_with_everything_stuck(xserver: XServer, media_server: MediaServer) -> None:
    """A stuck HLS on the screen, players and the X server that hang, a caller who waits for another stream and one
    who never reads: the process is out within 5 s, and its players with it."""
    with Agent(xserver.display, audio__output="none") as agent, ThreadPoolExecutor(1) as pool:
        start_stuck_hls(agent, media_server)
        agent.wait_for_spare()
        waiting = pool.submit(agent.call, "POST", "/start?wait=20", {"url": media_server.url("/never")})
        media_server.wait_request("/never", timeout_s=SOON_S)
        players = agent.children()
        for player in players:
            os.kill(player, signal.SIGSTOP)
        with deaf_caller(agent):
            xserver.pause()
            try:
                took, _ = out_after(agent, signal.SIGTERM)
            finally:
                xserver.resume()
        assert took < OUT_S
        wait_until(lambda: not any(map(exists, players)), timeout_s=SOON_S, what="its players to end")
        assert waiting.exception(timeout=SOON_S) is not None or waiting.result().status == 409


def test_a_dead_share_keeps_nobody(xserver: XServer, dead_share: Path) -> None:
    """A thread that waits for a file on a share whose server is gone cannot be ended. Everything else ends, and so does
    the process."""
    with Agent(xserver.display, player__media_folders=[str(dead_share)]) as agent, ThreadPoolExecutor(1) as pool:
        assert agent.health()["status"] == "healthy"
        waiting = pool.submit(agent.call, "POST", "/start", {"url": f"file://{dead_share}/film.mp4"})
        agent.wait_until(lambda: "fuse" in waits_of(agent.pid), SOON_S, "a thread waits for the share")
        took, code = out_after(agent, signal.SIGTERM)
        assert (took < OUT_S, code) == (True, 0)
        assert agent.log()[-1]["event"] == "agent_stopped"
        waiting.exception(timeout=SOON_S)


def test_a_signal_ends_a_start(xserver: XServer) -> None:
    """A signal that comes while the agent starts is obeyed at once: here the agent waits for an X server that hangs."""
    xserver.pause()
    agent = Agent(xserver.display, audio__output="none")
    try:
        agent.launch()
        agent.wait_until(lambda: agent.log("agent_launched"), SOON_S, "it starts")
        took, code = out_after(agent, signal.SIGTERM)
        assert (took < OUT_S / 2, code) == (True, 0)
        events = [line["event"] for line in agent.log()]
        assert events[-1] == "agent_stopped"
        assert "agent_started" not in events
    finally:
        xserver.resume()
        agent.__exit__(None, None, None)


def exists(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


def waits_of(pid: int) -> str:
    """The functions of the kernel in which the threads wait."""
    return " ".join(task.joinpath("wchan").read_text() for task in Path(f"/proc/{pid}/task").iterdir())
