"""The order of the test files: those that play in real time are spread among those that only compute.

Side by side, three files that play take more than the two processors of a machine of CI, and a picture comes late; a
file that computes fills the time in which one that plays waits.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Final

import pytest

PLAYING: Final = "real"
"""The folder below tests/ whose files play."""


class SpreadOut:
    """Registered by tests/conftest.py. Keeps the tests of a file together and in their order."""

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        files = list(dict.fromkeys(item.path for item in items))
        place = {file: at for at, file in enumerate(spread_out(files))}
        items.sort(key=lambda item: place[item.path])


def spread_out(files: Iterable[Path]) -> list[Path]:
    """Return the files that play at even distances among the others, each kind in the order in which it came."""
    kinds: tuple[list[Path], list[Path]] = ([], [])
    for file in files:
        kinds[file.parent.name == PLAYING].append(file)
    placed = [((at + 0.5) / len(kind), file) for kind in kinds for at, file in enumerate(kind)]
    return [file for _, file in sorted(placed, key=lambda pair: pair[0])]
