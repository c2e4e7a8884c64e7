"""The order of the test files."""

from __future__ import annotations

from pathlib import Path

from tests.support.order import spread_out

OTHERS = [Path(f"tests/unit/test_{number}.py") for number in range(4)]
PLAYING = [Path(f"tests/real/test_{number}.py") for number in range(2)]


def test_files_that_play_are_spread_among_the_others() -> None:
    """Each kind keeps its own order."""
    spread = [OTHERS[0], PLAYING[0], OTHERS[1], OTHERS[2], PLAYING[1], OTHERS[3]]
    assert spread_out([*PLAYING, *OTHERS]) == spread
    assert spread_out([*OTHERS, *PLAYING]) == spread


def test_one_kind_alone_keeps_its_order() -> None:
    """A run of one folder is what it is without the plugin."""
    assert spread_out(PLAYING) == PLAYING
    assert spread_out(OTHERS) == OTHERS
