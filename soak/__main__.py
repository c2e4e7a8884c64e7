"""`python -m soak --minutes 15 --seed 7`: takes random steps against the real thing and looks at what becomes of them.

Exit code 0 when everything was right, 1 when anything was wrong, 2 when it could not be begun.
"""

from __future__ import annotations

import argparse
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import FrameType

from soak.box import Box, open_box
from soak.run import Run
from tests.support.tools import MissingToolError, need

NEEDED = ("ffmpeg", "Xvfb")
NOT_RUN = (RuntimeError, OSError, AssertionError, subprocess.SubprocessError)
"""The errors of parts that cannot be started."""
PICTURES = Path(__file__).parents[1] / ".cache" / "soak"


def main() -> int:
    options = _options()
    signal.signal(signal.SIGTERM, _leave)
    print(f"soak: {options.minutes:g} minutes, --seed {options.seed}", flush=True)
    run: Run | None = None
    try:
        for tool in NEEDED:
            need(tool)
        print("starting; the first time its clips are encoded, which takes minutes", flush=True)
        with open_box(PICTURES / str(options.seed)) as box:
            run = Run(box, seed=options.seed)
            _go(run, box, options)
        left = box.processes()
    except (MissingToolError, *NOT_RUN) as error:
        print(f"soak: {error}", file=sys.stderr)
        if run is None:
            return 2
        run.summary(left_behind=[])
        return 1
    except KeyboardInterrupt:
        print("soak: interrupted", file=sys.stderr)
        if run is not None:
            run.summary(left_behind=[])
        return 130
    return 1 if run.summary(left_behind=left) else 0


def _go(run: Run, box: Box, options: argparse.Namespace) -> None:
    deadline = time.monotonic() + options.minutes * 60
    while time.monotonic() < deadline and (options.steps is None or run.steps < options.steps):
        run.step()
    run.end()


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="soak", description="Takes random steps against the real agent.")
    parser.add_argument("--minutes", type=float, default=15.0, metavar="M", help="how long (default 15)")
    parser.add_argument("--steps", type=int, metavar="N", help="at most so many steps")
    seed = random.randrange(100_000)  # noqa: S311 - it is printed
    parser.add_argument("--seed", type=int, default=seed, metavar="N", help="the same seed takes the same steps")
    return parser.parse_args()


def _leave(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt  # so that everything that was started is ended


if __name__ == "__main__":
    sys.exit(main())
