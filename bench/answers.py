"""The answer times of the agent while streams start, play and hang."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable

from bench.agent import Agent
from bench.calls import Answer
from bench.lab import SEEN_S, Lab
from bench.media import Stream
from bench.numbers import Series
from bench.report import Bar, Point, Table
from tests.support.tools import wait_until

LIMIT_S = 0.020

PAUSE_S = 0.01
"""The pause between two questions: a busy caller, but not a flood."""
BETWEEN_STARTS_S = 0.2
"""Each start ends a player and takes a new one; five in a second is more than any home automation sends."""
ASK_EVERY_S = 0.05
"""The pause between two questions while a stream hangs: some come between two starts, which the questions are not to
slow down."""

PATIENT = {"CAST_AGENT_PLAYER__STALL_TIMEOUT": "120", "CAST_AGENT_PLAYER__START_TIMEOUT": "120"}
"""Settings with which a stream that hangs goes on hanging for as long as it is measured."""


class Times:
    """Answer times by situation and call, in seconds."""

    def __init__(self) -> None:
        self.all: defaultdict[tuple[str, str], list[float]] = defaultdict(list)

    def take(self, situation: str, call: str, answer: Answer) -> Answer:
        """Raises RuntimeError when the answer is not 200."""
        if answer.status != 200:
            raise RuntimeError(f"{call} was answered {answer.status} while {situation}: {answer.body}")
        self.all[situation, call].append(answer.seconds)
        return answer

    def series(self, call: str, *situations: str) -> Series:
        return Series.of([s for situation in situations for s in self.all[situation, call]])


def measure(lab: Lab) -> Point:
    """Raises RuntimeError when a call is not answered with 200, TimeoutError when nothing is shown."""
    times = Times()
    with Agent(lab.agent_eye.display, lab.env, PATIENT) as agent:
        _idle(lab, agent, times)
        _starting(lab, agent, times)
        _playing(lab, agent, times)
        for situation, url in ((NEVER, lab.media.never), (STUCK, lab.media.stuck_hls.url)):
            _hanging(lab, agent, times, situation, url)
    hanging = times.series("/start", NEVER, STUCK)
    rows = []
    for (situation, call), seconds in times.all.items():
        series = Series.of(seconds)
        p50, p99, high = (f"{s * 1000:.1f}" for s in (series.median, series.percentile(99), series.high))
        rows.append((f"{call} {situation}", str(len(seconds)), p50, p99, high))
    figures = f"{hanging.percentile(99) * 1000:.1f} ms of {len(hanging.values)}, longest {hanging.high * 1000:.1f} ms"
    promise = f"/start answered within {LIMIT_S * 1000:.0f} ms at the 99th percentile while another stream hangs"
    return Point(
        name="answers",
        title="Answer times, ms",
        table=Table(("call", "times", "p50", "p99", "longest"), tuple(rows)),
        bars=(Bar(promise, hanging.percentile(99) <= LIMIT_S, figures),),
        notes=(
            "Each call on a new connection, from before it is opened to the end of the answer, on the same machine:",
            f"the player processes that each start ends and makes share its cores. {1 / BETWEEN_STARTS_S:.0f} starts a "
            "second while it hangs.",
        ),
        raw={"answer_s": {f"{call} {situation}": s for (situation, call), s in times.all.items()}},
    )


IDLE = "while nothing is on"
STARTING = "while another stream starts"
PLAYING = "while another stream plays"
NEVER = "while a server never answers"
STUCK = "while an HLS is stuck on the screen"


def _idle(lab: Lab, agent: Agent, times: Times) -> None:
    lab.say("answers while nothing is on")
    for _ in range(lab.scale.starts):
        times.take(IDLE, "/status", agent.call("GET", "/status"))
        time.sleep(PAUSE_S)


def _starting(lab: Lab, agent: Agent, times: Times) -> None:
    first, second = lab.media.mp4, lab.media.hls
    rounds = _some(lab)
    for number in range(rounds):
        lab.say(f"answers while a stream starts, round {number + 1} of {rounds}")
        agent.wait_spare()
        asked = lab.server.asked(first.url)
        times.take(IDLE, "/start", _post(agent, first.url))
        _wait_asked(lab, first.url, asked)
        times.take(STARTING, "/start", _post(agent, second.url))
        _status_until(agent, times, STARTING, lambda: lab.agent_eye.sees() == second.colour)
        agent.stop()


def _playing(lab: Lab, agent: Agent, times: Times) -> None:
    pair = (lab.media.mp4, lab.media.hls)
    agent.wait_spare()
    _show(lab, agent, pair[0])
    for number in range(_some(lab)):
        if number % 5 == 0:
            lab.say(f"answers while a stream plays, {number} of {_some(lab)}")
        for _ in range(5):
            times.take(PLAYING, "/status", agent.call("GET", "/status"))
            time.sleep(PAUSE_S)
        new = pair[(number + 1) % 2]
        times.take(PLAYING, "/start", _post(agent, new.url))
        lab.agent_eye.first_seen(new.colour, timeout_s=SEEN_S)
    agent.stop()


def _hanging(lab: Lab, agent: Agent, times: Times, situation: str, url: str) -> None:
    agent.wait_spare()
    if situation == STUCK:
        _show(lab, agent, lab.media.stuck_hls)
        lab.agent_eye.wait_stuck()
    else:
        asked = lab.server.asked(url)
        agent.start(url)
        _wait_asked(lab, url, asked)
    for number in range(lab.scale.hanging_starts):
        if number % 20 == 0:
            lab.say(f"answers {situation}, {number} of {lab.scale.hanging_starts}")
        times.take(situation, "/start", _post(agent, url))
        until = time.perf_counter() + BETWEEN_STARTS_S
        while time.perf_counter() < until:
            times.take(situation, "/status", agent.call("GET", "/status"))
            time.sleep(ASK_EVERY_S)
    agent.stop()


def _wait_asked(lab: Lab, url: str, before: int) -> None:
    """Return when a player has asked for it once more: it opens it, and has shown nothing yet."""
    wait_until(lambda: lab.server.asked(url) > before, timeout_s=SEEN_S, what=f"a player to ask for {url}")


def _some(lab: Lab) -> int:
    """A start that is waited for takes ten times as long as one that is not."""
    return max(lab.scale.starts // 4, 5)


def _post(agent: Agent, url: str) -> Answer:
    return agent.call("POST", "/start", {"url": url})


def _show(lab: Lab, agent: Agent, stream: Stream) -> None:
    agent.start(stream.url)
    lab.agent_eye.first_seen(stream.colour, timeout_s=SEEN_S)


def _status_until(agent: Agent, times: Times, situation: str, done: Callable[[], bool]) -> None:
    deadline = time.perf_counter() + SEEN_S
    while not done():
        if time.perf_counter() > deadline:
            raise TimeoutError(f"No picture within {SEEN_S:g} s {situation}")
        times.take(situation, "/status", agent.call("GET", "/status"))
        time.sleep(PAUSE_S)
