"""The names in the log: an event is a noun and a past verb, such as `player_died`."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
LEVELS = ("debug", "info", "warning", "error", "exception")
IRREGULAR = {"broken", "died", "found", "given", "lost", "read", "set", "shown", "taken"}
PARTICLES = ("aside", "in", "out", "up")


def is_level(node: ast.expr) -> bool:
    """Return True if it is a method of the log, or a choice between such methods."""
    if isinstance(node, ast.IfExp):
        return is_level(node.body)
    return isinstance(node, ast.Attribute) and node.attr in LEVELS and ast.unparse(node.value).endswith("log")


def events(tree: ast.Module) -> Iterator[str]:
    """The names that it logs, those of variables that stand for a level included; parts that vary are left out."""
    names = {
        target.id
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign) and is_level(node.value)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call) or not node.args:
            continue
        if is_level(node.func) or (isinstance(node.func, ast.Name) and node.func.id in names):
            for part in ast.walk(node.args[0]):
                if isinstance(part, ast.Constant) and isinstance(part.value, str):
                    yield part.value


def test_each_event_is_a_noun_and_a_past_verb() -> None:
    files = [
        file for folder in ("agent", "central", "cast_http", "cast_util") for file in (ROOT / folder).rglob("*.py")
    ]
    found = {event for file in files for event in events(ast.parse(file.read_text()))}
    assert {"task_failed", "spare_failed", "player_died"} <= found  # each way of writing it is seen
    for event in found:
        *noun, verb = re.sub(rf"_({'|'.join(PARTICLES)})$", "", event).split("_")
        assert noun, f"{event} has no noun"
        assert verb.endswith("ed") or verb in IRREGULAR, f"{event} does not end with a past verb"
