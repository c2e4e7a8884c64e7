"""A publisher that is away for a moment: its stream waits for it, and ends when it does not come back."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from typing import Any

import pytest

from central.streams import repository as streams
from tests.central.support.mediamtx import fake_control_api
from tests.central.support.service import Central, served
from tests.support.tools import LOOK_EVERY_S, until

GRACE_S = 10.0
PATH = "live/one"


async def on_air(central: Central, key: str, *, path: str = PATH, connection: str = "c1") -> str:
    """Publish; the id of the stream."""
    assert (await central.auth(key, path, connection)).status == 200
    ready = await central.ready(path, connection)
    assert ready.status == 200, ready.body
    return str(ready["stream_id"])


async def told(central: Central, stream_id: str) -> Any:
    return (await central.admin("GET", f"/api/v1/streams/{stream_id}")).body


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


async def test_a_publisher_that_comes_back_in_time_has_the_same_stream(central: Central) -> None:
    """With its id, its code and its beginning; meanwhile it is on, and says since when it waits and how long."""
    key = (await central.key())["key"]
    stream_id = await on_air(central, key)
    before = await told(central, stream_id)
    central.clock.forward(60)
    left = central.clock.at
    assert (await central.not_ready()).body == {
        "ended": False,
        "grace_until": (left + timedelta(seconds=GRACE_S)).isoformat().replace("+00:00", "Z"),
    }
    away = await told(central, stream_id)
    assert (away["status"], away["ended_at"], away["end_reason"]) == ("active", None, None)
    assert moment(away["interrupted_at"]) == left
    assert moment(away["grace_until"]) == left + timedelta(seconds=GRACE_S)
    by_code = (await central.admin("GET", f"/streams/{before['code']}")).body
    assert by_code == by_code | away  # it tells more of a stream that is published
    central.clock.forward(2)
    await central.services.media.interruptions.once()
    assert await on_air(central, key, connection="c2") == stream_id
    after = await told(central, stream_id)
    assert (after["interrupted_at"], after["grace_until"]) == (None, None)
    assert {**after, "updated_at": None} == {**before, "updated_at": None}
    assert moment(after["updated_at"]) == central.clock.at
    assert len((await central.admin("GET", "/api/v1/streams"))["items"]) == 1
    # The next time counts from its beginning.
    central.clock.forward(9)
    await central.not_ready(connection="c2")
    central.clock.forward(9)
    await central.services.media.interruptions.once()
    assert (await told(central, stream_id))["status"] == "active"


async def test_a_publisher_that_stays_away_left_when_it_was_seen_last(central: Central) -> None:
    """The end is that of the picture; afterwards it gets a new stream."""
    key = await central.key()
    stream_id = await on_air(central, key["key"])
    left = central.clock.at
    await central.not_ready()
    assert (await central.admin("GET", f"/stream-keys/{key['id']}"))["in_use"] is False
    central.clock.forward(GRACE_S + 0.1)
    await central.services.media.interruptions.once()
    ended = await told(central, stream_id)
    assert (ended["status"], ended["end_reason"]) == ("ended", "unpublished")
    assert (moment(ended["ended_at"]), ended["interrupted_at"], ended["grace_until"]) == (left, None, None)
    assert await on_air(central, key["key"], connection="c2") != stream_id


async def test_who_comes_back_too_late_has_a_new_stream_although_nobody_has_looked(database_url: str) -> None:
    """The moment decides, not the look. The stream that was there ended when it was interrupted."""
    async with served(database_url) as central:
        key = (await central.key())["key"]
        first = await on_air(central, key)
        left = central.clock.at
        await central.not_ready()
        central.clock.forward(GRACE_S + 0.1)
        assert await on_air(central, key, connection="c2") != first
        ended = await told(central, first)
        assert (ended["end_reason"], moment(ended["ended_at"])) == ("unpublished", left)


async def test_who_was_let_in_in_time_may_take_its_time_to_be_ready(central: Central) -> None:
    """A stream does not end under a publisher that is about to come back; it does once its lease is over."""
    key = (await central.key())["key"]
    stream_id = await on_air(central, key)
    for connection, is_ready in (("c2", True), ("c3", False)):
        await central.not_ready(connection="c1" if is_ready else "c2")
        central.clock.forward(GRACE_S - 1)
        assert (await central.auth(key, connection=connection)).status == 200
        central.clock.forward(5)
        await central.services.media.interruptions.once()
        assert (await told(central, stream_id))["status"] == "active"
        if is_ready:
            assert (await central.ready(connection=connection))["stream_id"] == stream_id
    central.clock.forward(6)
    await central.services.media.interruptions.once()
    assert (await told(central, stream_id))["status"] == "ended"


async def test_the_path_of_who_is_away_is_kept_for_it(central: Central) -> None:
    """Another key gets it only afterwards; and of several connections with the same key one gets in."""
    mine, other = (await central.key())["key"], (await central.key())["key"]
    stream_id = await on_air(central, mine)
    await central.not_ready()
    assert (await central.auth(other, connection="c8"))["code"] == "path_in_use"
    answers = await asyncio.gather(*(central.auth(mine, connection=f"d{number}") for number in range(5)))
    assert sorted(answer.status for answer in answers) == [200, 401, 401, 401, 401]
    assert {answer["code"] for answer in answers if answer.status == 401} == {"key_in_use"}
    winner = next(number for number, answer in enumerate(answers) if answer.status == 200)
    assert (await central.ready(connection=f"d{winner}"))["stream_id"] == stream_id
    await central.not_ready(connection=f"d{winner}")
    central.clock.forward(GRACE_S + 0.1)
    assert await on_air(central, other, connection="c9") != stream_id
    assert (await told(central, stream_id))["status"] == "ended"


async def test_who_goes_elsewhere_has_left(central: Central) -> None:
    """The key is free for another path at once; its stream on the old one has ended when it was interrupted."""
    key = (await central.key())["key"]
    stream_id = await on_air(central, key)
    left = central.clock.at
    await central.not_ready()
    central.clock.forward(3)
    assert await on_air(central, key, path="live/two", connection="c2") != stream_id
    ended = await told(central, stream_id)
    assert (ended["end_reason"], moment(ended["ended_at"])) == ("unpublished", left)


async def test_late_calls_of_a_connection_that_is_gone_change_nothing(central: Central) -> None:
    """Neither its ready after its not-ready, nor its not-ready after the ready of the next."""
    key = (await central.key())["key"]
    stream_id = await on_air(central, key)
    await central.not_ready(connection="c1")
    assert (await central.ready(connection="c1"))["code"] == "not_claimed"
    nameless = await central.anybody("POST", "/webhook/ready", {"path": PATH})
    assert nameless["code"] == "not_claimed"
    assert (await told(central, stream_id))["interrupted_at"] is not None
    assert await on_air(central, key, connection="c2") == stream_id
    assert (await central.not_ready(connection="c1"))["grace_until"] is None
    assert (await told(central, stream_id))["interrupted_at"] is None


@pytest.mark.parametrize("how", ["stop", "revoke"])
async def test_what_waits_can_be_ended(central: Central, how: str) -> None:
    """At once, and its path is anybody's."""
    key, other = await central.key(), (await central.key())["key"]
    stream_id = await on_air(central, key["key"])
    await central.not_ready()
    if how == "stop":
        await central.admin("POST", f"/api/v1/streams/{stream_id}/stop")
    else:
        await central.admin("DELETE", f"/stream-keys/{key['id']}")
    ended = await told(central, stream_id)
    assert (ended["status"], ended["end_reason"]) == (
        "ended",
        {"stop": "stopped", "revoke": "key_revoked"}[how],
    )
    assert (await central.auth(other, connection="c5")).status == 200


