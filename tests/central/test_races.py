"""Calls at the same moment, through two instances on one PostgreSQL: none fails, deadlocks or loses its effect."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from tests.central.support.postgres import PostgresServer
from tests.central.support.races import all_races
from tests.central.support.service import Central, served

ROUNDS = 40
ROUNDS_OF_EACH = 3

Pair = tuple[Central, Central]


@pytest.fixture
async def pair(postgres: PostgresServer, postgres_url: str) -> AsyncIterator[Pair]:
    """Two instances; none of their calls may have ended in a deadlock."""
    before = postgres.log().count("deadlock detected")
    async with served(postgres_url) as one, served(postgres_url) as two:
        yield one, two
    assert postgres.log().count("deadlock detected") == before


async def test_a_key_that_is_revoked_while_its_stream_begins_is_revoked(pair: Pair) -> None:
    """Whichever was first, the stream is over afterwards."""
    one, two = pair
    for number in range(ROUNDS):
        key, path = await one.key(), f"live/{number}"
        assert (await one.auth(key["key"], path)).status == 200
        revoke = two.admin("DELETE", f"/stream-keys/{key['id']}")
        ready, revoked = await asyncio.gather(one.ready(path), revoke)
        assert ready.status in (200, 409), ready.body
        assert (revoked.status, revoked["status"], revoked["in_use"]) == (200, "revoked", False)
    assert (await one.admin("GET", "/streams"))["items"] == []


async def test_a_stream_begins_while_its_publisher_asks_again(pair: Pair) -> None:
    """MediaMTX asks again for each transport that a client tries."""
    one, two = pair
    for number in range(ROUNDS):
        key, path = (await one.key())["key"], f"live/{number}"
        assert (await one.auth(key, path)).status == 200
        answers = await asyncio.gather(one.ready(path), two.auth(key, path))
        assert [answer.status for answer in answers] == [200, 200]
    assert (await one.anybody("GET", "/health")).status == 200


async def test_a_box_that_is_revoked_while_it_starts_a_stream_has_none(pair: Pair) -> None:
    """The start is first, and its stream has ended, or it finds no such box."""
    one, two = pair
    for _ in range(ROUNDS):
        box = await one.box()
        started, revoked = await asyncio.gather(box.cast(), two.admin("DELETE", f"/api/v1/devices/{box.id}"))
        assert started.status in (201, 401, 404), started.body
        assert revoked.status == 204
    assert (await one.admin("GET", "/streams"))["items"] == []


@pytest.mark.timeout(400)  # a minute or less on a machine that has nothing else to do
async def test_every_pair_of_calls_at_the_same_moment(postgres: PostgresServer, pair: Pair) -> None:
    """No 5xx, no deadlock, no lost effect; `make races` makes more rounds of each."""
    verdicts = await all_races(postgres, pair, ROUNDS_OF_EACH)
    assert [problem for verdict in verdicts for problem in verdict.wrong] == []
    assert all(verdict.rounds == ROUNDS_OF_EACH for verdict in verdicts)
