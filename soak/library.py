"""`python -m soak.library --jobs 1000 --seed 7`: jobs of the library while its workers and the central API are killed
at random; then each job is done, once, and nothing else is left.

The workers are real ones but for the step itself, which writes a few bytes, and for the lease, which is shorter.
Exit code 0 when no job was stuck, doubled or failed, 1 when one was, 2 when it could not be gone through with.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final

from aiohttp import ClientError, ClientSession
from sqlalchemy import select

from central.core.db.clock import DatabaseClock
from central.core.db.engine import Database
from central.core.ids import new_id
from central.core.log import configure
from central.core.settings import BrokerSettings, CacheSettings, DatabaseSettings, LogSettings
from central.library.disk import Disk
from central.library.feature import JOBS
from central.library.folder import MARK, Folder
from central.library.tables import Job, Rendition, Video
from central.library.types import JobKind, JobState, VideoState
from central.library.upkeep import Upkeep
from central.library.working import Assignment, Made, Working
from central.library.workshop import Workshop
from central.servers import servers_of
from tests.central.support.postgres import PostgresServer
from tests.central.support.process import central_process
from tests.central.support.servers import RabbitServer, RedisServer, Server
from tests.reporting.support.kills import Killable, Span, kills

WORKERS: Final = 3
LEASE_S: Final = 2.0
STEP_S: Final = 0.05
"""The most that a job takes."""
UP, DOWN = Span(1.0, 4.0), Span(0.0, 0.5)
"""The spans for which a worker and the central API are up and down, from the moment at which they work or answer."""
CALL_S: Final = 60.0
"""The longest wait for the central API to answer: it is being killed all the time."""
PAUSE_S: Final = 0.05
STUCK_S: Final = 60.0
"""Without any job done, although nothing is killed any more."""
KINDS: Final = tuple(JobKind)


class Scripted:
    """Makes a file with the name of its lease in it, a little later."""

    async def make(self, task: Assignment) -> Made:
        await asyncio.sleep(random.uniform(0, STEP_S))  # noqa: S311 - no two workers need the same
        file = task.folder / "made"
        file.write_text(task.lease_id)
        return Made(file, 2, 2)


class WorkerProcess:
    """A worker in a process of its own, which is killed."""

    def __init__(self, url: str, folder: Path, broker: str) -> None:
        self._command = [sys.executable, "-m", "soak.library", "--work", url, str(folder), broker]
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Returns once it works."""
        self._process = subprocess.Popen(self._command, stdout=subprocess.PIPE)  # noqa: S603 - this file
        assert self._process.stdout is not None
        self._process.stdout.readline()

    def end(self, number: int = signal.SIGKILL) -> int:
        assert self._process is not None
        with self._process as process:
            process.send_signal(number)
            return process.wait(10)


async def work(url: str, folder: Path, broker: str) -> None:
    """Work like `cast-central worker` does, until this is killed. `broker` is empty where there is none."""
    configure(LogSettings(level="error"))
    database = Database(url)
    clock = DatabaseClock(database)
    await clock.adjust()
    disk, name = Disk(folder, keep_free=0), str(os.getpid())
    library = Folder(disk)
    workshop = Workshop(disk, library)
    working = Working(database, library, workshop, Scripted(), name=name, now=clock, lease_s=LEASE_S)
    servers = servers_of(CacheSettings(), BrokerSettings(url=broker or None))
    servers.wakes.join(JOBS, working.wake)
    print("works", flush=True)
    await asyncio.gather(working.run(), *(work() for work in servers.workers.values()))


