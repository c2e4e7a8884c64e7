"""The cost of reporting to a central API: answer times while that API takes everything and answers nothing, and
processor time."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from uuid import uuid4

from agent.reporting.central.credentials import Credentials, keep_enrolment
from agent.reporting.central.enrol import enrol_now
from bench.agent import Agent
from bench.lab import Lab
from bench.numbers import Series
from bench.report import Bar, Point, Table
from tests.central.support.process import central_process
from tests.support.sockets import silent_port

SLOWER = 0.05
"""The limit for a slower answer, at the median."""
CPU = 0.005
"""The limit for the processor time, as a part of one core, at one event a second."""

BOX_S = 90.0
"""Beside the time over which is measured."""


def measure(lab: Lab) -> Point:
    """Raises RuntimeError when an agent or the central API does not start, or a call is refused."""
    alone, swallowed = _answers(lab)
    without, with_it = _processor(lab)
    ratio = swallowed.median / alone.median
    rows = [
        (who, str(len(times.values)), Series.of([s * 1000 for s in times.values]).text(2))
        for who, times in (("/start without a central API", alone), ("/start, central API black-holed", swallowed))
    ]
    rows.append(("processor time of reporting, % of a core", "", f"{(with_it - without) * 100:.3f}"))
    return Point(
        name="reporting",
        title="Reporting to a central API: answers in ms (median [quartiles] range), processor time",
        table=Table(("what", "times", "figures"), tuple(rows)),
        bars=(
            Bar(
                f"/start answered within {SLOWER:.0%} of without, while the central API is black-holed",
                ratio <= 1 + SLOWER,
                f"{ratio:.3f} times at the median",
            ),
            Bar(
                f"reporting under {CPU:.1%} of a core at one event a second",
                with_it - without < CPU,
                f"{(with_it - without) * 100:.3f} %",
            ),
        ),
        notes=(
            "Two agents on one screen, asked in turn, each with its spare ready; each call on a new connection.",
            "The reporter alone in a process, without and with a registration, beside a real central API on SQLite;",
            "each event goes to the disk and to the API, with a state and changes of the stream.",
        ),
        raw={
            "start_s": {"without": list(alone.values), "black-holed": list(swallowed.values)},
            "cpu_of_core": {"without": without, "with": with_it},
        },
    )


def _answers(lab: Lab) -> tuple[Series, Series]:
    times: tuple[list[float], list[float]] = ([], [])
    with ExitStack() as running:
        folder = Path(running.enter_context(tempfile.TemporaryDirectory(prefix="bench-reporting-")))
        port = running.enter_context(silent_port())
        box = Credentials(url=f"http://127.0.0.1:{port}", device_id=str(uuid4()), token="dt_bench")  # noqa: S106
        keep_enrolment(folder, box)
        alone = running.enter_context(Agent(lab.agent_eye.display, lab.env))
        told = {"CAST_AGENT_STATE__DIR": str(folder)}
        swallowed = running.enter_context(Agent(lab.agent_eye.display, lab.env, told))
        if not swallowed.call("GET", "/status").body["reporting"]["enabled"]:
            raise RuntimeError("The agent does not report")
        pair = list(zip((alone, swallowed), times, strict=True))
        for number in range(lab.scale.starts):
            if number % 20 == 0:
                lab.say(f"answers beside a black hole, {number} of {lab.scale.starts}")
            for agent, _ in pair:
                agent.wait_spare()
            for agent, seconds in pair if number % 2 else reversed(pair):
                seconds.append(agent.start(lab.media.never).seconds)
            for agent, _ in pair:
                agent.stop()
    return Series.of(times[0]), Series.of(times[1])


def _processor(lab: Lab) -> tuple[float, float]:
    lab.say("what reporting uses at one event a second")
    with tempfile.TemporaryDirectory(prefix="bench-reporting-") as name:
        folder = Path(name)
        with central_process(f"sqlite:///{folder / 'central.db'}") as central:
            enrol_now(central.url, central.command("enrol"), folder=folder / "state", name="bench")
            seconds = lab.scale.usage_s
            command = [sys.executable, "-m", "bench.reporting_box", str(folder / "state"), str(seconds)]
            done = subprocess.run(  # noqa: S603 - our own program
                command, capture_output=True, text=True, timeout=2 * seconds + BOX_S, check=True
            )
    used = json.loads(done.stdout.splitlines()[-1])
    return used["without"], used["with"]
