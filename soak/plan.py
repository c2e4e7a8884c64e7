"""The choice of the next step: by dice that the seed and the number of the step load, among the steps that are possible
now.

What is possible depends on the model only, never on time or on what the agent says, so a seed gives the same steps.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

from soak.model import Model

ROUND = 20
"""Steps after which the screen is emptied and the daemon's growth looked at."""
LIFE = 16
"""Rounds; the daemon is ended in the first of them only, so that it lives long enough to be seen growing."""
DEEPEST = 4
KILLED_AT = (4, 15)
"""Steps of a round: the daemon gives up what it restores when it is killed three times within 30 s of its start."""
RESTARTED_AT = 10


@dataclass(frozen=True, slots=True)
class Choice:
    name: str
    weight: float
    possible: Callable[[Model], bool]


def _always(model: Model) -> bool:
    return True


def _something(model: Model) -> bool:
    return model.top is not None


def _well(model: Model) -> bool:
    return model.top is not None and not model.top.broken


def _plays(model: Model) -> bool:
    return _well(model) and model.top is not None and model.top.source.moves


def _seekable(model: Model) -> bool:
    return _plays(model) and model.top is not None and not model.top.paused and model.top.source.has_position


def _paused(model: Model) -> bool:
    return model.top is not None and model.top.paused


def _room(model: Model) -> bool:
    return len(model.stack) < DEEPEST


def _calm(model: Model) -> bool:
    """Return True if a stream that is covered for a moment comes back as it was."""
    return _room(model) and (model.top is None or not model.top.broken)


def _waits(model: Model) -> bool:
    return len(model.stack) > 1


def _whole(model: Model) -> bool:
    return any(not wanted.broken and wanted.source.moves for wanted in model.stack)


def _broken(model: Model) -> bool:
    return any(wanted.broken for wanted in model.stack)


CHOICES = (
    Choice("start", 2.5, _always),
    Choice("interrupt", 10, _room),
    Choice("interrupt and expire", 3, lambda m: _something(m) and _room(m)),
    Choice("start and expire", 0.7, _always),
    Choice("short film", 1.5, _room),
    Choice("stop", 4, _something),
    Choice("stop by id", 2, _something),
    Choice("stop all", 0.4, _something),
    Choice("expire while waiting", 2, _waits),
    Choice("extend", 2, _something),
    Choice("let time pass", 3, _always),
    Choice("pause", 3, _seekable),
    Choice("resume", 6, _paused),
    Choice("seek", 3, _seekable),
    Choice("start that fails", 2, _always),
    Choice("start that is late", 1, _always),
    Choice("burst", 1, _always),
    Choice("start and think again", 2, _calm),
    Choice("break server", 12, _whole),
    Choice("heal servers", 8, _broken),
    Choice("kill player", 4, _plays),
    Choice("freeze player", 2, _plays),
    Choice("kill spare", 1.5, _always),
    Choice("restart X", 1.2, _always),
    Choice("freeze X", 1, _always),
    Choice("set volume", 2, _always),
)


def dice_of(seed: int, step: int) -> random.Random:
    """The dice of one step."""
    return random.Random(f"{seed}:{step}")  # noqa: S311 - it plays


def choose(dice: random.Random, model: Model, step: int) -> str:
    """The name of step `step`, counted from 0."""
    round_, place = divmod(step, ROUND)
    if place == ROUND - 1:
        return "end of round"
    if round_ % LIFE == 0 and place in KILLED_AT:
        return "kill daemon"
    if round_ % LIFE == 0 and place == RESTARTED_AT:
        return "restart daemon"
    possible = [choice for choice in CHOICES if choice.possible(model)]
    return dice.choices(possible, [choice.weight for choice in possible])[0].name
