"""All steps by their names, and how long each may take until all is right."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping

from soak import harm, streams
from soak.box import Box

Act = Callable[[Box, random.Random], str]
"""Does it, keeps the model, and returns what it did. Raises StepError, AssertionError, OSError."""

SETTLE_S = 8.0
"""A start takes 0.1-0.7 s, that of a slow film 2.5 s; the rest is for a busy machine."""
RECONNECT_S = 20.0
"""An attempt that is under way fails after 8 s at most, the next comes up to 2 s later (15 s in a long outage)."""
DISPLAY_S = 20.0

STEPS: Mapping[str, Act] = {
    "start": streams.start,
    "interrupt": streams.interrupt,
    "interrupt and expire": streams.interrupt_and_expire,
    "start and expire": streams.start_and_expire,
    "short film": streams.short_film,
    "stop": streams.stop,
    "stop by id": streams.stop_by_id,
    "stop all": streams.stop_all,
    "end of round": streams.stop_all,
    "expire while waiting": streams.expire_while_waiting,
    "extend": streams.extend,
    "let time pass": streams.let_time_pass,
    "pause": streams.pause,
    "resume": streams.resume,
    "seek": streams.seek,
    "set volume": streams.set_volume,
    "start that fails": streams.start_that_fails,
    "start that is late": streams.start_that_is_late,
    "burst": streams.burst,
    "start and think again": streams.start_and_think_again,
    "break server": harm.break_server,
    "heal servers": harm.heal_servers,
    "kill player": harm.kill_player,
    "freeze player": harm.freeze_player,
    "kill spare": harm.kill_spare,
    "kill daemon": harm.kill_daemon,
    "restart daemon": harm.restart_daemon,
    "restart X": harm.restart_x,
    "freeze X": harm.freeze_x,
}


def settles_within(name: str, box: Box) -> float:
    """Seconds after the step."""
    top = box.model.top
    if name in ("restart X", "freeze X"):
        return DISPLAY_S
    if name in ("heal servers", "kill daemon", "restart daemon", "start that is late") or (
        top is not None and top.broken
    ):
        return RECONNECT_S
    return SETTLE_S
