"""Pauses between tries that fail in a row."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

_DOUBLINGS = 32
"""More of them exceed every cap, and floats in the end."""


@dataclass(frozen=True, slots=True)
class Backoff:
    """A pause of `base_s` seconds after the first failure, twice as long after each further one, up to `cap_s`."""

    base_s: float
    cap_s: float

    def after(self, failures: int) -> float:
        """Seconds to wait after that many failures in a row, 1 or more."""
        return min(self.cap_s, self.base_s * 2.0 ** min(failures - 1, _DOUBLINGS))

    def spread_after(self, failures: int, random: Random) -> float:
        """The same with full jitter: between 0 and that many seconds, so that many boxes do not call at once."""
        return random.uniform(0.0, self.after(failures))
