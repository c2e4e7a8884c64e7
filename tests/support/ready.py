"""Cameras and live streams that are kept ready: their presets, their state, and their process by itself."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from agent.player.camera.messages import CameraReport, decode_reports, encode_wanted
from tests.support.agent import Agent
from tests.support.tools import end

READY_WITHIN_S = 30.0
"""15 s to the next try, 4 s to the next key frame; the rest is for a busy machine."""


def presets(*urls: str) -> str:
    """The presets `door-0`, `door-1` and so on of a configuration, all with `keep_ready`."""
    return "".join(f'[[preset]]\nid = "door-{n}"\nurl = "{url}"\nkeep_ready = true\n' for n, url in enumerate(urls))


def wait_ready(agent: Agent, *, ready: bool = True) -> Any:
    """The state of the only camera, once it is as expected."""
    agent.wait_until(lambda: agent.health()["cameras"][0]["ready"] is ready, READY_WITHIN_S, "the camera")
    return agent.health()["cameras"][0]


def start_preset(agent: Agent, **fields: object) -> Any:
    answer = agent.call("POST", "/start?wait=15", {"preset": "door-0", **fields})
    assert answer.status == 200, answer.content
    return answer.json


def wait_after_key_frame(every_s: float) -> float:
    """Wait until a source with a key frame at each multiple of `every_s` of the monotonic clock has just sent one.
    Returns the time of the next one."""
    now = time.monotonic()
    key = (now // every_s + 1) * every_s
    time.sleep(key - now + 0.5)
    return key + every_s


@contextmanager
def camera_worker(wanted: dict[str, str]) -> Iterator[Callable[[], tuple[CameraReport, ...]]]:
    """The process that keeps these ready, by itself; gives the way to its next reports."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.settimeout(READY_WITHIN_S)
        command = [sys.executable, "-m", "agent.player.camera.worker", "--parent", str(os.getpid())]
        process = subprocess.Popen([*command, "--fd", str(theirs.fileno())], pass_fds=[theirs.fileno()])
        try:
            with ours.makefile("rb") as lines:
                ours.sendall(encode_wanted(wanted))
                yield lambda: decode_reports(lines.readline())
        finally:
            end(process)


def wait_url(next_reports: Callable[[], tuple[CameraReport, ...]]) -> str:
    """The address of the camera that is ready first."""
    url = ""
    while not url:
        url = next((report.url for report in next_reports() if report.ready), "")
    return url
