"""The limit of what one box may have stored: a box that has gone wild does not fill the disk for all."""

from __future__ import annotations

import pytest
from sqlalchemy import text

from central.core.errors import QuotaExceededError
from central.devices import repository as devices
from central.devices.quota import DAY_S, Quota
from central.devices.settings import DeviceSettings
from tests.central.support.service import served

MIB = 2**20


async def test_a_box_that_has_gone_wild_is_told_to_wait(sqlite_url: str) -> None:
    """With 429, and when there is room again; other boxes notice nothing, and its own state is still taken."""
    async with served(sqlite_url, devices={"quota": 8}) as central:
        box, other = await central.box(), await central.box("hall")
        stored = 0
        while (
            answer := await box.send(*(box.event("future_kind", data={"a": "x" * 4000}) for _ in range(50)))
        ).status == 200:
            stored += 50 * 4000
            assert stored < 9 * MIB
        assert stored > 6 * MIB
        assert (answer.status, answer["code"]) == (429, "quota_exceeded")
        assert "devices.quota" in answer["detail"]
        assert 0 < int(answer.headers["Retry-After"]) < DAY_S
        assert (await box.put(box.state())).status == 200
        assert (await other.send(other.event())).status == 200
        assert (await other.cast()).status == 201


async def test_what_is_not_stored_does_not_count(sqlite_url: str) -> None:
    """Events that are sent again, and the stream that there is already: a box may insist."""
    async with served(sqlite_url, devices={"quota": 8}) as central:
        box = await central.box()
        batch = [box.event("future_kind", data={"a": "x" * 4000}) for _ in range(50)]
        for _ in range(45):
            assert (await box.send(*batch)).status == 200
            assert (await box.cast(metadata={"a": "x" * 8000})).status in (200, 201)


async def test_streams_count(sqlite_url: str) -> None:
    """A box that starts and stops without end fills no disk either."""
    async with served(sqlite_url, devices={"quota": 8}) as central:
        box = await central.box()
        central.services.boxes.own_streams._quota.take(box.id, 8 * MIB - 5000)
        assert (await box.cast(metadata={"a": "x" * 8000}))["code"] == "quota_exceeded"
        started = await box.cast()
        assert started.status == 201


async def test_a_box_that_makes_up_runs_fills_no_disk(sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of its runs the last ones are kept, and the order of those is right."""
    monkeypatch.setattr(devices, "BOOTS_LIMIT", 5)
    async with served(sqlite_url) as central:
        box = await central.box()
        for number in range(12):
            box.boot_id = f"00000000-0000-4000-8000-{number:012}"
            assert (await box.put(box.state()))["accepted"] is True
        box.boot_id = f"00000000-0000-4000-8000-{9:012}"
        assert (await box.put(box.state()))["accepted"] is False
        async with central.services.database.read() as session:
            assert await session.scalar(text("SELECT count(*) FROM device_boots")) == 5


def test_a_quota_comes_back_little_by_little() -> None:
    """In a day all of it; the wait that is told is long enough, and not longer."""
    now = 0.0
    quota = Quota(DeviceSettings().quota, monotonic=lambda: now)
    whole = int(DeviceSettings().quota * MIB)
    quota.take("a", whole)
    quota.take("b", whole)
    with pytest.raises(QuotaExceededError) as refused:
        quota.take("a", whole // 4)
    assert refused.value.retry_after_s == pytest.approx(DAY_S / 4, rel=0.01)
    now += refused.value.retry_after_s + 1
    quota.take("a", whole // 4)
    quota.give_back("a", whole // 4)
    quota.take("a", whole // 4)
    with pytest.raises(QuotaExceededError):
        quota.take("a", whole // 4)
    now += DAY_S
    quota.take("a", whole)
