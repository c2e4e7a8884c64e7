"""`cast-agent cache`: the videos of the library that a box keeps."""

from __future__ import annotations

import argparse
from datetime import datetime
from typing import Any
from urllib.parse import quote

from agent.cli import text
from agent.cli.exits import CliError, Exit, as_json
from agent.cli.target import agent_of


def cache(options: argparse.Namespace) -> int:
    """`cast-agent cache`: lists them, or removes one or all."""
    if options.action == "list":
        if options.video_id is not None:
            raise CliError(Exit.USAGE, "usage", "list takes no ID; `cast-agent cache clear ID` removes one video.")
        answer = agent_of(options).call("GET", "/cache")
        print(as_json(answer) if options.json else _listed(answer))
        return Exit.OK
    one = "" if options.video_id is None else f"/{quote(options.video_id, safe='')}"
    answer = agent_of(options).call("DELETE", f"/cache{one}")
    print(as_json(answer) if options.json else f"Removed: {answer['removed']}.")
    return Exit.OK


def _listed(answer: dict[str, Any]) -> str:
    if not answer["limit"]:
        return "This box keeps no videos: cache = 0 in its section [library]."
    lines = [text.plain(answer["problem"])] if answer["problem"] else []
    lines.append(f"{_size(answer['used'])} of {_size(answer['limit'])} are used.")
    if answer["videos"]:
        rows = [(one["id"], one["title"], _size(one["size"]), _part(one), _played(one)) for one in answer["videos"]]
        lines.append(text.table([("ID", "TITLE", "SIZE", "HERE", "PLAYED LAST"), *rows]))
    return "\n".join(lines)


def _part(video: dict[str, Any]) -> str:
    return "all" if video["complete"] else f"{100 * video['received'] // video['size']} %"


def _played(video: dict[str, Any]) -> str:
    return text.local_time(datetime.fromisoformat(video["played_at"]) if video["played_at"] else None)


def _size(size: float) -> str:
    """`1.2 GB`."""
    for unit in ("kB", "MB"):
        if (size := size / 1000) < 999.5:
            return f"{size:.0f} {unit}"
    return f"{size / 1000:.1f} GB"
