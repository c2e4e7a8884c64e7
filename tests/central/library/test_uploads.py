"""Uploads: resumed after a cut, a silence and a restart; never more than was reserved; gone when they are abandoned."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from aiohttp import ClientError

from cast_http import server
from central.core.errors import LibraryUnavailableError
from central.core.http import body
from central.core.types import Role
from central.library import folder, parts, repository
from central.library.disk import Disk
from central.library.folder import Folder
from tests.central.library.conftest import ServedShelf, Shelf, sha256
from tests.central.support.service import Answered, Client, served
from tests.support.clips import Clips

DAY_S = 24 * 3600


async def _slowly(*pieces: bytes, go_on: asyncio.Event) -> AsyncIterator[bytes]:
    """The first piece at once, each other one when the event is set, and the end at the next time."""
    for piece in pieces:
        yield piece
        await go_on.wait()
        go_on.clear()


async def _begun(shelf: ServedShelf, video_id: str, body: AsyncIterator[bytes]) -> asyncio.Task[Answered]:
    """An upload whose first piece is on the disk."""
    sending = asyncio.create_task(shelf.put(video_id, body))
    while not (await shelf.get(video_id))["received"]:
        assert not sending.done()
    return sending


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Write each piece as it comes, and do not wait for a refused body."""
    monkeypatch.setattr(folder, "PIECE", 1)
    monkeypatch.setattr(server, "LINGER_S", 0.05)


async def test_an_upload_goes_on_where_it_was_cut(at_once: None, shelf: ServedShelf, clips: Clips) -> None:
    """In pieces, from a connection that broke and those that follow, until the film is ready."""
    film = clips.film_mp4().read_bytes()
    made = await shelf.reserve(film, sha256=sha256(film), title="Film")
    video_id, rest = made["id"], len(film) - 1000
    sending = await _begun(shelf, video_id, _slowly(film[:100_000], go_on=asyncio.Event()))
    assert (await shelf.complete(video_id))["code"] == "upload_in_use"
    sending.cancel()
    with pytest.raises((asyncio.CancelledError, ClientError)):
        await sending
    while (early := await shelf.complete(video_id))["code"] == "upload_in_use":
        await asyncio.sleep(0)
    assert (early.status, early["code"]) == (409, "upload_incomplete")
    received = (await shelf.get(video_id))["received"]
    assert f"?offset={received}" in early["detail"]
    assert (await shelf.put(video_id, film[received:rest], received))["received"] == rest
    for offset in (rest - 1, rest + 1):
        wrong = await shelf.put(video_id, film[offset:], offset)
        assert (wrong.status, wrong["code"]) == (409, "wrong_offset")
    over = await shelf.put(video_id, film[rest:] + b"x", rest)
    assert (over.status, over["code"]) == (413, "payload_too_large")
    assert (await shelf.put(video_id, film[rest:], rest))["received"] == len(film)
    done = await shelf.complete(video_id)
    assert (done.status, done["state"]) == (202, "checking")
    ready = await shelf.end_of_check(video_id)
    assert ready.body | {"updated_at": None} == made.body | {
        "updated_at": None,
        "state": "ready",
        "received": len(film),
        "duration": 10.0,
        "width": 640,
        "height": 360,
        "video_codec": "h264",
        "audio_codec": "aac",
    }
    assert (await shelf.complete(video_id))["state"] == "ready"
    late = await shelf.put(video_id, b"", len(film))
    assert (late.status, late["code"]) == (409, "wrong_state")
    assert shelf.folder.joinpath(video_id).read_bytes() == film