def soak(url: str, folder: Path, options: argparse.Namespace) -> bool:
    """Run the soak. Return True if all went well. `url` is that of an empty database."""
    environ = {"CAST_CENTRAL_LIBRARY__DIR": str(folder), "CAST_CENTRAL_LIBRARY__WORKERS": "0"}
    dice, began = random.Random(options.seed), time.monotonic()  # noqa: S311 - it is printed
    folder.mkdir()
    (folder / MARK).touch()
    with ExitStack() as stack:
        servers, broker = _servers(stack, environ) if options.servers else ((), "")
        central = stack.enter_context(central_process(url, ahead_s=0.0, **environ))
        key = central.command("key", "add", "soak")
        database_url = str(DatabaseSettings(url=url).url)
        videos = asyncio.run(_videos(database_url, folder, -(-options.jobs // len(KINDS))))
        wanted = [(video, kind) for video in videos for kind in KINDS][: options.jobs]
        workers = [WorkerProcess(database_url, folder, broker) for _ in range(WORKERS)]
        for worker in workers:
            worker.start()
            stack.callback(worker.end)
        with ExitStack() as killing:
            programs: tuple[Killable, ...] = (central, *workers, *servers)
            killed = [
                killing.enter_context(kills(each, random.Random(dice.random()), up=UP, down=DOWN))  # noqa: S311
                for each in programs
            ]
            asyncio.run(_ask(central.url, key, wanted))
            states = _followed(database_url, options.jobs, until=options.jobs * 9 // 10)
        states = _followed(database_url, options.jobs, until=options.jobs)
    jobs, made = asyncio.run(_rows(database_url, folder))
    wrong = _wrong(folder, wanted, jobs, made)
    count = sum(each.count for each in killed)
    print(f"  {options.jobs} jobs in {time.monotonic() - began:.0f} s, {count} kills: {dict(states)}")
    for problem in wrong:
        print(f"  {problem}")
    return not wrong


def _servers(stack: ExitStack, environ: dict[str, str]) -> tuple[tuple[Server, ...], str]:
    """Redis and RabbitMQ until the end of the stack, and the address of the latter; the environment names both."""
    redis, rabbit = RedisServer(), RabbitServer()
    for server in (redis, rabbit):
        stack.callback(server.close)
        server.start()
    environ |= {"CAST_CENTRAL_CACHE__URL": redis.url, "CAST_CENTRAL_BROKER__URL": rabbit.url}
    return (redis, rabbit), rabbit.url


async def _ask(url: str, key: str, wanted: list[tuple[str, JobKind]]) -> None:
    """Each until it is answered: what was asked for twice is one job."""
    async with ClientSession(url, headers={"Authorization": f"Bearer {key}"}) as session:
        for video, kind in wanted:
            tries = 0
            while not await _is_taken(session, video, kind):
                tries += 1
                if tries * PAUSE_S > CALL_S:
                    raise TimeoutError(f"the central API did not take a job within {CALL_S:g} s")
                await asyncio.sleep(PAUSE_S)  # it is being started


async def _is_taken(session: ClientSession, video: str, kind: JobKind) -> bool:
    try:
        async with session.post(f"/api/v1/videos/{video}/jobs", json={"kind": kind}) as answer:
            said = await answer.text()
    except (ClientError, OSError):
        return False
    return answer.status in (200, 201) or (answer.status == 409 and "already" in said)


def _followed(url: str, jobs: int, *, until: int) -> Counter[str]:
    """The number of jobs in each state, once so many have ended, or none has for STUCK_S."""
    moved, last = time.monotonic(), -1
    while True:
        states = asyncio.run(_states(url))
        ended = sum(states.values()) - states[JobState.QUEUED] - states[JobState.RUNNING]
        if ended != last:
            moved, last = time.monotonic(), ended
        if ended >= until or time.monotonic() - moved > STUCK_S:
            return states
        print(f"  {ended} of {jobs} jobs have ended", flush=True)
        time.sleep(2.0)


async def _states(url: str) -> Counter[str]:
    async with Opened(url) as database, database.read() as session:
        return Counter((await session.scalars(select(Job.state))).all())


async def _videos(url: str, folder: Path, number: int) -> list[str]:
    """Films that are ready, of a byte each."""
    async with Opened(url) as database:
        now = DatabaseClock(database)()
        videos = [_film(now) for _ in range(number)]
        for video in videos:
            (folder / video.id).write_bytes(b"x")
        ids = [video.id for video in videos]
        await database.add(*videos)
        return ids


def _film(now: Any) -> Video:
    texts = {"title": "A film", "description": "", "tags": "\n", "words": "", "made_by": "soak"}
    return Video(
        id=new_id(), type="video/mp4", size=1, sha256="0" * 64, state=VideoState.READY, created_at=now, updated_at=now,
        **texts,
    )  # fmt: skip


async def _rows(url: str, folder: Path) -> tuple[Sequence[Job], Sequence[Rendition]]:
    """The rows that are left after a sweep of the remains of killed workers."""
    async with Opened(url) as database:
        disk, clock = Disk(folder, keep_free=0), DatabaseClock(database)
        library = Folder(disk)
        await clock.adjust()
        for _ in range(10):  # each sweeps a hundred
            await Upkeep(database, library, Workshop(disk, library), now=clock).once()
        async with database.read() as session:
            return (await session.scalars(select(Job))).all(), (await session.scalars(select(Rendition))).all()


def _wrong(
    folder: Path, wanted: list[tuple[str, JobKind]], jobs: Sequence[Job], made: Sequence[Rendition]
) -> list[str]:
    """The jobs and files that are stuck, doubled, lost or left over."""
    problems = [f"{job.kind} of {job.video_id} is {job.state}: {job.problem}" for job in jobs if job.state != "done"]
    for name, found in (("jobs", jobs), ("renditions", made)):
        number = Counter((each.video_id, JobKind(each.kind)) for each in found)
        problems += [f"{name}: {number[each]} of {each}" for each in wanted if number[each] != 1]
    files = {path: path.read_text() for path in folder.glob("renditions/*/*")}
    expected = {folder / "renditions" / each.video_id / each.id: each.id for each in made}
    problems += [f"is or says something else: {path}" for path in files.keys() | expected.keys()
                 if files.get(path) != expected.get(path)]  # fmt: skip
    return problems + [f"is left over: {path}" for path in folder.glob("work/*")]


class Opened:
    """A database for a moment: each step here has an event loop of its own."""

    def __init__(self, url: str) -> None:
        self._database = Database(url)

    async def __aenter__(self) -> Database:
        return self._database

    async def __aexit__(self, *_: object) -> None:
        await self._database.close()


def main() -> int:
    options = _options()
    configure(LogSettings(level="error"))
    if options.work:
        database_url, folder, broker = options.work
        asyncio.run(work(database_url, Path(folder), broker))
        return 0
    try:
        right = [_on(kind, options) for kind in options.database or ("sqlite", "postgres")]
    except (AssertionError, OSError, RuntimeError, subprocess.SubprocessError) as error:
        print(f"soak library: a program did not start or end in time: {error!r}", file=sys.stderr)
        return 2
    print("soak library: 0 stuck, 0 doubled" if all(right) else "soak library: something is wrong")
    return 0 if all(right) else 1


def _on(kind: str, options: argparse.Namespace) -> bool:
    """Run it on a new database of this kind; whether all went well."""
    print(f"soak library: {options.jobs} jobs on {kind}, --seed {options.seed}", flush=True)
    with tempfile.TemporaryDirectory(prefix="soak-library-") as name, ExitStack() as stack:
        url = f"sqlite:///{name}/central.db"
        if kind == "postgres":
            server = PostgresServer()
            stack.callback(server.close)
            server.start()
            server.sql("CREATE DATABASE central")
            url = server.url("central")
        return soak(url, Path(name) / "library", options)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m soak.library", description=__doc__)
    parser.add_argument("--jobs", type=int, default=1000, metavar="N")
    seed = random.randrange(100_000)  # noqa: S311 - it is printed
    parser.add_argument("--seed", type=int, default=seed, metavar="N", help="the same seed rolls the same dice")
    parser.add_argument("--database", choices=("sqlite", "postgres"), action="append", help="one alone")
    parser.add_argument("--servers", action="store_true", help="with Redis and RabbitMQ, which are killed, too")
    parser.add_argument("--work", nargs=3, metavar=("URL", "FOLDER", "BROKER"), help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
