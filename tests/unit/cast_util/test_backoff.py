"""Pauses between tries that fail in a row."""

from __future__ import annotations

from random import Random

import pytest

from cast_util.backoff import Backoff


def test_pauses_double_up_to_their_cap() -> None:
    """Pauses stay at the cap after more failures than a float has doublings."""
    pauses = Backoff(0.5, cap_s=6.0)
    assert [pauses.after(failures) for failures in (1, 2, 3, 4, 5, 6, 1_000_000)] == [0.5, 1.0, 2.0, 4.0, 6.0, 6.0, 6.0]


def test_a_cap_below_the_base_counts() -> None:
    """The first pause is no longer than the cap."""
    assert Backoff(5.0, cap_s=2.0).after(1) == 2.0


@pytest.mark.parametrize("failures", [1, 3, 50])
def test_jitter_covers_all_of_a_pause(failures: int) -> None:
    """Boxes that failed in the same moment spread over the whole pause, and none waits longer."""
    pauses, random = Backoff(0.5, cap_s=6.0), Random(7)
    drawn = [pauses.spread_after(failures, random) for _ in range(1000)]
    assert 0.0 <= min(drawn) < 0.05 * pauses.after(failures)
    assert 0.95 * pauses.after(failures) < max(drawn) <= pauses.after(failures)
