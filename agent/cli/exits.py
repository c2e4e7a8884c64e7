"""The end of a command: its exit code, the sentence for a person and the object for a program."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from enum import IntEnum
from types import MappingProxyType
from typing import Any, Final


class Exit(IntEnum):
    """Exit codes; from 64 on as in sysexits.h."""

    OK = 0
    FAILED = 1
    """A doctor's finding, or a failure that has no better code."""
    USAGE = 64
    """The command line is wrong."""
    REFUSED = 65
    """The agent understood, and does not do that: the answer names the field."""
    NO_INPUT = 66
    """No such session or code, or a file that cannot be read or written."""
    NO_HOST = 68
    """No agent of that name or address."""
    UNAVAILABLE = 69
    """No agent answers, or it has no screen or no player, or cannot ask its central API."""
    SOFTWARE = 70
    """A mistake inside the agent."""
    MEDIA = 74
    """The stream cannot be played."""
    NOT_NOW = 75
    """Nothing is on, a newer start came, or the first picture is not there yet."""
    PROTOCOL = 76
    """The other end is no cast-agent."""
    NO_PERMISSION = 77
    """A key is missing or wrong."""
    CONFIG = 78
    """The configuration cannot be used."""
    INTERRUPTED = 130
    """Ctrl-C."""


BY_STATUS: Final[Mapping[int, Exit]] = MappingProxyType(
    {
        401: Exit.NO_PERMISSION,
        403: Exit.NO_PERMISSION,
        404: Exit.NO_INPUT,
        409: Exit.NOT_NOW,
        429: Exit.NOT_NOW,
        500: Exit.SOFTWARE,
        502: Exit.MEDIA,
        503: Exit.UNAVAILABLE,
        504: Exit.UNAVAILABLE,
    }
)
"""The exit code for an HTTP status; any other status is REFUSED."""


class CliError(Exception):
    """A command cannot do its work; the text says what to do."""

    def __init__(self, exit_: Exit, code: str, text: str, problem: Mapping[str, Any] | None = None) -> None:
        """`problem` is the agent's answer, if there is one."""
        super().__init__(text)
        self.exit = exit_
        self.problem = {"code": code, "detail": text} if problem is None else problem


class UsageError(CliError):
    """The command line is wrong."""

    def __init__(self, text: str, usage: str) -> None:
        """`usage` is how the command is called, in a few lines."""
        super().__init__(Exit.USAGE, "usage", text)
        self.usage = usage


def as_json(value: object) -> str:
    """JSON for a program to read, and a person to look at. If the locale is not UTF-8, everything but ASCII is
    escaped."""
    encoding = (getattr(sys.stdout, "encoding", None) or "utf-8").lower().replace("-", "")
    return json.dumps(value, indent=2, ensure_ascii=encoding != "utf8")
