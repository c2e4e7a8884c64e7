"""`python -m bench`: measures everything in one run and prints one report.

Exit code 0 when it could measure, whatever it found; 2 when it could not.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from types import FrameType

from bench import (
    answers,
    black_time,
    cameras,
    discovery,
    first_pixel,
    followers,
    freeze,
    growth,
    home_assistant,
    interrupt,
    large,
    leaving,
    library,
    looks,
    machine,
    pages,
    power_cut,
    reconnect,
    reporting,
    sound,
    usage,
    web,
)
from bench.lab import FULL, QUICK, Lab, open_lab
from bench.report import Point, data_of, text_of
from tests.support.tools import MissingToolError, need

POINTS: Mapping[str, Callable[[Lab], Point]] = {
    "first-pixel": first_pixel.measure,
    "cameras": cameras.measure,
    "black": black_time.measure,
    "interrupt": interrupt.measure,
    "reconnect": reconnect.measure,
    "sound": sound.measure,
    "freeze": freeze.measure,
    "answers": answers.measure,
    "followers": followers.measure,
    "looks": looks.measure,
    "pages": pages.measure,
    "web": web.measure,
    "home-assistant": home_assistant.measure,
    "usage": usage.measure,
    "large": large.measure,
    "library": library.measure,
    "growth": growth.measure,
    "discovery": discovery.measure,
    "power-cut": power_cut.measure,
    "exit": leaving.measure,
    "reporting": reporting.measure,
}
KEPT_IN = Path(".cache/bench")
NEEDS_ROOT = ("discovery", "power-cut")
NEEDED = ("vlc", "mpv", "ffmpeg", "Xvfb", "pulseaudio")
NOT_MEASURED = (RuntimeError, OSError, TimeoutError, ValueError, subprocess.SubprocessError)
"""The errors of a measurement whose subject does not do what it should; any other error is a mistake in the bench."""


def main() -> int:
    options = _options()
    scale = QUICK if options.quick else FULL
    if options.cycles is not None:
        scale = replace(scale, cycles=options.cycles)
    signal.signal(signal.SIGTERM, _leave)
    began = time.monotonic()
    points: list[Point] = []
    failed: list[str] = []
    try:
        for tool in NEEDED:
            need(tool)
        with open_lab(scale) as lab:
            facts = machine.describe(lab)
            for name in options.only:
                try:
                    points.append(POINTS[name](lab))
                except NOT_MEASURED as error:
                    failed.append(f"{name} could not be measured: {error}")
                    lab.say(failed[-1])
    except (MissingToolError, *NOT_MEASURED) as error:
        print(f"bench: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("bench: interrupted", file=sys.stderr)
        return 130
    seconds = time.monotonic() - began
    print(text_of(points, machine=facts, seconds=seconds), end="")
    options.json.parent.mkdir(parents=True, exist_ok=True)
    options.json.write_text(json.dumps(data_of(points, machine=facts, seconds=seconds), indent=1) + "\n")
    print(f"bench: every single value is in {options.json}; `python -m bench.compare` compares two runs")
    for line in failed:
        print(f"bench: {line}", file=sys.stderr)
    return 2 if failed else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench", description="Measures the agent beside vlc, libVLC and mpv.")
    parser.add_argument(
        "--cycles", type=int, metavar="N", help=f"starts and stops, at least 40 (default {FULL.cycles})"
    )
    without = () if os.geteuid() == 0 else NEEDS_ROOT
    usual = [name for name in POINTS if name not in without]
    parser.add_argument(
        "--only",
        type=_names,
        default=usual,
        metavar="NAME,...",
        help=f"{', '.join(POINTS)} (without it all; {', '.join(NEEDS_ROOT)} as root only)",
    )
    parser.add_argument("--quick", action="store_true", help="few rounds, under 3 minutes; too few for the bars")
    kept = KEPT_IN / time.strftime("%Y-%m-%dT%H%M%S.json")
    parser.add_argument(
        "--json", type=Path, default=kept, metavar="FILE", help=f"every single value (default {KEPT_IN}/<time>.json)"
    )
    return parser.parse_args()


def _names(text: str) -> list[str]:
    names = text.split(",")
    for name in names:
        if name not in POINTS:
            raise argparse.ArgumentTypeError(f"{name}: there are {', '.join(POINTS)}")
    return names


def _leave(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt  # so that everything that was started is ended


if __name__ == "__main__":
    sys.exit(main())
