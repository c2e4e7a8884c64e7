"""`cast-agent watch`: what changes on a box, as it changes."""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, Final

from agent.cli import text
from agent.cli.client import Agent
from agent.cli.exits import CliError, Exit
from agent.cli.target import agent_of
from cast_util import output

CONNECT_AGAIN_S: Final = 2.0
"""The pause after the agent went away: a restart takes as long."""

_AWAY: Final = ("agent_unreachable", "agent_timeout")


def watch(options: argparse.Namespace) -> int:
    """`cast-agent watch`: one line for each event until Ctrl-C. An agent that goes away is waited for."""
    agent = agent_of(options)
    for event in _events(agent):
        print(json.dumps(event) if options.json else text.plain(_line(event)), flush=True)
    return Exit.OK


def _events(agent: Agent) -> Iterator[dict[str, Any]]:
    """Events without end. Raises CliError if the agent refuses the key, or was never reached."""
    last, is_away, was_there = "", False, False
    while True:
        try:
            for kind, number, data in agent.events(last):
                if is_away:
                    output.say("The connection to the agent is back.")
                last, is_away, was_there = number or last, False, True
                if kind == "closed":
                    raise CliError(Exit.NO_PERMISSION, data["code"], data["detail"])
                yield {"kind": kind, "status": data} if kind == "snapshot" else {"kind": kind, **data}
        except CliError as error:
            if not was_there or error.problem["code"] not in _AWAY:
                raise
        if not is_away:
            output.say("The connection to the agent was lost; waiting for it. Press Ctrl-C to stop.")
        is_away = True
        time.sleep(CONNECT_AGAIN_S)


def _line(event: dict[str, Any]) -> str:
    status, kind = event.get("status"), event["kind"]
    at = event.get("occurred_at")
    moment = (datetime.fromisoformat(at) if at else datetime.now(UTC)).astimezone().strftime("%H:%M:%S")
    if kind == "snapshot":
        return f"{moment}  {text.what_is_on(status or {})}"
    if kind == "gap":
        return f"{moment}  some events were missed"
    details = " ".join(f"{name}={value}" for name, value in event["data"].items() if value not in (None, ""))
    return "  ".join(part for part in (moment, f"{kind:<17}", _title(status, event["session_id"]), details) if part)


def _title(status: dict[str, Any] | None, session_id: str | None) -> str:
    """The title of the session in the event; empty if there is none."""
    if status is None or session_id is None:
        return ""
    sessions = [status["stream"], *status["interrupted"], status["last"]]
    return next((text.title(one) for one in sessions if one and one["session_id"] == session_id), session_id)
