"""The workers of the service: restarted when they fail, and told in /health meanwhile."""

from __future__ import annotations

import pytest

from central.core.errors import DatabaseUnavailableError
from central.core.workers import repeated
from central.devices.upkeep import Upkeep
from tests.central.support.service import served
from tests.support.tools import until


async def test_a_worker_that_fails_is_restarted_and_told(monkeypatch: pytest.MonkeyPatch, sqlite_url: str) -> None:
    """/health names it and says degraded, with 200: calls are answered as ever."""
    times = 0

    async def fail(_upkeep: Upkeep) -> None:
        nonlocal times
        times += 1
        if times == 1:
            raise RuntimeError("a flaw of ours")

    monkeypatch.setattr(Upkeep, "once", fail)
    async with served(sqlite_url) as central:
        await until(lambda: times == 2)
        health = await central.anybody("GET", "/health")
        assert (health.status, health["status"], health["database"]["status"]) == (200, "degraded", "available")
        assert health["workers"]["status"] == "unavailable"
        assert "devices_upkeep (RuntimeError)" in health["workers"]["detail"]


async def test_workers_that_are_well_are_available(sqlite_url: str) -> None:
    """The check is good as long as no worker fails."""
    async with served(sqlite_url) as central:
        health = await central.anybody("GET", "/health")
    assert (health["status"], health["workers"]) == ("healthy", {"status": "available", "detail": None})


async def test_without_the_database_a_worker_waits() -> None:
    """A database that is away is no failure of the worker."""
    outcomes = [DatabaseUnavailableError("gone"), ZeroDivisionError()]

    async def once() -> None:
        raise outcomes.pop(0)

    with pytest.raises(ZeroDivisionError):
        await repeated(once, every_s=0.0)()
    assert outcomes == []
