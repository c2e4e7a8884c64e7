"""The time that the agent takes to exit after SIGTERM while a stuck HLS is on the screen."""

from __future__ import annotations

import os
import select
import signal
import time

from bench.agent import MARK, Agent
from bench.answers import PATIENT
from bench.lab import SEEN_S, Lab
from bench.numbers import Series
from bench.processes import processes_with
from bench.report import Bar, Point, Table

OUT_S = 5.0
GIVE_UP_S = 30.0


def measure(lab: Lab) -> Point:
    """Raises TimeoutError when the stream is not shown or the agent does not end within GIVE_UP_S."""
    seconds: list[float] = []
    codes: list[int] = []
    left_behind = 0
    rounds = max(lab.scale.starts // 5, 2)
    for number in range(rounds):
        lab.say(f"exit with a stuck HLS on the screen, {number} of {rounds}")
        with Agent(lab.agent_eye.display, lab.env, PATIENT) as agent:
            agent.start(lab.media.stuck_hls.url)
            lab.agent_eye.first_seen(lab.media.stuck_hls.colour, timeout_s=SEEN_S)
            lab.agent_eye.wait_stuck()
            players = set(processes_with(MARK, agent.mark)) - {agent.pid}
            if len(players) < 2:
                raise RuntimeError(f"There should be a player that plays and a spare; there are {len(players)}")
            took, code = _terminate(agent.pid)
            left_behind += len(processes_with(MARK, agent.mark))
        seconds.append(took)
        codes.append(code)
    series = Series.of(seconds)
    in_time = sum(1 for took, code in zip(seconds, codes, strict=True) if took <= OUT_S and code == 0)
    low, median, high = (f"{s * 1000:.0f}" for s in (series.low, series.median, series.high))
    return Point(
        name="exit",
        title="From SIGTERM to the end of the process while a stuck HLS is on, ms",
        table=Table(("what", "times", "shortest", "median", "longest"), (("exit", str(rounds), low, median, high),)),
        bars=(
            Bar(
                f"out within {OUT_S:g} s of SIGTERM, in order, while a stuck HLS is on",
                in_time == rounds,
                f"{in_time} of {rounds}, longest {high} ms",
            ),
            Bar("no player outlives it", left_behind == 0, f"{left_behind} left in {rounds} exits"),
        ),
        raw={"exit_s": seconds, "exit_code": codes},
    )


def _terminate(pid: int) -> tuple[float, int]:
    """Seconds from SIGTERM to the end of a child of ours, and its exit code; it is left to be reaped."""
    watched = os.pidfd_open(pid)
    try:
        began = time.perf_counter()
        os.kill(pid, signal.SIGTERM)
        ended, _, _ = select.select([watched], [], [], GIVE_UP_S)
        took = time.perf_counter() - began
    finally:
        os.close(watched)
    if not ended:
        raise TimeoutError(f"The agent did not end within {GIVE_UP_S:g} s of SIGTERM")
    result = os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    assert result is not None
    return took, result.si_status if result.si_code == os.CLD_EXITED else -result.si_status