async def test_a_plan_leads_from_any_byte_to_the_last(shelf: ServedShelf, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sent as it says, part by part, with few of them in an answer: no byte is missing, and none is sent twice."""
    monkeypatch.setattr(parts, "LEAST", parts.MEBIBYTE)
    monkeypatch.setattr(folder, "TOLD", 2)
    data = os.urandom(3 * parts.MEBIBYTE + 5)
    video_id = (await shelf.reserve(data))["id"]
    await shelf.put(video_id, data[:10])
    sent = []
    while (plan := (await shelf.admin("GET", f"/api/v1/videos/{video_id}/upload")))["parts"]:
        assert (plan["part_size"], plan["at_once"], plan["expires_at"]) == (parts.MEBIBYTE, 1, None)
        for part in plan["parts"]:
            sent.append((part["number"], part["offset"], part["size"]))
            there = await shelf.admin("PUT", part["url"], data=data[part["offset"] :][: part["size"]])
            assert there["received"] == part["offset"] + part["size"]
    size = parts.MEBIBYTE
    assert sent == [(1, 10, size - 10), (2, size, size), (3, 2 * size, size), (4, 3 * size, 5)]
    assert plan["received"] == len(data)
    assert shelf.folder.joinpath(video_id).read_bytes() == data
    await shelf.complete(video_id)
    closed = await shelf.admin("GET", f"/api/v1/videos/{video_id}/upload")
    assert (closed.status, closed["code"]) == (409, "wrong_state")


@pytest.mark.parametrize("size", [1, parts.LEAST, parts.LEAST + 1, 20 * 10**9, 10**12])
def test_the_parts_of_every_size_are_few_and_whole(size: int) -> None:
    """Up to the largest that can be reserved; as small as they may be."""
    found = list(parts.bounds(size))
    assert len(found) <= parts.NUMBER_LIMIT
    assert [number for number, _, _ in found] == list(range(1, len(found) + 1))
    assert sum(each for _, _, each in found) == size
    assert all(each == parts.part_size(size) for _, _, each in found[:-1])
    assert parts.part_size(size) == parts.LEAST or len(found) > parts.NUMBER_LIMIT * 0.98


async def test_what_comes_without_a_length_is_bounded_too(sqlite_shelf: ServedShelf) -> None:
    """Nothing beyond what was reserved is written."""
    made = await sqlite_shelf.reserve(b"x" * 10)
    over = asyncio.Event()
    over.set()
    answer = await sqlite_shelf.put(made["id"], _slowly(b"x" * 11, go_on=over))
    assert (answer.status, answer["code"]) == (413, "payload_too_large")
    assert (await sqlite_shelf.get(made["id"]))["received"] == 0


async def test_one_connection_at_a_time_sends_a_video(
    at_once: None, sqlite_shelf: ServedShelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another is told so; one that says nothing is given up, and what it sent stays."""
    shelf, go_on = sqlite_shelf, asyncio.Event()
    made = await shelf.reserve(b"x" * 10)
    sending = await _begun(shelf, made["id"], _slowly(b"abc", b"d", b"never", go_on=go_on))
    assert (await shelf.put(made["id"], b"def"))["code"] == "upload_in_use"
    monkeypatch.setattr(body, "SILENCE_S", 0.05)
    go_on.set()
    assert (await sending).status == 408
    assert (await shelf.put(made["id"], b"ef", 4))["received"] == 6


async def test_bytes_that_changed_on_the_way_are_not_taken(sqlite_shelf: ServedShelf) -> None:
    """By the hash that was reserved; nothing is left of them."""
    failed = await sqlite_shelf.checked(b"changed", sha256=sha256(b"CHANGED"))
    assert failed["state"] == "failed"
    assert "another SHA-256" in failed["problem"]
    assert sqlite_shelf.files() == set()


async def test_a_restart_loses_nothing(sqlite_url: str, tmp_path: Path, clips: Clips) -> None:
    """Half an upload, and one that waits to be checked while nobody checks."""
    settings = {"dir": str(tmp_path / "library")}
    film = clips.film_mp4().read_bytes()
    async with AsyncExitStack() as beside, served(sqlite_url, library=settings) as central:
        shelf = Shelf(central.admin, tmp_path / "library")
        half = (await shelf.reserve(film))["id"]
        await shelf.put(half, film[:1000])
        waiting = (await shelf.reserve(film))["id"]
        await shelf.put(waiting, film)
        other = Folder(Disk(shelf.folder, keep_free=0))
        await beside.enter_async_context(other.held(waiting))  # as another instance does that checks it
        checking = {"state": "checking"}
        await central.services.database.write(lambda session: repository.change(session, waiting, checking))
        central.services.library.checking.wake()
        assert (await shelf.get(waiting))["state"] == "checking"
    async with served(sqlite_url, library=settings) as central:
        shelf = Shelf(central.admin, tmp_path / "library")
        assert (await shelf.put(half, film[1000:], 1000))["received"] == len(film)
        assert (await shelf.end_of_check(waiting))["state"] == "ready"


async def test_what_nobody_goes_on_with_is_removed(shelf: ServedShelf) -> None:
    """An upload after a day, what failed after a week; what is ready stays, and so does an upload that goes on."""
    upkeep, clock = shelf.central.services.library.upkeep, shelf.central.clock
    failed = (await shelf.checked(b"no film"))["id"]
    abandoned = (await shelf.reserve(b"xx"))["id"]
    os.utime(shelf.folder / abandoned, (clock().timestamp(),) * 2)
    going_on = (await shelf.reserve(b"xx"))["id"]
    clock.forward(DAY_S - 1)
    await shelf.put(going_on, b"x")
    clock.forward(2)
    await upkeep.once()
    assert shelf.files() == {going_on}
    assert (await shelf.get(abandoned)).status == 404
    assert (await shelf.get(failed))["state"] == "failed"
    (shelf.folder / failed).touch()  # as after a crash between the state and the file
    (made := shelf.folder / "renditions" / failed).mkdir(parents=True)
    clock.forward(7 * DAY_S)
    await upkeep.once()
    assert not made.exists()
    assert [(await shelf.get(video_id)).status for video_id in (failed, going_on)] == [404, 404]
    assert shelf.files() == set()


async def test_an_upload_that_took_more_than_a_day_goes_on(sqlite_shelf: ServedShelf) -> None:
    """Its last bytes count, and not when their connection began."""
    upkeep, clock = sqlite_shelf.central.services.library.upkeep, sqlite_shelf.central.clock
    video_id = (await sqlite_shelf.reserve(b"xx"))["id"]
    await sqlite_shelf.put(video_id, b"x")
    clock.forward(DAY_S + 1)
    last = clock().timestamp() - 1
    os.utime(sqlite_shelf.folder / video_id, (last, last))
    await upkeep.once()
    assert (await sqlite_shelf.put(video_id, b"x", 1))["received"] == 2


async def test_a_disk_that_is_not_mounted_loses_nothing(sqlite_shelf: ServedShelf, clips: Clips) -> None:
    """A video that waits for its check waits on, and one that is due to be removed stays, until the videos are there
    again."""
    upkeep, checking = sqlite_shelf.central.services.library.upkeep, sqlite_shelf.central.services.library.checking
    film = clips.film_mp4().read_bytes()
    abandoned = (await sqlite_shelf.reserve(b"xx"))["id"]
    waiting = (await sqlite_shelf.reserve(film))["id"]
    await sqlite_shelf.put(waiting, film)
    elsewhere = sqlite_shelf.folder.rename(sqlite_shelf.folder.with_name("unmounted"))
    sqlite_shelf.folder.mkdir()
    values = {"state": "checking"}
    await sqlite_shelf.central.services.database.write(lambda session: repository.change(session, waiting, values))
    with pytest.raises(LibraryUnavailableError, match="Mount the disk"):
        await checking._one()
    sqlite_shelf.central.clock.forward(DAY_S + 1)
    with pytest.raises(LibraryUnavailableError, match="Mount the disk"):
        await upkeep.once()
    assert (await sqlite_shelf.admin("DELETE", f"/api/v1/videos/{waiting}")).status == 503
    assert [(await sqlite_shelf.get(each))["state"] for each in (abandoned, waiting)] == ["uploading", "checking"]
    sqlite_shelf.folder.rmdir()
    elsewhere.rename(sqlite_shelf.folder)
    checking.wake()
    assert (await sqlite_shelf.end_of_check(waiting))["state"] == "ready"


async def test_a_quota_counts_what_is_being_reserved_at_the_same_moment(database_url: str, tmp_path: Path) -> None:
    """On both databases: of ten that ask at once for a fifth each, five get it."""
    folder = tmp_path / "library"
    async with served(database_url, library={"dir": str(folder), "quota": 0.01}) as central:
        shelf = Shelf(central.admin, folder)
        uploader = Client(central.session, await central.services.access.add_key("u", Role.UPLOADER))
        asked = await asyncio.gather(*(shelf.reserve(b"", by=uploader, size=2_000_000) for _ in range(10)))
        assert sorted(answer.status for answer in asked) == [201] * 5 + [409] * 5
        assert len(shelf.files()) == 5