async def test_what_mediamtx_pulls_waits_too(central: Central) -> None:
    """Its camera was switched off and on."""
    stream_id = (await central.ready("camera", connection="", kind="rtspSource"))["stream_id"]
    await central.anybody("POST", "/webhook/not-ready", {"path": "camera"})
    assert (await told(central, stream_id))["interrupted_at"] is not None
    central.clock.forward(2)
    assert (await central.ready("camera", connection="", kind="rtspSource"))["stream_id"] == stream_id


async def test_without_a_grace_a_stream_ends_at_once(database_url: str) -> None:
    """The configuration sets no grace."""
    async with served(database_url, mediamtx={"grace": 0}) as central:
        key = (await central.key())["key"]
        stream_id = await on_air(central, key)
        assert (await central.not_ready()).body == {"ended": True, "grace_until": None}
        assert (await told(central, stream_id))["end_reason"] == "unpublished"
        assert await on_air(central, key, connection="c2") != stream_id


async def test_another_instance_ends_and_resumes_what_this_one_interrupted(database_url: str) -> None:
    """The database knows; each instance asks it."""
    async with served(database_url) as one, served(database_url) as two:
        keys = [(await one.key())["key"] for _ in range(2)]
        first, second = [await on_air(one, key, path=f"live/{n}", connection=f"c{n}") for n, key in enumerate(keys)]
        for number in range(2):
            await one.not_ready(f"live/{number}", f"c{number}")
        assert await on_air(two, keys[0], path="live/0", connection="d0") == first
        two.clock.forward(GRACE_S + 0.1)
        await two.services.media.interruptions.once()
        assert (await told(one, first))["status"] == "active"
        assert (await told(one, second))["status"] == "ended"


