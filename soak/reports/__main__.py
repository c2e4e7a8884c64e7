"""`python -m soak.reports --events 10000 --seed 7`: a busy box and its central API, each killed at random, until so
much has happened; then the central API's list is compared with what happened, by the box's own log.

Exit code 0 when each event is there once and in order, 1 when anything was wrong, 2 when it could not be begun.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import FrameType

from soak.reports.boxes import Boxes, RealBoxes, ScriptedBoxes
from soak.reports.world import World, open_world
from tests.reporting.support.kills import Span, kills
from tests.reporting.support.witness import Verdict, verdict
from tests.support.tools import MissingToolError

SAY_EVERY_S = 5.0
UP, DOWN = Span(1.0, 6.0), Span(0.0, 1.0)
"""The spans for which the central API is up and down; it takes a second or two to start."""

EVENTS, REAL_EVENTS = 10_000, 300
"""A real film takes its time."""

NOT_RUN = (MissingToolError, RuntimeError, OSError, AssertionError, subprocess.SubprocessError)
"""The errors of parts that cannot be started, or do not do what they should."""


def main() -> int:
    options = _options()
    signal.signal(signal.SIGTERM, _leave)
    database = "the database of DATABASE_URL" if options.database_url else "SQLite"
    kind = "the real agent" if options.real else "scripted players"
    print(f"soak reports: {options.events} events, {kind}, {database}, --seed {options.seed}", flush=True)
    began = False
    try:
        with tempfile.TemporaryDirectory(prefix="soak-reports-") as name, open_world(Path(name), options) as world:
            boxes: type[Boxes] = RealBoxes if options.real else ScriptedBoxes
            with boxes(world) as box:
                began = True
                return _go(world, box, options)
    except NOT_RUN as error:
        print(f"soak reports: {error}", file=sys.stderr)
        return 1 if began else 2
    except KeyboardInterrupt:
        print("soak reports: interrupted", file=sys.stderr)
        return 130


def _go(world: World, box: Boxes, options: argparse.Namespace) -> int:
    dice, began, said = random.Random(options.seed), time.monotonic(), 0.0  # noqa: S311 - it is printed
    with kills(world.central, random.Random(options.seed + 1), up=UP, down=DOWN) as killed:  # noqa: S311
        while box.happened < options.events:
            box.live_and_die(dice)
            if time.monotonic() - said >= SAY_EVERY_S:
                said = time.monotonic()
                figures = f"{box.lives} lives, the central API killed {killed.count} times"
                print(f"{said - began:5.0f} s  {box.happened} of {options.events} events, {figures}", flush=True)
    print("the last of them are delivered", flush=True)
    dropped = int(box.deliver()["dropped"])
    found = verdict(box.witness(), world.events())
    took = time.monotonic() - began
    print(f"{found.events} events in {took:.0f} s; {found.lives} lives, the central API killed {killed.count} times")
    return _sum_up(found, dropped, reached=found.events >= options.events)


def _sum_up(found: Verdict, dropped: int, *, reached: bool) -> int:
    wrong = f"lost {found.lost}, doubled {found.doubled}, out of order {found.disordered}, gaps in seq {found.gaps}"
    print(f"{wrong}, dropped {dropped}; reported, but killed before it was in the log: {found.unlogged}")
    if not found.is_right:
        print(f"the first life that is wrong:\n{found.story}")
    return 0 if found.is_right and not dropped and reached else 1


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="soak.reports", description="Kills boxes and their central API at random.")
    parser.add_argument(
        "--events", type=int, metavar="N", help=f"how many (default {EVENTS}; {REAL_EVENTS} with --real)"
    )
    seed = random.randrange(100_000)  # noqa: S311 - it is printed
    parser.add_argument("--seed", type=int, default=seed, metavar="N", help="the same seed rolls the same dice")
    parser.add_argument("--real", action="store_true", help="the whole agent on a virtual X server, playing real films")
    url = os.environ.get("DATABASE_URL")
    help_ = "postgresql://..., a database that may be filled (default DATABASE_URL, or SQLite in a folder of its own)"
    parser.add_argument("--database-url", default=url, metavar="URL", help=help_)
    options = parser.parse_args()
    options.events = options.events or (REAL_EVENTS if options.real else EVENTS)
    return options


def _leave(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt  # so that everything that was started is ended


if __name__ == "__main__":
    sys.exit(main())
