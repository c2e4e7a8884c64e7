"""The spare player and its budget: real processes, scripted to misbehave."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from agent.errors import PlayerUnavailableError
from agent.player import pool as pool_module
from agent.player.base import KillReason
from agent.player.ipc_client import WorkerPlayer
from agent.player.pool import PlayerPool
from agent.player.registry import ENGINES, MIB
from cast_util.backoff import Backoff
from tests.support.tools import until

VLC = next(spec for spec in ENGINES if spec.name == "vlc")


class Window:
    xid = 1

    async def close(self) -> None:
        pass


class Bench:
    """The parts of a pool in these tests; `way` and `display` can be changed while it runs."""

    def __init__(self) -> None:
        self.way = "behaves"
        self.display: str | None = ":1"
        self.spawned = 0
        self.memory = 0
        self.asked_for_window, self.has_window = asyncio.Event(), asyncio.Event()
        self.has_window.set()

    def command(self) -> list[str]:
        self.spawned += 1
        return [sys.executable, "-m", "tests.support.scripted_player", self.way]

    async def window(self) -> Window:
        self.asked_for_window.set()
        await self.has_window.wait()
        return Window()

    @asynccontextmanager
    async def pool(self, *, on_demand: bool = False, spare_needs: int = 0) -> AsyncIterator[PlayerPool]:
        pool = PlayerPool(
            replace(VLC, on_demand=on_demand, spare_needs=spare_needs, memory=lambda: self.memory),
            command=self.command,
            display=lambda: self.display,
            open_window=self.window,
        )
        await pool.start(settle_s=10)
        try:
            yield pool
        finally:
            await pool.stop()


async def test_a_spare_is_ready_and_made_good(monkeypatch: pytest.MonkeyPatch) -> None:
    """The spare is handed out at once, and another is made in the background."""
    monkeypatch.setattr(pool_module, "REFILL_DELAY_S", 0.1)
    async with Bench().pool() as pool:
        assert pool.health.spare_ready
        began = time.monotonic()
        first = await pool.take()
        assert time.monotonic() - began < 0.05
        assert not pool.health.spare_ready
        await until(lambda: pool.health.spare_ready)
        second = await pool.take()
        assert second.pid != first.pid
        await first.kill(KillReason.ENDED)
        await second.kill(KillReason.ENDED)


async def test_takes_beyond_the_spare_are_served() -> None:
    """Many takes at once each get a player of their own."""
    async with Bench().pool() as pool:
        players = await asyncio.gather(*(pool.take() for _ in range(4)))
        assert len({p.pid for p in players}) == 4
        await asyncio.gather(*(p.kill(KillReason.ENDED) for p in players))


async def test_a_player_on_demand_is_followed_by_a_spare_unless_it_is_a_rare_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The first player that is wanted has the pool keep a spare; one whose like is not wanted soon does not."""
    monkeypatch.setattr(pool_module, "REFILL_DELAY_S", 0.1)
    bench = Bench()
    async with bench.pool(on_demand=True) as pool:
        assert not pool.health.spare_ready
        rare = await pool.take(keep_spare=False)
        await asyncio.sleep(0.5)  # five times the delay
        assert (pool.health.spare_ready, bench.spawned) == (False, 1)
        usual = await pool.take()
        await until(lambda: pool.health.spare_ready)
        await rare.kill(KillReason.ENDED)
        await usual.kill(KillReason.ENDED)


async def test_an_engine_that_will_be_wanted_has_a_spare() -> None:
    async with Bench().pool(on_demand=True) as pool:
        assert not pool.health.spare_ready
        pool.expect()
        await until(lambda: pool.health.spare_ready)


async def test_without_memory_there_is_no_spare(monkeypatch: pytest.MonkeyPatch) -> None:
    """Health says so, a start gets a player all the same, and the spare comes with the memory."""
    monkeypatch.setattr(pool_module, "MEMORY_LOOK_S", 0.1)
    bench = Bench()
    async with bench.pool(spare_needs=2 * MIB) as pool:
        assert (pool.health.available, pool.health.spare_ready, bench.spawned) == (True, False, 0)
        assert "under 2 MiB of memory" in pool.health.message
        player = await pool.take()
        bench.memory = 3 * MIB
        await until(lambda: pool.health.spare_ready)
        assert pool.health.message == ""
        await player.kill(KillReason.ENDED)


