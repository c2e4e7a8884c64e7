"""Instances whose machines disagree about the time agree all the same: the database's counts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from aiohttp import ClientSession

from central.core.db.clock import DatabaseClock
from central.core.db.engine import Database
from central.core.settings import DatabaseSettings
from tests.central.support.process import central_process

BODY = {"action": "publish", "protocol": "rtsp", "user": "", "ip": "192.0.2.7", "query": ""}


async def test_a_key_is_given_once_by_instances_whose_clocks_differ(postgres_url: str) -> None:
    """By more than a lease: neither takes what the other has just given, nor gives it for longer."""
    with central_process(postgres_url) as right, central_process(postgres_url, ahead_s=15) as ahead:
        headers = {"Authorization": f"Bearer {right.command('key', 'add', 'test')}"}
        async with ClientSession(headers=headers) as admin, ClientSession() as session:

            async def make(path: str, body: object) -> dict[str, str]:
                async with admin.post(f"{right.url}{path}", json=body) as answer:
                    made: dict[str, str] = await answer.json()
                    return made

            async def auth(url: str, key: str, connection: str) -> int:
                body = BODY | {"password": key, "id": connection, "path": path}
                async with session.post(f"{url}/auth", json=body) as answer:
                    return answer.status

            broadcaster = await make("/broadcasters", {"name": "one"})
            for number, (first, second) in enumerate(((right, ahead), (ahead, right))):
                path = f"live/{number}"  # that of a publisher that has just left is kept for it
                key = (await make("/stream-keys", {"broadcaster_id": broadcaster["id"], "path": path}))["key"]
                assert await auth(first.url, key, f"a{number}") == 200
                assert await auth(second.url, key, f"b{number}") == 401
                async with session.post(f"{first.url}/webhook/ready", json={"path": path}) as answer:
                    assert answer.status == 204, await answer.text()
                async with session.post(f"{second.url}/webhook/not-ready", json={"path": path}) as answer:
                    assert answer.status == 204, await answer.text()


async def test_the_time_is_that_of_the_database(postgres_url: str) -> None:
    """Whatever this machine says, and it goes on between two looks."""
    uptime = 1000.0
    database = Database(str(DatabaseSettings(url=postgres_url).url))
    try:
        clock = DatabaseClock(database, uptime=lambda: uptime)
        await clock.adjust()
        first = clock()
        assert abs(first - datetime.now(UTC)) < timedelta(seconds=5)
        uptime += 60.0
        assert clock() - first == timedelta(seconds=60)
        await clock.adjust()
        assert clock() - first < timedelta(seconds=5)
    finally:
        await database.close()
