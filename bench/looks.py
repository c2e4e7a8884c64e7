"""The cost of a look: a picture of a 1080p screen, and the numbers for Prometheus."""

from __future__ import annotations

import http.client
import time
from collections.abc import Callable
from functools import partial

from bench.agent import Agent
from bench.lab import SEEN_S, Lab
from bench.numbers import Series
from bench.report import Bar, Point, Table
from tests.support.tools import wait_until
from tests.support.xserver import XServer

SNAPSHOT_S = 0.150
METRICS_S = 0.020
"""The bars, for the 95th percentile."""

BETWEEN_S = 0.2
"""The pause between two looks: five times as often as the page takes a picture."""
CALLS = 40
"""With the pauses 8 s of each kind, in which a film of 25 pictures a second shows 200: one that is lost is 0.5 %."""
SIZE = (1920, 1080)

PLAYED_BY = {"CAST_AGENT_PLAYER__ENGINES": '{"http": "mpv"}'}
"""The engine that draws without GL. Where GL is in software, libVLC shows five pictures a second of 1080p and takes all
processors for them."""


def measure(lab: Lab) -> Point:
    """Raises RuntimeError when a call is not answered with 200, TimeoutError when nothing is shown."""
    with XServer(SIZE) as server, Agent(server.display, lab.env, PLAYED_BY) as agent:
        agent.start(lab.media.rich)
        wait_until(lambda: pictures(agent) > 25, timeout_s=SEEN_S, what="the agent to play")
        lab.say("pictures in each second without a snapshot")
        alone = _rate(agent, lambda: None)
        times: dict[str, Series] = {}
        lab.say("snapshots of 1080p while 720p plays")
        photographed = _rate(agent, lambda: _timed(agent, "/snapshot?format=jpeg", times))
        for path in ("/snapshot?format=png", "/snapshot?format=jpeg&width=640"):
            lab.say(f"{path} while 720p plays")
            _rate(agent, partial(_timed, agent, path, times))
        lab.say("/metrics while 720p plays")
        _rate(agent, lambda: _timed(agent, "/metrics", times))
        agent.stop()
    jpeg, numbers = times["/snapshot?format=jpeg"], times["/metrics"]
    kept = photographed / alone
    return Point(
        name="looks",
        title="Looking, while a film plays",
        table=Table(
            ("call", "times", "p50 ms", "p95 ms", "longest ms"),
            tuple(
                (path, str(len(s.values)), *(f"{v * 1000:.1f}" for v in (s.median, s.percentile(95), s.high)))
                for path, s in times.items()
            ),
        ),
        bars=(
            Bar(
                f"a snapshot of {SIZE[0]}x{SIZE[1]} within {SNAPSHOT_S * 1000:.0f} ms at the 95th percentile",
                jpeg.percentile(95) <= SNAPSHOT_S,
                f"{jpeg.percentile(95) * 1000:.1f} ms",
            ),
            Bar(
                "no displayed picture lost to snapshots (at least 99 % of the pictures without them)",
                kept >= 0.99,
                f"{photographed:.2f} a second with {1 / BETWEEN_S:.0f} snapshots a second, {alone:.2f} without",
            ),
            Bar(
                f"/metrics within {METRICS_S * 1000:.0f} ms at the 95th percentile",
                numbers.percentile(95) <= METRICS_S,
                f"{numbers.percentile(95) * 1000:.1f} ms",
            ),
        ),
        raw={"seconds": {path: s.values for path, s in times.items()}, "pictures_a_second": [alone, photographed]},
    )


def _rate(agent: Agent, look: Callable[[], None]) -> float:
    """Pictures displayed in each second while somebody looks CALLS times."""
    began, before = time.monotonic(), pictures(agent)
    for _ in range(CALLS):
        look()
        time.sleep(BETWEEN_S)
    return (pictures(agent) - before) / (time.monotonic() - began)


def _timed(agent: Agent, path: str, times: dict[str, Series]) -> None:
    began = time.perf_counter()
    connection = http.client.HTTPConnection("127.0.0.1", agent.port, timeout=SEEN_S)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        answer.read()
    finally:
        connection.close()
    seconds = time.perf_counter() - began
    if answer.status != 200:
        raise RuntimeError(f"{path} was answered {answer.status}")
    times[path] = Series((*(times[path].values if path in times else ()), seconds))


def pictures(agent: Agent) -> int:
    """The pictures that the stream has displayed so far."""
    stream = agent.call("GET", "/status").body["stream"]
    return 0 if stream is None else int(stream["frames_displayed"])