async def test_a_dead_spare_is_replaced() -> None:
    """A spare that dies is noticed without anybody asking, and made good."""
    async with Bench().pool() as pool:
        spare = pool._spare
        assert spare is not None
        os.kill(spare.pid, signal.SIGKILL)
        await until(lambda: pool._spare is not None and pool._spare is not spare)
        assert pool.health.available


async def test_no_spawn_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    """Players that never start are tried at growing intervals; health has the reason and takes are refused."""
    monkeypatch.setattr(pool_module, "PAUSES", Backoff(0.3, cap_s=60.0))
    bench = Bench()
    bench.way = "exits"
    async with bench.pool() as pool:
        await until(lambda: not pool.health.available)
        assert "no libVLC here" in pool.health.message
        assert "apt install" in pool.health.message
        with pytest.raises(PlayerUnavailableError, match="no libVLC here"):
            await pool.take()
        assert bench.spawned == pool_module.FAILURES_ALLOWED
        for _ in range(20):
            with contextlib.suppress(PlayerUnavailableError):
                await pool.take()
        await asyncio.sleep(0.3)  # for a process that was started all the same; the pause is four times as long
        assert bench.spawned == pool_module.FAILURES_ALLOWED, "takes do not spend the budget"


async def test_it_recovers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Once players start again, so does the pool, by itself."""
    monkeypatch.setattr(pool_module, "PAUSES", Backoff(0.05, cap_s=0.1))
    bench = Bench()
    bench.way = "exits"
    async with bench.pool() as pool:
        await until(lambda: not pool.health.available)
        bench.way = "behaves"
        await until(lambda: pool.health.spare_ready)
        assert pool.health.available


async def test_spares_that_die_young_use_up_the_budget(monkeypatch: pytest.MonkeyPatch) -> None:
    """Spares that start and crash are a failure too: no loop of crashing processes."""
    monkeypatch.setattr(pool_module, "PAUSES", Backoff(0.3, cap_s=60.0))
    bench = Bench()
    bench.way = "dies-soon"
    async with bench.pool() as pool:
        await until(lambda: not pool.health.available)
        spawned = bench.spawned
        await asyncio.sleep(1.0)  # they die after 0.2 s each: without a pause there would be four
        assert bench.spawned <= spawned + 1
        assert "SIGSEGV" in pool.health.message


async def test_no_display_no_players() -> None:
    """Without a display nothing is started; when one comes the spare is made."""
    bench = Bench()
    bench.display = None
    async with bench.pool() as pool:
        assert not pool.health.available
        assert bench.spawned == 0
        with pytest.raises(PlayerUnavailableError, match="display"):
            await pool.take()
        bench.display = ":2"
        await pool.renew()
        await until(lambda: pool.health.spare_ready)


async def test_a_renewal_reaches_the_spare_that_is_being_made() -> None:
    """A process that was begun before the renewal is out of date, too: it is ended, and the one after it is the
    spare."""
    bench = Bench()
    async with bench.pool() as pool:
        bench.asked_for_window.clear()
        bench.has_window.clear()
        await pool.renew()
        await bench.asked_for_window.wait()
        spawned, [being_made] = bench.spawned, pool._ours
        await pool.renew()
        bench.has_window.set()
        await until(lambda: pool.health.spare_ready)
        assert bench.spawned == spawned + 1
        assert pool._spare is not being_made
        assert isinstance(await being_made.gone(), PlayerUnavailableError)


async def test_a_take_that_is_given_up_leaks_no_player() -> None:
    """A cancelled take gives its player back to nobody: it is killed, or becomes the spare."""
    async with Bench().pool() as pool:
        spare = await pool.take()
        takes = [asyncio.create_task(pool.take()) for _ in range(3)]
        await asyncio.sleep(0.05)  # on a fast machine one of them has its player by now
        for take in takes:
            take.cancel()
        got = [t for t in await asyncio.gather(*takes, return_exceptions=True) if isinstance(t, WorkerPlayer)]
        await until(lambda: pool.health.spare_ready)
        await asyncio.gather(*(player.kill(KillReason.ENDED) for player in (spare, *got)))


async def test_a_spare_that_hangs_while_it_warms_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    """A pre-roll that hangs costs one process and a line in health."""
    monkeypatch.setattr(pool_module, "WARM_TIMEOUT_S", 0.3)
    monkeypatch.setattr(pool_module, "PAUSES", Backoff(0.05, cap_s=30.0))
    bench = Bench()
    bench.way = "hangs-warming"
    async with bench.pool() as pool:
        await until(lambda: not pool.health.available)
        assert "did not answer" in pool.health.message
