"""The library in a bucket of a real S3 server: sent there in parts, resumed, checked, played from there, and gone."""

from __future__ import annotations

import asyncio
import hashlib
import os
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from aiobotocore.session import get_session
from aiohttp import ClientSession
from yarl import URL

from central.core.errors import LibraryUnavailableError, StorageFullError
from central.core.ids import new_id
from central.core.types import Caller, Role
from central.library import bucket, parts
from central.library import s3 as s3_client
from central.library.bucket import Bucket
from central.library.disk import Disk
from central.library.models import VideoBody
from central.library.s3 import S3, connected
from central.library.scratch import Scratch
from central.library.settings import S3Settings
from tests.central.library.conftest import CHECK_S, ServedShelf, Shelf, sha256
from tests.central.support.process import central_process
from tests.central.support.s3 import ACCESS_KEY, SECRET_KEY, S3Server
from tests.central.support.service import Answered, Client, served
from tests.support.clips import Clips
from tests.support.leaks import LeakCheck
from tests.support.tools import LOOK_EVERY_S

DAY_S = 24 * 3600
LEAST = 5 * parts.MEBIBYTE
"""The smallest part that S3 takes."""


@pytest.fixture(scope="module")
def server(leaks: LeakCheck) -> Iterator[S3Server]:
    made = S3Server()
    leaks.own_pids(lambda: made.pids)
    yield made
    made.close()


@pytest.fixture(scope="module", autouse=True)
def _one_session() -> Iterator[None]:
    """Have the description of S3 read once: that takes as long as a test."""
    session = get_session()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(s3_client, "get_session", lambda: session)
        yield


@pytest.fixture
def section(server: S3Server) -> dict[str, Any]:
    """The settings of a new bucket."""
    keys = {"access_key": ACCESS_KEY, "secret_key": SECRET_KEY}
    return {"bucket": f"cast-{uuid4()}", "url": server.url, "prefix": "library/"} | keys


@pytest.fixture
async def s3(section: dict[str, Any]) -> AsyncIterator[S3]:
    """A client of the tests' own, with that bucket."""
    async with connected(S3Settings.model_validate(section)) as made:
        await made.ask("create_bucket")
        yield made


@dataclass
class BucketShelf(ServedShelf):
    """Its folder is for copies, and its videos are in the bucket."""

    s3: S3

    async def plan(self, video_id: str) -> Answered:
        return await self.admin("GET", f"/api/v1/videos/{video_id}/upload")

    async def send(self, video_id: str, data: bytes, *numbers: int) -> None:
        """Those of the missing parts, or all of them."""
        for part in (await self.plan(video_id))["parts"]:
            if not numbers or part["number"] in numbers:
                await send(part, data)

    async def objects(self) -> set[str]:
        """The names of what is in the bucket, and of the videos that are on their way there."""
        found = (await self.s3.ask("list_objects_v2")).get("Contents", ())
        begun = (await self.s3.ask("list_multipart_uploads", Prefix="library/")).get("Uploads", ())
        return {each["Key"] for each in (*found, *begun)}

    async def emptied(self) -> None:
        """Returns once nothing is in the bucket, and no copy here: a state is told a moment before."""
        async with asyncio.timeout(CHECK_S):
            while await self.objects() or [path for path in self.folder.rglob("*") if path.is_file()]:
                await asyncio.sleep(LOOK_EVERY_S)


@asynccontextmanager
async def on_bucket(
    database_url: str, folder: Path, section: dict[str, Any], s3: S3, *, workers: int = 0
) -> AsyncIterator[BucketShelf]:
    async with served(database_url, library={"dir": str(folder), "workers": workers}, s3=section) as central:
        yield BucketShelf(central.admin, folder, central, s3)


@pytest.fixture
async def shelf(sqlite_url: str, tmp_path: Path, section: dict[str, Any], s3: S3) -> AsyncIterator[BucketShelf]:
    async with on_bucket(sqlite_url, tmp_path / "library", section, s3) as made:
        yield made


@pytest.fixture
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts, "LEAST", LEAST)


def padded(film: bytes, size: int) -> bytes:
    """The film with a box at its end that says nothing, so that it has so many bytes."""
    room = size - len(film)
    return film + room.to_bytes(4, "big") + b"free" + bytes(room - 8)


