"""The limit on wrong guesses."""

from __future__ import annotations

import ipaddress
import math
import time
from collections import OrderedDict
from collections.abc import Callable, Collection
from typing import Final

from central.core.errors import TooManyRequestsError

MISSES: Final = 20
PERIOD_S: Final = 60.0
"""20 wrong codes a minute: more than anybody types, too few to find one of 480 million."""

MISSES_BEHIND_ONE_ADDRESS: Final = 10 * MISSES
"""The limit for all tokens together: a school of boxes has one address, and none of them can use up the tries of the
others."""

CALLERS_LIMIT: Final = 10_000
"""Callers that are remembered. The one that was quiet for longest is forgotten first."""


class MissLimit:
    """Counts the wrong guesses of a caller, which is an address or a token: `misses` at once, then as many in a minute.
    Right ones cost nothing."""

    def __init__(
        self,
        *,
        misses: int = MISSES,
        what: str = "codes",
        whose: str = "this address",
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._limit = misses
        self._what = what
        self._whose = whose
        self._monotonic = monotonic
        self._misses: OrderedDict[str, tuple[float, float]] = OrderedDict()
        """The time of each caller's last miss, and the weight of its misses then."""

    @property
    def callers(self) -> Collection[str]:
        """The callers that have guessed wrong, the one that has been quiet longest first."""
        return self._misses.keys()

    def check(self, caller: str) -> None:
        """Raise TooManyRequestsError if this caller has to wait."""
        weight = self._weight(_group(caller))
        if weight > self._limit - 1:
            wait_s = (weight - (self._limit - 1)) * PERIOD_S / self._limit
            raise TooManyRequestsError(
                f"Too many wrong {self._what} came from {self._whose}. Try again in {math.ceil(wait_s)} s.", wait_s
            )

    def missed(self, caller: str) -> None:
        """Count a wrong guess of this caller."""
        group = _group(caller)
        self._misses[group] = (self._monotonic(), self._weight(group) + 1)
        self._misses.move_to_end(group)
        if len(self._misses) > CALLERS_LIMIT:
            self._misses.popitem(last=False)

    def _weight(self, group: str) -> float:
        at, weight = self._misses.get(group, (0.0, 0.0))
        return max(0.0, weight - (self._monotonic() - at) * self._limit / PERIOD_S) if weight else 0.0


def _group(caller: str) -> str:
    """The subscriber of an address: one has a whole /64 of IPv6."""
    try:
        parsed = ipaddress.ip_address(caller)
    except ValueError:
        return caller
    if isinstance(parsed, ipaddress.IPv6Address) and parsed.ipv4_mapped is None:
        return str(ipaddress.ip_network((parsed, 64), strict=False))
    return str(parsed)
