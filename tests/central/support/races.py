"""Every pair of calls that change something, made at the same moment through two instances, many times."""

from __future__ import annotations

import asyncio
import itertools
import random
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from tests.central.support.calls import OPERATIONS
from tests.central.support.postgres import PostgresServer
from tests.central.support.scene import C1, C2, Found, Scene
from tests.central.support.service import Central, served

LANES: Final = 4
"""Rounds at a time: what a core can do, so that the two calls of one are not kept apart by the others."""
APART_S: Final = (0.001, 0.01, 0.05)
"""The most that either call begins late, one of these: from less than a statement takes to more than a call does, so
that they meet at every point."""

_KEY_GONE = {"revoke_key", "delete_broadcaster"}
_PUBLISHER_GONE = _KEY_GONE | {"not_ready", "stop_published", "find_gone"}
_BOX_GONE = {"revoke_device"}
_STREAM_GONE = {"revoke_device", "stop_stream", "end_lost"}
_HOLDERS = {"auth", "auth_of_another", "come_back", "ready", "find_on", *_PUBLISHER_GONE}

REFUSED: Final[dict[str, dict[int, set[str]]]] = {
    "enrol": {401: {"revoke_enrolments"}},
    "change_device": {404: _BOX_GONE},
    "revoke_device": {404: _BOX_GONE},
    "put_state": {401: _BOX_GONE, 404: _BOX_GONE},
    "add_events": {401: _BOX_GONE, 404: _BOX_GONE},
    "start_stream": {401: _BOX_GONE, 404: _BOX_GONE},
    "change_stream": {409: _STREAM_GONE},
    "add_broadcaster": {409: {"add_broadcaster"}},
    "change_broadcaster": {404: {"delete_broadcaster"}},
    "delete_broadcaster": {404: {"delete_broadcaster"}},
    "add_key": {404: {"delete_broadcaster"}},
    "revoke_key": {404: {"delete_broadcaster"}},
    "auth": {401: _KEY_GONE | {"auth_of_another", "come_back"}},
    "auth_of_another": {401: _HOLDERS},
    "ready": {409: _PUBLISHER_GONE},
    "come_back": {401: _HOLDERS, 409: _KEY_GONE | {"stop_published"}},
}
"""The calls beside which a call may be refused, by its status; all others must succeed."""


@dataclass
class Verdict:
    """The verdict on all rounds of one pair."""

    names: tuple[str, str]
    rounds: int = 0
    answers: Counter[tuple[int, int]] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)


def pairs(only: Sequence[str] = ()) -> list[tuple[str, str]]:
    """Each call beside each, itself included; of these with `only` those with one of these calls (`ready`), and those
    that are one of these pairs (`ready+auth`)."""
    every = list(itertools.combinations_with_replacement(OPERATIONS, 2))
    asked = [sorted(text.split("+")) for text in only]
    with_one = {names[0] for names in asked if len(names) == 1}
    return [pair for pair in every if not only or sorted(pair) in asked or not with_one.isdisjoint(pair)]


@asynccontextmanager
async def instances(url: str) -> AsyncIterator[tuple[Central, Central]]:
    """Two of them, on one database."""
    async with served(url) as one, served(url) as two:
        yield one, two


async def race(both: tuple[Central, Central], names: tuple[str, str], rounds: int, dice: random.Random) -> Verdict:
    """Run so many rounds of that pair; the first call of each goes to either instance."""
    verdict, left = Verdict(names), iter(range(rounds))
    needs = frozenset[str]().union(*(OPERATIONS[name].needs for name in names))

    async def lane() -> None:
        for _ in left:
            ways = list(both)
            dice.shuffle(ways)
            scene = Scene(both[0], needs)
            await scene.make()
            most_s = dice.choice(APART_S)
            late = [_late(scene, name, way, dice.uniform(0, most_s)) for name, way in zip(names, ways, strict=True)]
            first, second = await asyncio.gather(*late)
            verdict.rounds += 1
            verdict.answers[first, second] += 1
            verdict.wrong += _wrong(names, (first, second), await scene.found(), scene)

    alone = any(OPERATIONS[name].alone for name in names)
    await asyncio.gather(*(lane() for _ in range(1 if alone else LANES)))
    return verdict


async def all_races(
    server: PostgresServer,
    both: tuple[Central, Central],
    rounds: int,
    *,
    only: Sequence[str] = (),
    seed: int = 0,
    told: Callable[[Verdict], None] = lambda _: None,
) -> list[Verdict]:
    """A verdict for each pair; a deadlock in the server's log is something wrong."""
    dice, verdicts = random.Random(seed), []
    for names in pairs(only):
        before = server.log().count("deadlock detected")
        verdict = await race(both, names, rounds, dice)
        deadlocks = server.log().count("deadlock detected") - before
        verdict.wrong += ["a deadlock"] * deadlocks
        await _sweep(both[0])
        verdicts.append(verdict)
        told(verdict)
    return verdicts


