"""`python -m bench.central`: everything, on both databases, in one report."""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import sqlite3
import sys
import time
from importlib.metadata import version
from pathlib import Path

import uvloop

from bench import machine
from bench.central import boxes, library, load, races
from bench.central.world import busy_core, world
from bench.report import Point, data_of, text_of

DATABASES = ("sqlite", "postgres")
PARTS = ("load", "races", "library", "boxes")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.central", description="The central API under load.")
    parser.add_argument("--database", choices=(*DATABASES, "both"), default="both")
    parser.add_argument("--only", choices=PARTS, nargs="+", default=PARTS, help="some of the parts")
    parser.add_argument("--seconds", type=float, default=8.0, help="of each kind of load")
    parser.add_argument("--races", type=int, default=10_000)
    parser.add_argument("--videos", type=int, default=100_000)
    parser.add_argument("--boxes", type=int, default=2_000)
    parser.add_argument(
        "--boxes-seconds", type=float, default=90.0, help="at least 60: each box begins within a minute"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="every single value, for machines")
    options = parser.parse_args()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, 8192)), hard))
    began = time.monotonic()
    facts = [("processor", f"{machine.processor()}, {os.cpu_count()} cores"), ("load before", machine.load())]
    facts.append(("beside it", "a process that keeps one core busy all the time"))
    points: list[Point] = []
    for database in DATABASES if options.database == "both" else (options.database,):
        with world(database) as made, busy_core():
            if "load" in options.only:
                points.append(uvloop.run(load.measure(made, seconds=options.seconds)))
            if "races" in options.only:
                points.append(uvloop.run(races.measure(made, races=options.races)))
            if "library" in options.only and database == "postgres":
                points.append(uvloop.run(library.measure(made, videos=options.videos, seconds=options.seconds)))
            if "boxes" in options.only and database == "postgres":
                measured = boxes.measure(made, boxes=options.boxes, seconds=options.boxes_seconds)
                points.append(uvloop.run(measured))
    seconds = time.monotonic() - began
    facts = [*facts, *_versions()]
    print(text_of(points, machine=facts, seconds=seconds), end="")
    if options.json:
        options.json.write_text(json.dumps(data_of(points, machine=facts, seconds=seconds)))
    return 0 if all(bar.met for point in points for bar in point.bars) else 1


def _versions() -> list[tuple[str, str]]:
    libraries = ", ".join(f"{name} {version(name)}" for name in ("aiohttp", "sqlalchemy", "asyncpg", "aiosqlite"))
    return [("Python", f"{platform.python_version()}, {libraries}"), ("SQLite", sqlite3.sqlite_version)]


if __name__ == "__main__":
    sys.exit(main())
