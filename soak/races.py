"""`python -m soak.races --rounds 200`: every pair of calls to the central API that change something, at the same moment
through two instances on one PostgreSQL, so many times each.

Exit code 0 when nothing failed, deadlocked or lost its effect, 1 when something did, 2 when it could not be begun.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import sys
import time

from central.core.log import configure
from central.core.settings import LogSettings
from tests.central.support.postgres import PostgresServer
from tests.central.support.races import Verdict, all_races, instances, pairs

SAY_EVERY_S = 5.0
SHOWN = 3
"""The number of problems of one pair that are shown."""


def main() -> int:
    options = _options()
    configure(LogSettings(level="error"))
    number = len(pairs(options.only))
    print(f"races: {number} pairs, {options.rounds} rounds of each, --seed {options.seed}", flush=True)
    if not number:
        print("races: there is no such pair; the calls are in tests/central/support/calls.py", file=sys.stderr)
        return 2
    began = time.monotonic()
    try:
        server = PostgresServer()
    except RuntimeError as error:
        print(f"races: {error}", file=sys.stderr)
        return 2
    try:
        server.start()
        server.sql("CREATE DATABASE central")
        verdicts = asyncio.run(_races(server, options))
    except KeyboardInterrupt:
        print("races: interrupted", file=sys.stderr)
        return 130
    finally:
        server.close()
    rounds, wrong = sum(verdict.rounds for verdict in verdicts), sum(len(verdict.wrong) for verdict in verdicts)
    print(f"races: {wrong} wrong in {rounds} rounds of {len(verdicts)} pairs, {time.monotonic() - began:.0f} s")
    return 1 if wrong else 0


async def _races(server: PostgresServer, options: argparse.Namespace) -> list[Verdict]:
    done, said = 0, time.monotonic()

    def told(verdict: Verdict) -> None:
        nonlocal done, said
        done += 1
        for problem in verdict.wrong[:SHOWN]:
            print(f"  {problem}", flush=True)
        if verdict.wrong[SHOWN:]:
            print(f"  and {len(verdict.wrong) - SHOWN} more of {' and '.join(verdict.names)}", flush=True)
        if options.answers:
            print(f"  {' and '.join(verdict.names)}: {dict(verdict.answers)}", flush=True)
        if time.monotonic() - said > SAY_EVERY_S:
            said = time.monotonic()
            print(f"  {done} pairs done", flush=True)

    async with instances(server.url("central")) as both:
        return await all_races(server, both, options.rounds, only=options.only, seed=options.seed, told=told)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m soak.races", description=__doc__)
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--seed", type=int, default=random.randrange(1_000_000))  # noqa: S311 - it is printed
    parser.add_argument("--answers", action="store_true", help="how often each pair was answered what")
    parser.add_argument("only", nargs="*", metavar="CALL[+CALL]", help="pairs with this call, or this pair")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
