"""Shows a person that something is being done while an answer is waited for."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from concurrent.futures import wait
from typing import Any, Final

from agent.cli import text
from agent.cli.client import Agent
from agent.cli.exits import CliError
from agent.threads import in_background

LOOK_EVERY_S: Final = 0.25
_CLEAR_LINE: Final = "\r\033[K"


def shown(agent: Agent, call: Callable[[], Any]) -> Any:
    """What `call` returns; meanwhile one line on standard error says how far the agent is."""
    began = time.monotonic()
    waiting = in_background(call)
    try:
        while not wait([waiting], LOOK_EVERY_S).done:
            _say(f"{_CLEAR_LINE}{_how_far(agent)} ({time.monotonic() - began:.0f} s)")
    finally:
        _say(_CLEAR_LINE)
    return waiting.result()


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
    sys.stderr.write(what)
    sys.stderr.flush()
