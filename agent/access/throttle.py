"""The addresses that were refused lately. A caller that sends wrong keys waits longer each time, and does not fill the
log."""

from __future__ import annotations

import ipaddress
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from agent.types import ErrorCode

FREE_TRIES: Final = 5
"""Wrong keys that cost nothing: somebody who types one, or a system whose key was just revoked."""

LONGEST_WAIT_S: Final = 60.0

FORGET_AFTER_S: Final = 900.0
"""The time after the last refusal of an address until its refusals are forgotten."""

ADDRESSES: Final = 1024
"""Then the one that was refused longest ago is forgotten. Nobody gains from that: a key of 256 bits is not guessed,
however often one may try."""


@dataclass(slots=True)
class _Record:
    last: float
    wrong_keys: int = 0
    not_before: float = 0.0
    told: set[ErrorCode] = field(default_factory=set)


class Refusals:
    """A bounded table by address, an IPv6 network of 64 bits counting as one. `clock` gives seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._records: OrderedDict[str, _Record] = OrderedDict()

    def wrong_key(self, address: str) -> float:
        """Count a wrong key. Seconds that this address is to wait before its next one; 0.0 when it need not yet.

        One that comes during the wait is not counted: the wait does not grow by it.
        """
        record, now = self._record(address), self._clock()
        if record.not_before <= now:
            record.wrong_keys += 1
            over = record.wrong_keys - FREE_TRIES
            if over > 0:
                record.not_before = now + min(LONGEST_WAIT_S, 2.0 ** min(over, 16))
        return max(0.0, record.not_before - now)

    def is_first(self, address: str, code: ErrorCode) -> bool:
        """Return True if this address has not been refused lately."""
        record = self._record(address)
        if code in record.told:
            return False
        record.told.add(code)
        return True

    def _record(self, address: str) -> _Record:
        network, now = _network(address), self._clock()
        record = self._records.pop(network, None)
        if record is None or now - record.last > FORGET_AFTER_S:
            record = _Record(last=now)
        record.last = now
        self._records[network] = record  # the last of them
        if len(self._records) > ADDRESSES:
            self._records.popitem(last=False)
        return record


def _network(address: str) -> str:
    """The network of one household or machine: an IPv4 address, or a /64 of IPv6."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return ""
    if isinstance(parsed, ipaddress.IPv6Address):
        if parsed.ipv4_mapped is None:
            return str(ipaddress.IPv6Network((int(parsed) >> 64 << 64, 64)))
        parsed = parsed.ipv4_mapped
    return str(parsed)