async def _late(scene: Scene, name: str, central: Central, after_s: float) -> int:
    await asyncio.sleep(after_s)
    return await OPERATIONS[name].call(scene, central)


async def _sweep(central: Central) -> None:
    """End what is on, so that what works on all that there is does not find it."""

    async def work(session: AsyncSession) -> None:
        for statement in ("DELETE FROM claims", "UPDATE streams SET status = 'ended', ended_at = now()"):
            await session.execute(text(statement))

    await central.services.database.write(work)


def _wrong(names: tuple[str, str], statuses: tuple[int, int], found: Found, scene: Scene) -> list[str]:
    """The problems of a round, whichever call was first."""
    problems = [*_statuses(names, statuses), *_always(found)]
    for (name, status), beside in zip(zip(names, statuses, strict=True), reversed(names), strict=True):
        if status < 300 and (effect := EFFECTS.get(name)) is not None and not effect(found, scene, beside):
            problems.append(f"{name} was answered {status}, and its effect is not there")
    return [f"{names[0]} {statuses[0]}, {names[1]} {statuses[1]}: {problem}" for problem in problems]


def _statuses(names: tuple[str, str], statuses: tuple[int, int]) -> Iterable[str]:
    for (name, status), beside in zip(zip(names, statuses, strict=True), reversed(names), strict=True):
        if status >= 300 and beside not in REFUSED.get(name, {}).get(status, ()):
            yield f"{name} was answered {status}"
    once = names[0] == names[1] and names[0] in ("revoke_device", "delete_broadcaster", "add_broadcaster")
    if once and sum(status < 300 for status in statuses) != 1:
        yield "one of both must succeed"


def _always(found: Found) -> Iterable[str]:
    """The problems that must not exist whatever was called."""
    good = {key.id for key in found.keys if key.revoked_at is None}
    if not {stream.stream_key_id for stream in found.on()} | {claim.stream_key_id for claim in found.claims} <= good:
        yield "a key that is revoked has a stream or a claim"
    if (found.device is None or found.device.revoked_at is not None) and found.shown():
        yield "a box that is revoked has a stream"
    for stream in found.on():
        held = [claim for claim in found.claims if claim.connection_id == stream.connection_id]
        if stream.interrupted_at is None and not (held and held[0].leased_until is None):
            yield "a stream is on that nobody holds"
    for claim in found.claims:
        if claim.leased_until is None and not found.on(claim.connection_id):
            yield "a key is held for good, and has no stream"


Effect = Callable[[Found, Scene, str], bool]

EFFECTS: Final[dict[str, Effect]] = {
    "enrol": lambda found, _scene, _beside: len(found.enrolled) == 1 and found.uses_left == [0],
    "change_device": lambda found, _scene, _beside: found.device is not None and found.device.name == "changed",
    "revoke_device": lambda found, _scene, _beside: found.device is not None and found.device.revoked_at is not None,
    "put_state": lambda found, _scene, _beside: len(found.states) == 1,
    "add_events": lambda found, scene, _beside: [each.event_id for each in found.events] == [scene.event["event_id"]],
    "start_stream": lambda found, _scene, beside: beside in _STREAM_GONE or len(found.shown()) == 1,
    "change_stream": lambda found, scene, _beside: found.stream(scene.shown).title == "changed",
    "stop_stream": lambda found, scene, _beside: found.stream(scene.shown).status == "ended",
    "add_broadcaster": lambda found, scene, _beside: found.named(f"new {scene.number}") == 1,
    "change_broadcaster": lambda found, scene, beside: (
        beside == "delete_broadcaster" or found.named(f"changed {scene.number}") == 1
    ),
    "delete_broadcaster": lambda found, scene, _beside: (
        not found.keys and all(each.id != scene.broadcaster for each in found.broadcasters)
    ),
    "add_key": lambda found, _scene, beside: (
        beside == "delete_broadcaster" or len(found.keys) == 2 + (beside == "add_key")
    ),
    "revoke_key": lambda found, scene, _beside: all(key.revoked_at for key in found.keys if key.id == scene.key),
    "auth": lambda found, _scene, beside: beside in _PUBLISHER_GONE or found.holds(C1),
    "auth_of_another": lambda found, _scene, beside: beside in _PUBLISHER_GONE or found.holds(C2),
    "ready": lambda found, _scene, beside: beside in _PUBLISHER_GONE or bool(found.on(C1)),
    "not_ready": lambda found, _scene, beside: beside == "auth" or not (found.holds(C1) or found.on(C1)),
    "come_back": lambda found, _scene, beside: beside in _KEY_GONE | {"stop_published"} or bool(found.on(C2)),
    "stop_published": lambda found, scene, _beside: found.stream(scene.published).status == "ended",
    "revoke_enrolments": lambda found, _scene, _beside: found.uses_left == [0],
    "find_on": lambda found, _scene, beside: beside in _PUBLISHER_GONE or bool(found.on(C1)),
}
"""The visible effect of each call that succeeded, by its name; the name of the call beside it may excuse it."""
