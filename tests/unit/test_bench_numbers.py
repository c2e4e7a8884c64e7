"""The statistics that the benchmark makes of its measurements."""

from __future__ import annotations

import pytest

from bench.black_time import Switch, seen_of
from bench.movement import back_after, moving_since
from bench.numbers import Series, slope
from bench.report import Bar, Point, Table, text_of
from tests.support.recorder import Recording, Sample

RED, GREEN, BLACK = 0xFF0000, 0x00FF00, 0x000000


def recording(*looks: tuple[int, ...]) -> Recording:
    """One look each 10 ms, in each of which the picture has moved."""
    return Recording(tuple(Sample(number / 100, colours, number) for number, colours in enumerate(looks)))


def switch(until: float = 1.0) -> Switch:
    return Switch("to green", "red", "green", commanded_at=0.0, until=until, latency_s=0.02)


def test_a_percentile_is_one_of_the_values() -> None:
    """The 99th percentile of 100 values is the second largest, of few values the largest."""
    assert Series.of(list(range(1, 101))).percentile(99) == 99
    assert Series.of([3.0, 1.0, 2.0]).percentile(99) == 3.0
    assert Series.of([3.0, 1.0, 2.0]).percentile(50) == 2.0


def test_ratios_are_taken_in_pairs() -> None:
    """Each value is divided by its neighbour in time, so a machine that slows down does not count."""
    mine, theirs = Series.of([1.0, 10.0, 100.0]), Series.of([2.0, 20.0, 200.0])
    assert mine.over(theirs).values == (0.5, 0.5, 0.5)
    with pytest.raises(ValueError):
        mine.over(Series.of([1.0]))


def test_nothing_measured_is_an_error() -> None:
    """A row without values has no median, and nobody may take it for zero."""
    with pytest.raises(ValueError):
        Series.of([])


def test_one_value_has_no_spread() -> None:
    """With a single value all of the summary is that value."""
    assert Series.of([7.0]).text() == "7 [7..7] 7..7"


def test_movement_begins_after_the_last_standstill() -> None:
    """A first picture that stands still until the buffer is full is not movement yet."""
    pictures = [9.0, 10.0, *(11.0 + number * 0.04 for number in range(50))]
    assert moving_since(pictures, now=13.0) == 11.0


def test_what_stands_still_moves_since_never() -> None:
    """Pictures that came a while ago, or none at all, are no movement."""
    assert moving_since([1.0, 1.04, 1.08], now=2.0) is None
    assert moving_since([], now=2.0) is None


def test_a_player_that_never_stood_still_is_back_at_once() -> None:
    """It moved when the source came back: nobody in front of it has waited."""
    assert back_after(5.0, returned_at=7.0) == 0.0
    assert back_after(8.5, returned_at=7.0) == 1.5
    assert back_after(None, returned_at=7.0) is None


def test_the_slope_is_the_growth_of_one_cycle() -> None:
    """A line gives its own slope; one look alone, or many at one cycle, give none."""
    assert slope([(20, 50.0), (40, 51.0), (60, 52.0)]) == pytest.approx(0.05)
    assert slope([(20, 50.0)]) == 0.0
    assert slope([(20, 50.0), (20, 60.0)]) == 0.0


def test_old_beside_new_is_not_black() -> None:
    """While the new picture is being drawn over the old one, each point shows one of them."""
    outcome = seen_of(recording((RED, RED), (RED, GREEN), (GREEN, GREEN), (GREEN, GREEN)), switch())
    assert outcome.black_s == 0


@pytest.mark.parametrize("between", [(BLACK, BLACK), (GREEN, BLACK), (0x808080, RED)])
def test_one_point_that_is_neither_old_nor_new_is_black(between: tuple[int, int]) -> None:
    """A look at which any point is something else counts until the next look."""
    outcome = seen_of(recording((RED, RED), between, (GREEN, GREEN), (GREEN, GREEN)), switch())
    assert outcome.black_s == pytest.approx(0.01)


def test_the_old_picture_coming_back_counts_as_black() -> None:
    """Once the new picture fills the screen, the old one is as wrong as black."""
    outcome = seen_of(recording((RED, RED), (GREEN, GREEN), (RED, RED), (GREEN, GREEN)), switch())
    assert outcome.black_s == pytest.approx(0.01)


def test_standing_still_is_the_longest_time_without_a_new_picture() -> None:
    """The row in which the clips move counts, whatever the colours do."""
    rows = [1, 2, 2, 2, 2, 3, 4, 4, 5]
    samples = tuple(Sample(number / 100, (RED,), row) for number, row in enumerate(rows))
    assert seen_of(Recording(samples), switch()).still_s == pytest.approx(0.04)


def test_looks_outside_of_the_switch_do_not_count() -> None:
    """Black before the command or after its time belongs to something else."""
    outcome = seen_of(recording((RED,), (GREEN,), (GREEN,), (BLACK,), (BLACK,)), switch(until=0.025))
    assert outcome.black_s == 0


def test_a_missed_bar_is_said_twice() -> None:
    """The line stands beside its table and again at the end, where somebody looks who has no time."""
    bars = (Bar("quick", True, "1 ms"), Bar("small", False, "900 MiB"))
    point = Point("point", "1. A point", Table(("what", "ms"), (("it", "1"),)), bars)
    report = text_of([point], machine=[("cores", "2")], seconds=60.0)
    assert report.count("MISSED  small: 900 MiB") == 2
    assert report.count("quick: 1 ms") == 1
    assert "1 of 2 bars met, in 1.0 minutes" in report
