"""Jobs, with a scripted step: each is done once, whoever is killed, and none is left without an owner."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from central.core.errors import ConfigError, LibraryUnavailableError
from central.core.types import Role
from central.library import repository
from central.library.disk import Disk
from central.library.folder import Folder
from central.library.probe import Flaw
from central.library.working import PAUSE_S, TRIES, Assignment, Made, Working
from central.library.workshop import Workshop
from central.settings import Settings
from central.worker import run_worker
from tests.central.library.conftest import ServedShelf
from tests.central.support.service import Client

Script = Callable[[Assignment], Awaitable[object]]


class Scripted:
    """Makes a small file, after what the script does."""

    def __init__(self, script: Script | None = None) -> None:
        self.script = script
        self.begun: list[str] = []

    async def make(self, task: Assignment) -> Made:
        self.begun.append(task.job.id)
        if self.script is not None:
            await self.script(task)
        file = task.folder / "made"
        file.write_bytes(b"made under " + task.lease_id.encode())
        return Made(file, 2, 2)


def worker(shelf: ServedShelf, maker: Scripted, *, lease_s: float = 30.0) -> Working:
    disk = Disk(shelf.folder, keep_free=0)
    folder = Folder(disk)
    database, now = shelf.central.services.database, shelf.central.clock
    return Working(database, folder, Workshop(disk, folder), maker, name="test", now=now, lease_s=lease_s)


async def film(shelf: ServedShelf, by: Client | None = None, state: str = "ready") -> str:
    """A video in that state without a look at its bytes."""
    made = await shelf.reserve(b"x", by=by)
    values = {"state": state, "sha256": "0" * 64}
    await shelf.central.services.database.write(lambda session: repository.change(session, made["id"], values))
    return str(made["id"])


async def job(shelf: ServedShelf, kind: str = "720p", video_id: str | None = None) -> str:
    path = f"/api/v1/videos/{video_id or await film(shelf)}/jobs"
    made = await shelf.admin("POST", path, {"kind": kind})
    assert made.status == 201, made.body
    return str(made["id"])


async def jobs(shelf: ServedShelf, query: str = "", by: Client | None = None) -> list[dict[str, object]]:
    answer = await (by or shelf.admin)("GET", f"/api/v1/jobs?{query}")
    assert answer.status == 200, answer.body
    return list(answer["items"])


async def test_each_job_is_done_once_by_many_workers(shelf: ServedShelf) -> None:
    """On both databases, and posters before what takes long."""
    makers = [Scripted() for _ in range(4)]
    workers = [worker(shelf, maker) for maker in makers]
    video_id = await film(shelf)
    slow = [await job(shelf, kind, video_id) for kind in ("480p", "720p", "1080p")]
    again = await shelf.admin("POST", f"/api/v1/videos/{video_id}/jobs", {"kind": "480p"})
    assert (again.status, again["id"]) == (200, slow[0])
    quick = await job(shelf, "poster", video_id)
    assert await workers[0]._one()
    assert makers[0].begun == [quick]

    async def all_of_them(working: Working) -> None:
        while await working._one():
            pass

    await asyncio.gather(*(all_of_them(working) for working in workers))
    begun = [each for maker in makers for each in maker.begun]
    assert sorted(begun) == sorted([quick, *slow])
    assert [each["state"] for each in await jobs(shelf, f"video_id={video_id}")] == ["done"] * 4
    video = await shelf.get(video_id)
    assert {each["kind"] for each in video["renditions"]} == {"480p", "720p", "1080p"}
    assert (await shelf.admin("GET", video["poster"])).headers["Content-Type"] == "image/jpeg"
    refused = await shelf.admin("POST", f"/api/v1/videos/{video_id}/jobs", {"kind": "480p"})
    assert (refused.status, refused["code"]) == (409, "wrong_state")
    assert len(list((shelf.folder / "renditions" / video_id).iterdir())) == 4
    assert (await shelf.admin("DELETE", f"/api/v1/videos/{video_id}")).status == 204
    assert await jobs(shelf) == []
    assert not (shelf.folder / "renditions" / video_id).exists()


async def test_a_job_whose_worker_fell_silent_is_done_by_the_next(shelf: ServedShelf) -> None:
    """And what the first makes of it after all is thrown away."""
    go_on, begun = asyncio.Event(), asyncio.Event()

    async def stuck(_task: Assignment) -> None:
        begun.set()
        await go_on.wait()

    video_id = await film(shelf)
    job_id = await job(shelf, video_id=video_id)
    late = asyncio.create_task(worker(shelf, Scripted(stuck))._one())
    await begun.wait()
    second = worker(shelf, Scripted())
    assert not await second._one(), "it is taken"
    shelf.central.clock.forward(31)
    assert await second._one()
    [rendition] = (await shelf.get(video_id))["renditions"]
    go_on.set()
    assert await late
    assert (await shelf.get(video_id))["renditions"] == [rendition]
    [done] = await jobs(shelf)
    assert (done["id"], done["state"], done["tries"], done["progress"]) == (job_id, "done", 2, 1.0)
    assert len(list((shelf.folder / "renditions" / video_id).iterdir())) == 1
    assert list((shelf.folder / "work").iterdir()) == []


async def test_a_job_that_ends_its_worker_is_tried_three_times(sqlite_shelf: ServedShelf) -> None:
    """With pauses; what cannot be done now for another reason counts for nothing, what never can is told at once."""

    async def fail(_task: Assignment) -> None:
        raise error

    shelf, error = sqlite_shelf, RuntimeError("killed")
    working = worker(shelf, Scripted(fail))
    await job(shelf)
    for _ in range(TRIES):
        with pytest.raises(RuntimeError, match="killed"):
            await working._one()
        assert not await working._one(), "there is a pause"
        shelf.central.clock.forward(PAUSE_S)
    assert await working._one()
    [failed] = await jobs(shelf, "state=failed")
    assert "begun 3 times and not ended" in str(failed["problem"])

    error = LibraryUnavailableError("no ffmpeg")  # type: ignore[assignment]
    await job(shelf)
    with pytest.raises(LibraryUnavailableError):
        await working._one()
    [waiting] = await jobs(shelf, "state=queued")
    assert (waiting["tries"], waiting["problem"]) == (0, "no ffmpeg")
    shelf.central.clock.forward(PAUSE_S)
    error = Flaw("It is damaged.")  # type: ignore[assignment]
    assert await working._one()
    assert [each["problem"] for each in await jobs(shelf, "state=failed")] == ["It is damaged.", failed["problem"]]


async def test_a_worker_that_stops_gives_its_job_back(sqlite_shelf: ServedShelf) -> None:
    """At once, and it counts as no try; nothing is left of it."""
    shelf, begun = sqlite_shelf, asyncio.Event()

    async def endless(_task: Assignment) -> None:
        begun.set()
        await asyncio.Event().wait()

    await job(shelf)
    working = asyncio.create_task(worker(shelf, Scripted(endless))._one())
    await begun.wait()
    working.cancel()
    await asyncio.gather(working, return_exceptions=True)
    [waiting] = await jobs(shelf)
    assert (waiting["state"], waiting["tries"]) == ("queued", 0)
    assert list((shelf.folder / "work").iterdir()) == []
    assert await worker(shelf, Scripted())._one()


async def test_a_job_is_cancelled_and_tells_how_far_it_is(sqlite_shelf: ServedShelf) -> None:
    """A worker that has it ends with its next heartbeat; boxes that wait for it are told that it failed."""
    shelf, told = sqlite_shelf, asyncio.Event()

    async def half(task: Assignment) -> None:
        task.progress = 0.5
        told.set()
        await asyncio.Event().wait()

    video_id = await film(shelf, state="transcoding")
    assert (await shelf.admin("POST", f"/api/v1/videos/{video_id}/jobs", {"kind": "480p"})).status == 409
    values = {"state": "ready"}
    await shelf.central.services.database.write(lambda session: repository.change(session, video_id, values))
    job_id = await job(shelf, "1080p", video_id)
    values = {"state": "transcoding"}
    await shelf.central.services.database.write(lambda session: repository.change(session, video_id, values))
    working = asyncio.create_task(worker(shelf, Scripted(half), lease_s=0.06)._one())
    await told.wait()
    while not (await jobs(shelf))[0]["progress"]:
        await asyncio.sleep(0.01)
    assert (await jobs(shelf))[0]["progress"] == 0.5
    assert [(await shelf.admin("DELETE", f"/api/v1/jobs/{job_id}")).status for _ in range(2)] == [204, 204]
    assert await working
    assert (await jobs(shelf))[0]["state"] == "cancelled"
    failed = await shelf.get(video_id)
    assert (failed["state"], failed["problem"]) == ("failed", "It was cancelled.")
    assert shelf.files() == set()


async def test_an_upload_key_has_jobs_for_its_own_videos(sqlite_shelf: ServedShelf) -> None:
    """Of others it sees none and cancels none, and what has ended is not cancelled."""
    shelf, central = sqlite_shelf, sqlite_shelf.central
    uploader = Client(central.session, await central.services.access.add_key("camera", Role.UPLOADER))
    other, video_id = await job(shelf), await film(shelf, by=uploader)
    mine = await uploader("POST", f"/api/v1/videos/{video_id}/jobs", {"kind": "720p"})
    assert mine.status == 201
    assert [each["id"] for each in await jobs(shelf, by=uploader)] == [mine["id"]]
    assert [each["id"] for each in await jobs(shelf)] == [mine["id"], other]
    assert [each["id"] for each in await jobs(shelf, f"state=queued&video_id={video_id}")] == [mine["id"]]
    refused = await uploader("DELETE", f"/api/v1/jobs/{other}")
    assert (refused.status, refused["code"]) == (404, "job_not_found")
    assert await worker(shelf, Scripted())._one()
    ended = await shelf.admin("DELETE", f"/api/v1/jobs/{other}")
    assert (ended.status, ended["code"]) == (409, "wrong_state")
    assert (await uploader("DELETE", f"/api/v1/jobs/{mine['id']}")).status == 204
    unfinished = await shelf.reserve(b"x")
    path = f"/api/v1/videos/{unfinished['id']}/jobs"
    assert (await shelf.admin("POST", path, {"kind": "720p"}))["code"] == "wrong_state"
    assert (await shelf.admin("GET", f"/api/v1/videos/{unfinished['id']}/poster")).status == 404


async def test_a_worker_that_could_do_nothing_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before it waits for anything."""
    with pytest.raises(ConfigError, match="workers in the section"):
        await run_worker(Settings.model_validate({"library": {"workers": 0}}))
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(LibraryUnavailableError, match="apt install ffmpeg"):
        await run_worker(Settings())


