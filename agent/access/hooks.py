"""Hooks: addresses that do one thing each, for devices that can call an address and send no key."""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import Final

from agent.access.gate import GateError
from agent.access.key_ring import KeyRing
from agent.access.keys import MAX_KEYS, ApiKey, Kept, Kind, SecretFile
from agent.access.throttle import Refusals
from agent.access.uses import UseLog
from agent.types import ErrorCode

CALLS: Final = 10
CALLS_WITHIN_S: Final = 10.0
"""The period for the calls of one hook: a child at the doorbell rings once a second, and a caller that calls more often
has got into a loop."""


class HookAction(StrEnum):
    """The action of a hook."""

    START = "start"
    STOP = "stop"
    PAUSE = "pause"
    RESUME = "resume"


class Hook(ApiKey):
    """A hook as it is stored."""

    action: HookAction
    preset: str | None = None
    """The preset that it starts."""


HOOKS: Final = Kind("hook", "cast-agent hook add", "hooks.json", "cah_", Hook, Kept[Hook])


class HookFile(SecretFile[Hook]):
    """The file with the hooks."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, HOOKS)


class Hooks:
    """The hooks as the daemon knows them; `clock` gives seconds."""

    def __init__(self, file: HookFile, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.uses: Final = UseLog(file)
        self._ring = KeyRing(file)
        self._clock = clock
        self._refusals = Refusals(clock)
        self._calls: dict[str, deque[float]] = {}
        """The times of recent calls, by name of the hook."""

    def admit(self, secret: str, *, peer: str) -> Hook:
        """The hook with this secret, called from the address `peer`. Raises GateError."""
        self._ring.look()
        hook = self._ring.find(secret)
        if hook is None:
            if wait_s := self._refusals.wrong_key(peer):
                raise _too_often("Too many wrong hooks were called from this address.", wait_s)
            raise GateError(
                ErrorCode.NOT_FOUND,
                "This box does not know this hook: it was revoked, or its address was not copied whole. Run "
                "cast-agent hook add on the box to make a new one.",
            )
        self._count(hook)
        self.uses.note(hook)
        return hook

    def _count(self, hook: Hook) -> None:
        if len(self._calls) > MAX_KEYS:  # names of many that were revoked
            self._calls.clear()
        calls, now = self._calls.setdefault(hook.name, deque(maxlen=CALLS)), self._clock()
        if len(calls) == CALLS and (wait_s := calls[0] + CALLS_WITHIN_S - now) > 0:
            raise _too_often(f"The hook {hook.name} was called {CALLS} times within {CALLS_WITHIN_S:g} s.", wait_s)
        calls.append(now)


def _too_often(what: str, wait_s: float) -> GateError:
    seconds = math.ceil(wait_s)
    return GateError(
        ErrorCode.TOO_MANY_REQUESTS, f"{what} Call again in {seconds} s.", headers={"Retry-After": str(seconds)}
    )
