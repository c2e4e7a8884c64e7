"""How often somebody may guess wrong."""

from __future__ import annotations

import ipaddress
import math
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

from central.errors import TooManyRequestsError

MISSES: Final = 20
PERIOD_S: Final = 60.0
"""20 wrong codes a minute: more than anybody types, too few to find one of 480 million."""

ADDRESSES_LIMIT: Final = 10_000
"""Addresses that are remembered. The one that was quiet for longest is forgotten first."""


class MissLimit:
    """Counts wrong guesses of an address: 20 at once, then one every three seconds. Right ones cost nothing."""

    def __init__(self, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._misses: OrderedDict[str, tuple[float, float]] = OrderedDict()
        """For an address the moment and what weighed on it then."""

    def check(self, address: str) -> None:
        """Raises TooManyRequestsError when this address has to wait."""
        weight = self._weight(_group(address))
        if weight > MISSES - 1:
            wait_s = (weight - (MISSES - 1)) * PERIOD_S / MISSES
            raise TooManyRequestsError(
                f"Too many wrong codes came from this address. Try again in {math.ceil(wait_s)} s.", wait_s
            )

    def missed(self, address: str) -> None:
        """This address has guessed wrong."""
        group = _group(address)
        self._misses[group] = (self._monotonic(), self._weight(group) + 1)
        self._misses.move_to_end(group)
        if len(self._misses) > ADDRESSES_LIMIT:
            self._misses.popitem(last=False)

    def _weight(self, group: str) -> float:
        at, weight = self._misses.get(group, (0.0, 0.0))
        return max(0.0, weight - (self._monotonic() - at) * MISSES / PERIOD_S) if weight else 0.0


def _group(address: str) -> str:
    """One subscriber has a whole /64 of IPv6."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(parsed, ipaddress.IPv6Address) and parsed.ipv4_mapped is None:
        return str(ipaddress.ip_network((parsed, 64), strict=False))
    return str(parsed)
