"""The time after which a freeze is noticed: the source sends nothing more, and its connection stays."""

from __future__ import annotations

import contextlib
import random
import time
from collections.abc import Callable
from dataclasses import astuple, dataclass
from typing import Any

from bench.agent import Agent
from bench.lab import SEEN_S, Lab
from bench.media import MediaProcess
from bench.movement import Movement
from bench.numbers import Series
from bench.report import Bar, Point, Table
from bench.sources import Camera, HttpSource, LiveSource
from tests.support.clips import Clips
from tests.support.rtsp_server import RtspServer
from tests.support.tools import wait_until

NOTICED_S = 6.0
"""The bar: the default stall_timeout of 5 s, and 1 s."""

STEADY_S = (2.0, 3.0)
"""The time for which the stream plays before: at random, so that the freeze meets the agent's own rhythm anywhere."""
SEED = 5
LATE_S = 20.0
"""Then it was not noticed at all."""


@dataclass(frozen=True, slots=True)
class Freeze:
    """Seconds from the moment at which the source fell silent."""

    still_s: float
    """Seconds to the last new picture on the screen: the pictures in store are shown first."""
    buffering_s: float
    """Seconds to a /status that says that nothing moves."""
    again_s: float
    """Seconds to a /status that says what failed, and that it is retried."""


def measure(lab: Lab) -> Point:
    """Raises TimeoutError when it is not noticed at all, RuntimeError when there is no RTSP server."""
    found: dict[str, list[Freeze]] = {}
    dice = random.Random(SEED)
    with contextlib.ExitStack() as running:
        cameras = running.enter_context(RtspServer(Clips()))
        server = MediaProcess()
        media = running.enter_context(server)
        agent = running.enter_context(Agent(lab.agent_eye.display, lab.env))
        sources: list[LiveSource] = [Camera(cameras), HttpSource("live TS", media.ts, server)]
        for source in sources:
            for number in range(lab.scale.freezes):
                lab.say(f"{source.name}: freeze {number + 1} of {lab.scale.freezes}")
                engine, freeze = _freeze(lab, agent, source, steady_s=dice.uniform(*STEADY_S))
                found.setdefault(f"{source.name}, by {engine}", []).append(freeze)
    rows, bars = [], []
    for name, freezes in found.items():
        still, buffering, again = (Series.of(values) for values in zip(*map(astuple, freezes), strict=True))
        after = Series.of([one.again_s - one.still_s for one in freezes])
        rows.append((name, *(series.spread(2) for series in (still, buffering, again, after))))
        for promise, series in (("buffering", buffering), ("what failed and tries again", again)):
            figures = f"at most {series.high:.2f} s"
            bars.append(
                Bar(f"{name}: /status says {promise} within {NOTICED_S:g} s", series.high <= NOTICED_S, figures)
            )
    return Point(
        name="freeze",
        title="A source that falls silent and stays connected, s",
        table=Table(
            (
                "source",
                "last picture",
                "/status: buffering",
                "/status: failed, tries again",
                "the same, from the last picture",
            ),
            tuple(rows),
        ),
        bars=tuple(bars),
        notes=(
            f"Median (range) of {lab.scale.freezes}, from the last byte on; stall_timeout is 5 s. What is in store is "
            "shown first:",
            "the last column counts from the last picture on the screen.",
        ),
        raw={
            "freezes_s": {name: [astuple(one) for one in all_] for name, all_ in found.items()},
            "columns": list(Freeze.__slots__),
        },
    )


def _freeze(lab: Lab, agent: Agent, source: LiveSource, *, steady_s: float) -> tuple[str, Freeze]:
    """One freeze, and the engine that played."""
    agent.wait_spare()
    with Movement(lab.agent_eye) as movement:
        agent.start(source.stream.url)
        movement.wait_steady(steady_s, timeout_s=SEEN_S)
        _until(agent, lambda stream: stream["state"] == "playing", source.name)
        source.silence(True)
        try:
            silent_at = time.monotonic()
            buffering_at = _until(agent, lambda stream: stream["state"] == "buffering", source.name)
            last_at = movement.last()
            again_at = _until(agent, lambda stream: stream["attempt"] > 1, source.name)
            engine = str(agent.call("GET", "/status").body["stream"]["engine"])
        finally:
            source.silence(False)
            agent.stop()
    return engine, Freeze(last_at - silent_at, buffering_at - silent_at, again_at - silent_at)


def _until(agent: Agent, true: Callable[[dict[str, Any]], bool], source: str) -> float:
    """The time at which an answer of /status was first `true`. Raises TimeoutError."""

    def says_so() -> bool:
        stream = agent.call("GET", "/status").body["stream"]
        if stream is None:
            raise RuntimeError(f"The agent has ended the {source} instead of taking it up again")
        return true(stream)

    wait_until(says_so, timeout_s=LATE_S, what=f"the agent to notice what becomes of the {source}")
    return time.monotonic()
