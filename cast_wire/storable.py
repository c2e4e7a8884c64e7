"""The JSON values that every database can store and every reader read."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any, Final

NESTING_LIMIT: Final = 32
"""Levels of objects and lists in one message; ours have five."""

INTEGER_LIMIT: Final = 2**63 - 1
"""The integers that databases and most readers of JSON can hold."""


def flaw_of(value: object) -> str | None:
    """The reason why not every database can store, or not every reader read, this JSON value; None if there is no
    reason."""
    depth, level = 0, [value]
    while level:
        below: list[object] = []
        nested = False
        for item in level:
            if isinstance(item, str):
                if not _is_storable(item):
                    return "must hold no NUL and no half of a surrogate pair"
            elif isinstance(item, (int, float)):
                if not -INTEGER_LIMIT <= item <= INTEGER_LIMIT and (isinstance(item, int) or not math.isfinite(item)):
                    return "must hold no number that is not finite or has more than 64 bits"
            elif isinstance(item, Mapping):
                nested = True
                below += item
                below += item.values()
            elif isinstance(item, (list, tuple)):
                nested = True
                below += item
        if nested and depth == NESTING_LIMIT:
            return f"must be at most {NESTING_LIMIT} levels deep"
        depth, level = depth + 1, below
    return None


def storable(value: Any) -> Any:
    """The same without the flaws of its texts and numbers, such as a title in a broken encoding: U+FFFD stands for a
    character, None for a number that is not finite."""
    match value:
        case str():
            return value if _is_storable(value) else _UNSTORABLE.sub("\N{REPLACEMENT CHARACTER}", value)
        case float():
            return value if math.isfinite(value) else None
        case Mapping():
            return {storable(name): storable(item) for name, item in value.items()}
        case list() | tuple():
            return [storable(item) for item in value]
    return value


_UNSTORABLE: Final = re.compile("[\0\ud800-\udfff]")


def _is_storable(text: str) -> bool:
    if text.isascii():  # nearly all there is, and a tenth of the time of the search
        return "\0" not in text
    return _UNSTORABLE.search(text) is None