async def test_a_restart_forgets_no_grace(database_url: str) -> None:
    """A stream that waits goes on waiting, and one that is overdue by then ends as soon as the service is there
    again."""
    async with served(database_url) as before:
        keys = [(await before.key())["key"] for _ in range(2)]
        ids = [await on_air(before, key, path=f"live/{n}", connection=f"c{n}") for n, key in enumerate(keys)]
        for number in range(2):
            await before.not_ready(f"live/{number}", f"c{number}")
    async with served(database_url) as after:
        assert await on_air(after, keys[0], path="live/0", connection="d0") == ids[0]
        after.clock.forward(GRACE_S + 0.1)
        async with asyncio.timeout(10):
            while (await told(after, ids[1]))["status"] != "ended":
                await asyncio.sleep(LOOK_EVERY_S)
        assert (await told(after, ids[0]))["status"] == "active"


async def test_a_lost_not_ready_gives_the_stream_back_all_the_same(database_url: str) -> None:
    """The publisher is back with another connection before anybody told that the first had gone: it is refused, a
    look at the media server tells, and at its next try it is let in to the same stream."""
    async with fake_control_api() as media:
        settings = {"api_url": media.url, "reconcile": 3600}
        async with served(database_url, mediamtx=settings) as central:
            await until(lambda: central.services.media.reconciliation.reachable is not None)
            key = (await central.key())["key"]
            media.put_on(PATH, "c1")
            stream_id = await on_air(central, key)
            central.clock.forward(60)
            media.paths.clear()
            assert (await central.auth(key, connection="c2"))["code"] == "key_in_use"
            async with asyncio.timeout(5):
                while (await central.auth(key, connection="c2")).status != 200:
                    await asyncio.sleep(LOOK_EVERY_S)
            media.put_on(PATH, "c2")
            await central.services.media.reconciliation.once()
            streams = (await central.admin("GET", "/streams"))["items"]
            assert [(stream["id"], stream["interrupted_at"]) for stream in streams] == [(stream_id, None)]
            assert media.kicked == []


async def test_a_look_that_is_late_leaves_the_next_absence_alone(
    central: Central, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between its look and its end the publisher was there and left again: the path stays its key's."""
    key, other = (await central.key())["key"], (await central.key())["key"]
    await on_air(central, key)
    await central.not_ready()
    central.clock.forward(GRACE_S + 1)
    look = streams.overdue

    async def late(*args: Any, **options: Any) -> Any:
        seen = await look(*args, **options)
        looked.set()
        await asyncio.wait_for(done.wait(), 10)
        return seen

    looked, done = asyncio.Event(), asyncio.Event()
    monkeypatch.setattr(streams, "overdue", late)
    once = asyncio.create_task(central.services.media.interruptions.once())
    await looked.wait()
    again = await on_air(central, key, connection="c2")
    await central.not_ready(connection="c2")
    done.set()
    await once
    assert (await told(central, again))["status"] == "active"
    assert (await central.auth(other, PATH, "c3"))["code"] == "path_in_use"