async def test_what_a_killed_worker_left_is_swept(shelf: ServedShelf) -> None:
    """Whichever step was its last; what somebody works on stays, and so does what was made."""
    begun, upkeep = asyncio.Event(), shelf.central.services.library.upkeep

    async def endless(_task: Assignment) -> None:
        begun.set()
        await asyncio.Event().wait()

    video_id = await film(shelf)
    await job(shelf, "poster", video_id)
    assert await worker(shelf, Scripted())._one()
    [done] = (shelf.folder / "renditions" / video_id).iterdir()
    disk = Disk(shelf.folder, keep_free=0)
    storage = Folder(disk)
    workshop = Workshop(disk, storage)
    await workshop.begin(video_id, done.name)  # killed before it could say that all is well
    lost = await workshop.begin(video_id, video_id) / "made"  # killed before the database knew; an id is an id
    lost.touch()
    await storage.keep(video_id, video_id, lost)
    await job(shelf, "720p", video_id)
    working = asyncio.create_task(worker(shelf, Scripted(endless))._one())
    await begun.wait()
    await upkeep.once()
    assert list((shelf.folder / "renditions" / video_id).iterdir()) == [done]
    assert len(list((shelf.folder / "work").iterdir())) == 1
    working.cancel()
    await asyncio.gather(working, return_exceptions=True)
    shelf.central.clock.forward(31 * 24 * 3600)
    await upkeep.once()
    assert [each["state"] for each in await jobs(shelf)] == ["queued"]
