"""The findings of the doctor, and their output."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum


class Level(StrEnum):
    """The severity of a finding."""

    OK = "ok"
    WARN = "warn"
    """The agent shows pictures, but something will not work."""
    FAIL = "fail"
    """The agent does not start, shows nothing, or cannot keep anything over a restart."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One line: the check, the finding (sentences), and the advice."""

    level: Level
    name: str
    found: str
    advice: str = ""


def exit_code(findings: Sequence[Finding]) -> int:
    """1 when something fails, else 0."""
    return int(any(finding.level is Level.FAIL for finding in findings))


def as_text(findings: Sequence[Finding], *, colour: bool) -> str:
    """A line for each."""
    width = max(len(finding.name) for finding in findings)
    return "\n".join(
        f"{_COLOURS[f.level] if colour else ''}{f.level:<4}{_PLAIN if colour else ''}  {f.name:<{width}}  "
        f"{f.found} {f.advice}".rstrip()
        for f in findings
    )


def as_json(findings: Sequence[Finding]) -> str:
    """A list of objects with `level`, `name`, `found` and `advice`."""
    return json.dumps([asdict(finding) for finding in findings], indent=2, ensure_ascii=False)


_COLOURS = {Level.OK: "\033[32m", Level.WARN: "\033[33m", Level.FAIL: "\033[31m"}
_PLAIN = "\033[0m"