async def send(part: dict[str, Any], data: bytes) -> None:
    """As whoever has the address does: with nothing else."""
    body = data[part["offset"] :][: part["size"]]
    async with ClientSession() as anybody, anybody.put(URL(part["url"], encoded=True), data=BytesIO(body)) as answer:
        assert answer.status == 200, await answer.text()


async def test_a_film_goes_to_the_bucket_and_comes_from_there(
    sqlite_url: str,
    tmp_path: Path,
    section: dict[str, Any],
    s3: S3,
    server: S3Server,
    clips: Clips,
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """In parts of any order, of which a service that is killed loses none and none may be missing; the box gets it from
    the server itself, and central has the poster. No address is in a log. Once it is deleted, nothing is left, there or
    here."""
    size, folder = parts.LEAST, tmp_path / "library"
    film = padded(clips.film_mp4().read_bytes(), size + 1000)
    environ = {f"CAST_CENTRAL_S3__{name.upper()}": value for name, value in section.items()}
    environ |= {"CAST_CENTRAL_LIBRARY__DIR": str(folder), "API_SECRET": "a-secret-of-the-tests"}
    with central_process(sqlite_url, **environ) as process:
        async with ClientSession(process.url) as session:
            admin = Client(session, "a-secret-of-the-tests")
            video_id = (await Shelf(admin, folder).reserve(film, sha256=sha256(film)))["id"]
            plan = await admin("GET", f"/api/v1/videos/{video_id}/upload")
            bounds = [(part["number"], part["offset"], part["size"]) for part in plan["parts"]]
            assert bounds == [(1, 0, size), (2, size, 1000)]
            assert (plan["at_once"], plan["received"]) == (4, 0)
            assert datetime.fromisoformat(plan["expires_at"]) > datetime.now(UTC)
            if server.is_real:
                with pytest.raises(AssertionError, match="SignatureDoesNotMatch"):
                    await send(plan["parts"][1], film[:-1])
            await send(plan["parts"][1], film)
        process.end(signal.SIGKILL)
        assert "X-Amz-Signature" not in process.text()
    async with on_bucket(sqlite_url, folder, section, s3, workers=1) as shelf:
        early = await shelf.complete(video_id)
        assert (early.status, early["code"]) == (409, "upload_incomplete")
        assert (await shelf.get(video_id))["received"] == 1000
        behind = await shelf.put(video_id, b"x", 1000)
        assert (behind.status, behind["code"]) == (409, "wrong_offset")
        [left] = (await shelf.plan(video_id))["parts"]
        assert left["number"] == 1
        await send(left, film)
        assert (await shelf.complete(video_id)).status == 202
        ready = await shelf.end_of_check(video_id)
        assert (ready["state"], ready["sha256"], ready["duration"]) == ("ready", sha256(film), 10.0)
        source = await (await shelf.central.box())("GET", f"/api/v1/videos/{video_id}/source")
        assert (source["path"], source["sha256"]) == (None, sha256(film))
        async with ClientSession() as player:
            part = {"Range": "bytes=1000-1999"}
            async with player.get(URL(source["url"], encoded=True), headers=part) as answer:
                assert (answer.status, answer.content_type, await answer.read()) == (206, "video/mp4", film[1000:2000])
            if server.is_real:
                async with player.get(URL(source["url"][:-1] + "x", encoded=True)) as answer:
                    assert answer.status == 403
        async with asyncio.timeout(CHECK_S):
            while (await shelf.get(video_id))["poster"] is None:
                await asyncio.sleep(LOOK_EVERY_S)
        key = {"Authorization": f"Bearer {shelf.admin.token}"}
        async with shelf.central.session.get(f"/api/v1/videos/{video_id}/poster", headers=key) as poster:
            assert (await poster.read()).startswith(b"\xff\xd8")
        folders = {name.rpartition("/")[0] for name in await shelf.objects()}
        assert folders == {"library/videos", f"library/renditions/{video_id}"}
        assert (await shelf.admin("DELETE", f"/api/v1/videos/{video_id}")).status == 204
        assert await shelf.objects() == set()
        await shelf.emptied()
    printed = capfd.readouterr()
    assert "X-Amz-Signature" not in printed.out + printed.err + caplog.text


async def test_what_is_wrong_in_the_bucket_is_said(shelf: BucketShelf, s3: S3, clips: Clips) -> None:
    """Bytes of another hash, an upload that somebody ended, and an object that somebody deleted, before its check and
    after it."""
    film = clips.film_mp4().read_bytes()
    wrong = (await shelf.reserve(film, sha256="0" * 64))["id"]
    await shelf.send(wrong, film)
    await shelf.complete(wrong)
    assert "another SHA-256" in (await shelf.end_of_check(wrong))["problem"]
    await shelf.emptied()
    ended = (await shelf.reserve(film))["id"]
    await shelf.send(ended, film)
    [upload] = (await s3.ask("list_multipart_uploads", Prefix="library/"))["Uploads"]
    await s3.ask("abort_multipart_upload", Key=upload["Key"], UploadId=upload["UploadId"])
    assert (await shelf.complete(ended))["code"] == "upload_incomplete"
    await shelf.send(ended, film)
    await shelf.complete(ended)
    assert (await shelf.end_of_check(ended))["state"] == "ready"
    await s3.ask("delete_object", Key=f"library/videos/{ended}")
    storage = shelf.central.services.library.sources._storage
    with pytest.raises(FileNotFoundError):
        async with storage.local(ended, len(film)):
            pass
    assert (await shelf.admin("DELETE", f"/api/v1/videos/{ended}")).status == 204


async def test_bytes_come_through_this_service_too(
    small_parts: None, shelf: BucketShelf, clips: Clips, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As they come to the folder: from where the last whole part ended, and never more than was reserved. So do
    recordings of live streams, which are files of this machine."""
    data = os.urandom(LEAST + 1000)
    video_id = (await shelf.reserve(data))["id"]
    assert (await shelf.put(video_id, BytesIO(data[: LEAST + 10])))["received"] == LEAST
    wrong = await shelf.put(video_id, b"x", LEAST + 10)
    assert (wrong.status, wrong["code"]) == (409, "wrong_offset")
    assert f"?offset={LEAST}," in wrong["detail"]
    over = await shelf.put(video_id, data[LEAST:] + b"x", LEAST)
    assert (over.status, over["code"]) == (413, "payload_too_large")
    with monkeypatch.context() as busy:
        busy.setattr(bucket, "RECEIVED_AT_ONCE", 0)
        assert (await shelf.put(video_id, data[LEAST:], LEAST))["code"] == "overloaded"
    assert (await shelf.put(video_id, data[LEAST:], LEAST))["received"] == len(data)
    assert (await shelf.complete(video_id)).status == 202
    recording, owner = (
        VideoBody(title="Live", type="video/mp4", size=clips.film_mp4().stat().st_size),
        Caller(Role.ADMIN),
    )
    with clips.film_mp4().open("rb") as file:
        await shelf.central.services.library.imports.take(owner, recorded := new_id(), recording, file)
    assert (await shelf.end_of_check(recorded))["state"] == "ready"


async def test_what_nobody_goes_on_with_leaves_the_bucket(shelf: BucketShelf, server: S3Server) -> None:
    """An upload after a day, also one whose video nobody knows; one that goes on stays."""
    upkeep, clock = shelf.central.services.library.upkeep, shelf.central.clock
    abandoned = (await shelf.reserve(b"xx"))["id"]
    unknown = str(uuid4())
    await shelf.s3.ask("create_multipart_upload", Key=f"library/videos/{unknown}")
    await shelf.s3.ask("create_multipart_upload", Key=f"library/renditions/{unknown}/{unknown}")
    clock.forward(DAY_S - 60)
    await upkeep.once()
    assert len(await shelf.objects()) == (3 if server.is_real else 1)
    clock.forward(120)
    going_on = (await shelf.reserve(b"xx"))["id"]
    await upkeep.once()
    assert await shelf.objects() == {f"library/videos/{going_on}"}
    assert (await shelf.get(abandoned)).status == 404


async def test_a_bucket_that_is_away_stops_uploads_alone(
    sqlite_url: str, tmp_path: Path, section: dict[str, Any], s3: S3
) -> None:
    """They are told what to do, lists go on, and /health says so."""
    async with on_bucket(sqlite_url, tmp_path / "library", section, s3) as shelf:
        video_id = (await shelf.reserve(b"xx"))["id"]
    async with on_bucket(sqlite_url, tmp_path / "library", section | {"url": "http://127.0.0.1:1"}, s3) as shelf:
        for answer in await asyncio.gather(shelf.reserve(b"xx"), shelf.plan(video_id), shelf.complete(video_id)):
            assert (answer.status, answer["code"]) == (503, "library_unavailable")
            assert "http://127.0.0.1:1 does not answer" in answer["detail"]
        [listed] = (await shelf.admin("GET", "/api/v1/videos"))["items"]
        assert (listed["id"], listed["received"]) == (video_id, 0)
        health = await shelf.central.anybody("GET", "/health")
        assert "library_bucket" in health["workers"]["detail"]


async def test_what_is_wrong_in_the_settings_is_said(section: dict[str, Any], server: S3Server) -> None:
    """A bucket that is not there, and a secret that is not the server's, whatever is asked."""
    async with connected(S3Settings.model_validate(section)) as client:
        with pytest.raises(LibraryUnavailableError, match=r"There is no bucket cast-.* in the section \[s3\]"):
            await client.require_bucket()
        with pytest.raises(LibraryUnavailableError, match="There is no bucket"):
            await client.ask("list_objects_v2")
    if server.is_real:
        async with connected(S3Settings.model_validate(section | {"secret_key": "wrong"})) as client:
            with pytest.raises(LibraryUnavailableError, match=r"SignatureDoesNotMatch.* Check access_key, secret_key"):
                await client.ask("list_objects_v2")


async def test_a_rendition_goes_there_in_parts_and_comes_back(small_parts: None, s3: S3, tmp_path: Path) -> None:
    """Whole, and gone with its video."""
    disk = Disk(tmp_path, keep_free=0)
    storage = Bucket(s3, Scratch(disk), prefix="library/", now=lambda: datetime.now(UTC))
    video_id, rendition_id, made = str(uuid4()), str(uuid4()), tmp_path / "made"
    made.write_bytes(os.urandom(2 * LEAST + 1))
    await storage.keep(video_id, rendition_id, made)
    read = hashlib.sha256()
    async for piece in (await storage.reply(video_id, rendition_id, "video/mp4")).chunks:
        read.update(piece)
    assert read.hexdigest() == sha256(made.read_bytes())
    await storage.delete(video_id)
    assert not (await s3.ask("list_objects_v2")).get("Contents")


def test_copies_are_bounded_and_swept_after_a_crash(tmp_path: Path) -> None:
    """One that somebody looks at stays."""
    scratch = Scratch(Disk(tmp_path, keep_free=0))
    with pytest.raises(StorageFullError, match="has room for"):
        scratch.begin(10**15)
    file = scratch.begin(1000)
    assert Path(file.name).stat().st_blocks > 0
    (left := tmp_path / "scratch" / "left").touch()
    for path in (left, Path(file.name)):
        os.utime(path, (1, 1))
    (tmp_path / "scratch" / "young").touch()
    scratch.sweep()
    assert {path.name for path in (tmp_path / "scratch").iterdir()} == {Path(file.name).name, "young"}
    scratch.end(file)
    with pytest.raises(LibraryUnavailableError):
        Scratch(Disk(None, keep_free=0)).begin(1)


async def test_a_file_of_this_machine_is_imported_into_the_bucket(shelf: BucketShelf, clips: Clips) -> None:
    """Such as a recording; once more changes nothing."""
    film, video_id = clips.film_mp4(), new_id()
    body = VideoBody(title="A recording", type="video/mp4", size=film.stat().st_size)
    for _ in range(2):
        with film.open("rb") as file:
            await shelf.central.services.library.imports.take(Caller(Role.ADMIN, name="a key"), video_id, body, file)
    found = await shelf.end_of_check(video_id)
    assert (found["state"], found["sha256"]) == ("ready", sha256(film.read_bytes()))
    assert f"library/videos/{video_id}" in await shelf.objects()
