"""How far a command is that copies much, on standard error."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Callable, Iterator
from typing import Final

TERMINAL_S: Final = 1.0
"""Between two figures for a person, who sees none if it is done by then."""
FILE_S: Final = 30.0
"""Between two lines in a log."""
_CLEAR_LINE: Final = "\r\033[K"


@contextlib.contextmanager
def progress(total: int) -> Iterator[Callable[[int], None]]:
    """What is to be called with the number of bytes of each piece, of `total` in all."""
    terminal = sys.stderr.isatty() and os.environ.get("TERM", "dumb") != "dumb"
    every_s = TERMINAL_S if terminal else FILE_S
    before, after = (_CLEAR_LINE, "") if terminal else ("", "\n")
    done, told_at, told = 0, time.monotonic(), False

    def moved(count: int) -> None:
        nonlocal done, told_at, told
        done += count
        if time.monotonic() - told_at >= every_s:
            told_at, told = time.monotonic(), True
            print(f"{before}{done // 1_000_000} of {total // 1_000_000} MB", end=after, file=sys.stderr, flush=True)

    try:
        yield moved
    finally:
        if told:
            print(before, end="", file=sys.stderr, flush=True)
