"""Shows a person that something is being done while an answer is waited for."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from concurrent.futures import wait
from contextlib import suppress
from typing import Any, Final

from agent.cli import text
from agent.cli.client import Agent
from agent.cli.exits import CliError
from agent.util.threads import in_background

LOOK_EVERY_S: Final = 0.25
USUAL_COLUMNS: Final = 80
"""The width of a terminal that does not report one."""
_CLEAR_LINE: Final = "\r\033[K"


def shown(agent: Agent, call: Callable[[], Any]) -> Any:
    """The result of `call`; meanwhile one line on standard error shows how far the agent is."""
    show = _new_line() if os.environ.get("TERM", "dumb") == "dumb" else _same_line
    began = time.monotonic()
    waiting = in_background(call)
    try:
        while not wait([waiting], LOOK_EVERY_S).done:
            show(_how_far(agent), time.monotonic() - began)
    finally:
        if show is _same_line:
            _say(_CLEAR_LINE)
    return waiting.result()


def _same_line(what: str, waited_s: float) -> None:
    """Over what was there before. In the last column some terminals begin a new line already, so it stays free."""
    after = f" ({waited_s:.0f} s)"
    _say(f"{_CLEAR_LINE}{text.cut(what, _columns() - 1 - len(after))}{after}")


def _new_line() -> Callable[[str, float], None]:
    """Print each change on a line of its own, for terminals without escapes."""
    said = ""

    def show(what: str, waited_s: float) -> None:
        nonlocal said
        if what != said:
            said = what
            _say(f"{what}\n")

    return show


def _columns() -> int:
    try:
        return os.get_terminal_size(sys.stderr.fileno()).columns or USUAL_COLUMNS
    except OSError:
        return USUAL_COLUMNS


def _how_far(agent: Agent) -> str:
    try:
        stream = agent.call("GET", "/status")["stream"]
    except CliError:
        return "waiting"
    if stream is None:
        return "waiting"
    tries = f", attempt {stream['attempt']}" if stream["attempt"] > 1 else ""
    why = f": {stream['error']['message']}" if stream["error"] else ""
    return text.plain(f"{stream['state']}{tries}{why}")


def _say(what: str) -> None:
    with suppress(OSError):  # the terminal is gone, and the person with it
        sys.stderr.write(what)
        sys.stderr.flush()
