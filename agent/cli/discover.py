"""`cast-agent discover`: the agents on the LAN, and what they show."""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Sequence
from dataclasses import asdict
from functools import partial
from typing import Any, Final

from agent.cli import text
from agent.cli.client import Agent
from agent.cli.exits import CliError, Exit, as_json
from agent.cli.target import cannot_listen, key_from
from agent.discovery.browser import Found, browse
from agent.util.threads import in_background

ASKED: Final = 64
"""The greatest number of agents that are asked for their state, all at once; nobody has more."""

ANSWER_TIMEOUT_S: Final = 4.0
"""A status is answered in milliseconds; nobody shall wait long for a list because one of it hangs."""


def discover(options: argparse.Namespace) -> int:
    """`cast-agent discover`."""
    key = key_from(options.key_file)
    try:
        found = asyncio.run(browse(options.timeout))
    except OSError as error:
        raise cannot_listen(error) from error
    if not found and not options.json:
        raise CliError(
            Exit.NO_HOST,
            "agent_not_found",
            "No agent was found. They are found in the same network only, and not while they listen on 127.0.0.1 or "
            "have [discovery] enabled = false; a firewall must let UDP port 5353 pass.",
        )
    asked = [in_background(partial(_ask, one, key)) for one in found[:ASKED]]
    answers = [*(answer.result() for answer in asked), *("not asked" for _ in found[ASKED:])]
    print(_json(found, answers) if options.json else _table(found, answers))
    return Exit.OK if found else Exit.NO_HOST


def _ask(found: Found, key: str | None) -> dict[str, Any] | str:
    """The answer of the agent's /status, or the reason why there is none."""
    if found.auth == "closed":
        return "in protected mode: it answers only itself"
    if found.auth == "key" and key is None:
        return "needs a key: --key-file FILE"
    try:
        agent = Agent(found.addresses, found.port, key=key if found.auth == "key" else None, timeout_s=ANSWER_TIMEOUT_S)
        status = agent.call("GET", "/status")
        text.what_is_on(status)
    except CliError as error:
        return str(error)
    except (KeyError, TypeError):
        return "its answer is not understood here; it may be another version"
    assert isinstance(status, dict)
    return status


def _table(found: Sequence[Found], answers: Sequence[dict[str, Any] | str]) -> str:
    rows = [("NAME", "ADDRESS", "VERSION", "WHAT IS ON")]
    for one, answer in zip(found, answers, strict=True):
        on = f"({answer})" if isinstance(answer, str) else text.what_is_on(answer)
        rows.append((one.name, _address(one), one.version, on))
    return text.table(rows)


def _json(found: Sequence[Found], answers: Sequence[dict[str, Any] | str]) -> str:
    return as_json(
        [
            {
                **asdict(one),
                "status": None if isinstance(answer, str) else answer,
                "problem": answer if isinstance(answer, str) else None,
            }
            for one, answer in zip(found, answers, strict=True)
        ]
    )


def _address(found: Found) -> str:
    address = found.addresses[0]
    return f"[{address}]:{found.port}" if ":" in address else f"{address}:{found.port}"
