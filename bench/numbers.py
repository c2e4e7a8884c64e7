"""The statistics of a row of measured values: the middle, the spread, ratios in pairs, a trend."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Series:
    """A series of at least one value, in the order in which they were measured."""

    values: tuple[float, ...]

    @classmethod
    def of(cls, values: Sequence[float]) -> Series:
        """Raises ValueError when there are none."""
        if not values:
            raise ValueError("Nothing was measured")
        return cls(tuple(values))

    @property
    def median(self) -> float:
        return statistics.median(self.values)

    @property
    def low(self) -> float:
        return min(self.values)

    @property
    def high(self) -> float:
        return max(self.values)

    @property
    def quartiles(self) -> tuple[float, float]:
        """The first and the third; the value itself when there is only one."""
        if len(self.values) == 1:
            return self.values[0], self.values[0]
        first, _, third = statistics.quantiles(self.values, n=4, method="inclusive")
        return first, third

    def percentile(self, percent: float) -> float:
        """The smallest value that at least `percent` (above 0, at most 100) of the values do not exceed."""
        rank = math.ceil(len(self.values) * percent / 100)
        return sorted(self.values)[max(rank, 1) - 1]

    def over(self, other: Series) -> Series:
        """The ratio of each value to its neighbour in time. Raises ValueError when the lengths differ."""
        return Series(tuple(mine / theirs for mine, theirs in zip(self.values, other.values, strict=True)))

    def brief(self) -> str:
        """`112 (98..131)`: median, smallest and largest."""
        return self.spread(0)

    def spread(self, digits: int) -> str:
        """`1.12 (0.98..1.31)`: the same with decimals."""
        return f"{self.median:.{digits}f} ({self.low:.{digits}f}..{self.high:.{digits}f})"

    def text(self, digits: int = 0) -> str:
        """`112 [104..118] 98..131`: median, quartiles, smallest and largest."""
        first, third = self.quartiles
        m, q1, q3, low, high = (f"{v:.{digits}f}" for v in (self.median, first, third, self.low, self.high))
        return f"{m} [{q1}..{q3}] {low}..{high}"


def slope(points: Sequence[tuple[float, float]]) -> float:
    """The growth of y for each x, by least squares; 0 for fewer than two different x."""
    if len({x for x, _ in points}) < 2:
        return 0.0
    return statistics.linear_regression([x for x, _ in points], [y for _, y in points]).slope
