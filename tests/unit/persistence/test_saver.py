"""The wanted sessions, over restarts: real files, scripted players."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from agent.casting.announcer import BY_PLAYER
from agent.casting.limits import Check, Limits, any_url
from agent.casting.parts import SessionParts
from agent.casting.tracker import StreamTracker
from agent.errors import FileAwayError, InvalidRequestError
from agent.events.bus import EventBus
from agent.page_options import PageOptions
from agent.persistence import saver as saver_module
from agent.persistence import session_file as wanted_module
from agent.persistence.saver import Saver
from agent.persistence.session_file import FILE, SAFE_FILE, SET_ASIDE
from agent.types import ErrorCode, MediaType, PlayerState, SessionChange, SessionId, ShownAs, StartRequest
from cast_wire.kinds import EventKind
from tests.support.fakes import FakePlayers, FakeScreen, FakeStage
from tests.support.tools import SOON_S, until


@dataclass
class Box:
    """One life of an agent, as far as the saver sees it."""

    tracker: StreamTracker
    saver: Saver
    players: FakePlayers
    bus: EventBus
    screen: FakeScreen

    def on(self) -> str | None:
        stream = self.tracker.snapshot().stream
        return None if stream is None else stream.url

    async def until(self, condition: Callable[[], object], timeout_s: float = 5.0) -> None:
        await until(condition, timeout_s=timeout_s)

    async def play(self, url: str, **fields: object) -> SessionId:
        session_id = self.tracker.start(StartRequest(url=url, **fields))  # type: ignore[arg-type]
        assert await self.tracker.first_frame(session_id, 5.0) is not None
        return session_id


@asynccontextmanager
async def life(folder: Path, *, crash: bool = True, check: Check = any_url) -> AsyncIterator[Box]:
    """The life of an agent, from its start to its end, which is a crash unless the test says otherwise."""
    players, bus = FakePlayers(), EventBus()
    tracker = StreamTracker(
        SessionParts(players, FakeStage(players), lambda url: url, check=check),
        limits=Limits(15.0, 5.0),
        seed=1,
        emit=bus.publish,
    )
    screen = FakeScreen(bus.publish)
    saver = Saver(tracker, screen, bus=bus, folder=folder, restore=True)
    await saver.start()
    try:
        yield Box(tracker, saver, players, bus, screen)
    finally:
        if crash:  # what was not written until now never is
            tasks, saver._tasks = saver._tasks, []
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        await saver.stop()
        await tracker.close()


def written(folder: Path, name: str = FILE) -> dict[str, object]:
    file = folder / name
    return json.loads(file.read_text()) if file.exists() else {"sessions": []}


def sessions(folder: Path, name: str = FILE) -> list[dict[str, object]]:
    return written(folder, name)["sessions"]  # type: ignore[return-value]


async def test_a_screen_that_was_switched_off_is_off_after_a_restart(tmp_path: Path) -> None:
    async with life(tmp_path) as box:
        await box.screen.switch(False)
        await box.saver.kept()
    async with life(tmp_path) as box:
        assert box.screen.is_off
        await box.screen.switch(True)
        await box.saver.kept()
    async with life(tmp_path) as box:
        assert not box.screen.is_off


async def test_a_page_is_restored_as_a_page(tmp_path: Path) -> None:
    async with life(tmp_path) as box:
        await box.play("http://film/wall", shown_as=ShownAs.PAGE, page=PageOptions(zoom=2.0, dark=True))
        await box.saver.kept()
    async with life(tmp_path) as box:
        await box.until(lambda: box.on() is not None)
        [request] = [saved.request for saved in box.tracker.saved()]
        assert (request.kind, request.page) == (MediaType.WEB, PageOptions(zoom=2.0, dark=True))


async def test_the_film_comes_back(tmp_path: Path) -> None:
    """After a crash the same session is on again, at its position, with what was left of its duration."""
    async with life(tmp_path) as box:
        session_id = await box.play("http://film/?secret", duration=100.0, title="Film", volume=0.4)
        await box.until(lambda: [s["remaining"] for s in sessions(tmp_path)] != [None])
        await box.until(lambda: sessions(tmp_path) and sessions(tmp_path)[0]["remaining"])
        assert (tmp_path / FILE).stat().st_mode & 0o777 == 0o600, "it holds the URL with its credentials"
    async with life(tmp_path) as box:
        stream = box.tracker.snapshot().stream
        assert stream is not None
        assert (stream.session_id, stream.title, stream.volume_level) == (session_id, "Film", 0.4)
        await box.until(lambda: box.tracker.snapshot().on_screen)
        assert 90 < (box.tracker.saved()[0].remaining or 0.0) < 100


async def test_what_waits_comes_back_too(tmp_path: Path) -> None:
    """The stack is restored as it was: the top is on, and when it ends the film below is."""
    async with life(tmp_path) as box:
        film = await box.play("http://film/")
        bell = await box.play("http://radio/", interrupt=True)
        await box.until(lambda: len(sessions(tmp_path)) == 2)
    async with life(tmp_path) as box:
        await box.until(lambda: box.tracker.snapshot().on_screen)
        snapshot = box.tracker.snapshot()
        assert snapshot.on_screen is not None
        assert snapshot.on_screen.session_id == bell
        assert [s.session_id for s in snapshot.interrupted] == [film]
        await box.tracker.stop()
        await box.until(lambda: (s := box.tracker.snapshot().on_screen) and s.session_id == film)


async def test_a_stop_is_not_undone(tmp_path: Path) -> None:
    """A session that was stopped, or had ended, stays away after a restart."""
    async with life(tmp_path) as box:
        await box.play("http://film/")
        await box.until(lambda: sessions(tmp_path))
        await box.tracker.stop()
        await box.until(lambda: not sessions(tmp_path))
    async with life(tmp_path) as box:
        assert box.on() is None


async def test_a_restart_of_the_service_keeps_what_is_on(tmp_path: Path) -> None:
    """An orderly end of the agent is no stop: the film comes back."""
    async with life(tmp_path, crash=False) as box:
        await box.play("http://film/")
    async with life(tmp_path) as box:
        assert box.on() == "http://film/"


async def test_a_writer_that_fails_holds_nobody_up_and_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever stops the writer, callers have their answer at once, the failure is told, and the writer tries again."""
    monkeypatch.setattr(saver_module, "KEPT_TIMEOUT_S", 10 * SOON_S)
    async with life(tmp_path) as box:
        with monkeypatch.context() as broken:
            broken.setattr(box.tracker, "saved", _fails)
            for level in (0.1, 0.2, 0.3):  # the first finds it well, the others find it failed, or started anew
                await box.tracker.set_volume(level, False)
                async with asyncio.timeout(SOON_S):
                    await box.saver.kept()
            assert "saver" in box.saver._supervisor.failing
        await box.until(lambda: (tmp_path / FILE).exists())
        assert written(tmp_path)["volume"] == {"level": 0.3, "muted": False}


async def test_what_a_failed_writer_had_before_it_is_written_without_another_change(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is started anew within a second, and does not wait for the time of the positions then."""
    async with life(tmp_path) as box:
        with monkeypatch.context() as broken:
            broken.setattr(box.tracker, "saved", _fails)
            await box.tracker.set_volume(0.3, False)
            await box.until(lambda: box.saver._supervisor.is_paused(saver_module.WRITER))
        await box.until(lambda: (tmp_path / FILE).exists())
        assert written(tmp_path)["volume"] == {"level": 0.3, "muted": False}


async def test_a_disk_that_hangs_is_told_of_until_it_answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A write that does not return is no error, so nothing fails; all the same it is known, and health can say it."""
    monkeypatch.setattr(saver_module, "KEPT_TIMEOUT_S", 0.1)
    async with life(tmp_path) as box:
        goes_on = threading.Event()
        write = wanted_module.WantedFile.write

        def hang(self: wanted_module.WantedFile, kept: wanted_module.Kept) -> None:
            goes_on.wait(10)
            write(self, kept)

        monkeypatch.setattr(wanted_module.WantedFile, "write", hang)
        await box.tracker.set_volume(0.3, True)
        await box.saver.kept()
        assert box.saver.not_written == "its disk does not answer"
        goes_on.set()
        await box.until(lambda: box.saver.not_written == "")


def _fails() -> None:
    raise RuntimeError("a mistake")


async def test_a_file_that_cannot_be_read_for_whatever_reason_is_no_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The box plays what comes next, and keeps that."""
    monkeypatch.setattr(wanted_module.WantedFiles, "read", lambda self: _fails())
    async with life(tmp_path) as box:
        await box.play("http://film/")
        await box.until(lambda: sessions(tmp_path))


async def test_what_a_player_does_by_itself_wears_no_card_out(tmp_path: Path) -> None:
    """A camera that stands and goes on each second changes nothing of what is wanted; a pause does."""
    async with life(tmp_path) as box:
        film = await box.play("http://film/")
        await box.saver.kept()
        changes = box.saver._changes
        box.bus.publish(EventKind.PLAYBACK_CHANGED, film, state="buffering", **BY_PLAYER)
        box.bus.publish(EventKind.DISPLAY_CHANGED, available=True)
        assert box.saver._changes == changes
        await box.tracker.pause(True)
        assert box.saver._changes > changes


async def test_the_volume_is_kept(tmp_path: Path) -> None:
    """The volume of the device outlives a restart, also when nothing is on."""
    async with life(tmp_path) as box:
        await box.tracker.set_volume(0.3, True)
        await box.until(lambda: (tmp_path / FILE).exists())
    async with life(tmp_path) as box:
        assert (box.tracker.volume.level, box.tracker.volume.muted) == (0.3, True)


NEWER = (
    b'{"version":2,"written_at":1800000000.0,"restores":0,"volume":{"level":1.0,"muted":false},"sessions":[],'
    b'"screens":[]}'
)
"""The file of a later version."""


@pytest.mark.parametrize(
    "content", [b"", b"{", b"\xff\xfe", b"\0" * 400, b"[]", b'{"version": 99}', NEWER, b"x" * 300_000]
)
async def test_a_torn_or_foreign_file_is_set_aside(tmp_path: Path, content: bytes) -> None:
    """Nothing that is on the disk keeps the agent from starting, and it is kept for whoever wants to see it."""
    (tmp_path / FILE).write_bytes(content)
    async with life(tmp_path) as box:
        assert box.on() is None
        assert (tmp_path / (FILE + SET_ASIDE)).read_bytes() == content


@pytest.mark.parametrize("torn", [b"", b'{"version":1,"num', b"\0" * 200])
async def test_a_power_cut_may_tear_the_newest_file(tmp_path: Path, torn: bytes) -> None:
    """The other file was on the disk for certain, and brings back what was on."""
    async with life(tmp_path) as box:
        film = await box.play("http://film/")
        await box.until(lambda: (tmp_path / SAFE_FILE).exists() and sessions(tmp_path, SAFE_FILE))
    (tmp_path / FILE).write_bytes(torn)
    async with life(tmp_path) as box:
        stream = box.tracker.snapshot().stream
        assert stream is not None
        assert stream.session_id == film
        assert (tmp_path / (FILE + SET_ASIDE)).read_bytes() == torn
    async with life(tmp_path) as box:
        assert box.on() == "http://film/", "the count of writes goes on, or the older file would win"


@pytest.mark.parametrize("older", [FILE, SAFE_FILE])
async def test_the_later_of_both_files_counts(tmp_path: Path, older: str) -> None:
    """The later one counts, whichever of the two a power cut has left behind, even if the clock was set back between
    their writes."""
    async with life(tmp_path) as box:
        await box.play("http://film/")
        await box.until(lambda: (tmp_path / SAFE_FILE).exists() and sessions(tmp_path, SAFE_FILE))
    content = json.loads((tmp_path / FILE).read_text())
    (tmp_path / older).write_text(
        json.dumps(content | {"sessions": [], "number": content["number"] - 1, "written_at": content["written_at"] + 9})
    )
    async with life(tmp_path) as box:
        assert box.on() == "http://film/"


async def test_a_folder_in_place_of_the_file(tmp_path: Path) -> None:
    """It is set aside like anything that is not ours."""
    (tmp_path / FILE).mkdir()
    async with life(tmp_path) as box:
        assert box.on() is None
        await box.play("http://film/")
        await box.until(lambda: (tmp_path / FILE).is_file())


async def test_what_is_paused_comes_back_paused(tmp_path: Path) -> None:
    """The film is on the screen again, at its position, and stands still until it is resumed; so it is below others."""
    async with life(tmp_path) as box:
        film = await box.play("http://film/")
        await box.tracker.pause(True)
        bell = await box.play("http://film/bell", interrupt=True)
        await box.tracker.pause(True)
        await box.saver.kept()
        assert [s["paused"] for s in sessions(tmp_path)] == [True, True]
    async with life(tmp_path) as box:
        for session_id in (bell, film):
            await box.until(lambda: box.players.players and box.players.players[-1].commands == ["pause"])
            stream, player = box.tracker.snapshot().on_screen, box.players.players[-1]
            assert stream is not None
            assert (stream.session_id, stream.state) == (session_id, PlayerState.PAUSED)
            assert not player.sound, "not a sound of it while it is paused"
            await box.tracker.pause(False)
            assert player.commands == ["pause", "resume"]
            assert player.sound
            await box.tracker.stop()


async def test_a_poisonous_stream_is_given_up(tmp_path: Path) -> None:
    """After three restores in a row that did not get far, the fourth start leaves it alone."""
    async with life(tmp_path) as box:
        await box.play("http://film/")
        await box.until(lambda: sessions(tmp_path))
    for tries in (1, 2, 3):
        async with life(tmp_path) as box:
            assert box.on() == "http://film/"
            assert written(tmp_path)["restores"] == tries
    async with life(tmp_path) as box:
        assert box.on() is None


async def test_a_restore_that_got_far_is_forgiven(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Three power cuts in a month do not give up the film."""
    monkeypatch.setattr(saver_module, "STABLE_AFTER_S", 0.05)
    async with life(tmp_path) as box:
        await box.play("http://film/")
        await box.until(lambda: sessions(tmp_path))
    for _ in range(5):
        async with life(tmp_path) as box:
            assert box.on() == "http://film/"
            await box.until(lambda: written(tmp_path)["restores"] == 0)


async def test_one_that_expired_meanwhile_stays_away(tmp_path: Path) -> None:
    """A duration goes on while the box is off."""
    async with life(tmp_path) as box:
        await box.play("http://film/", duration=30.0)
        await box.until(lambda: sessions(tmp_path) and sessions(tmp_path)[0]["expires_at"])
    change(tmp_path, expires_at=time.time() - 1, written_at=time.time() - 60)
    async with life(tmp_path) as box:
        assert box.on() is None


async def test_a_clock_that_is_set_later(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A box that wakes in the past plays what was left; once its clock is set the true end counts."""
    monkeypatch.setattr(saver_module, "CLOCK_LOOK_S", 0.02)
    async with life(tmp_path) as box:
        await box.play("http://film/", duration=30.0)
        await box.until(lambda: sessions(tmp_path) and sessions(tmp_path)[0]["expires_at"])
    change(tmp_path, expires_at=time.time() + 1000.0, written_at=time.time() + 990.0)
    async with life(tmp_path) as box:
        assert box.on() == "http://film/", "29 s were left, and the clock is known to be wrong"
        real = time.time
        monkeypatch.setattr(time, "time", lambda: real() + 2000.0)
        await box.until(lambda: box.on() is None)


async def test_a_clock_that_is_set_right_before_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once the clock is set, what is left is counted to the true end."""
    monkeypatch.setattr(saver_module, "CLOCK_LOOK_S", 0.02)
    async with life(tmp_path) as box:
        await box.play("http://film/", duration=3000.0)
        await box.until(lambda: sessions(tmp_path) and sessions(tmp_path)[0]["expires_at"])
    change(tmp_path, expires_at=time.time() + 13_000.0, written_at=time.time() + 10_000.0)
    async with life(tmp_path) as box:
        assert left_of(box) == pytest.approx(3000, abs=20)
        real = time.time
        monkeypatch.setattr(time, "time", lambda: real() + 12_000.0)
        await box.until(lambda: left_of(box) == pytest.approx(1000, abs=20))


async def test_a_clock_that_is_set_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It gives nothing more time than it had when it was kept."""
    monkeypatch.setattr(saver_module, "CLOCK_LOOK_S", 0.02)
    async with life(tmp_path) as box:
        await box.play("http://film/", duration=3000.0)
        await box.until(lambda: sessions(tmp_path) and sessions(tmp_path)[0]["expires_at"])
    change(tmp_path, expires_at=time.time() + 1000.0, written_at=time.time() - 2000.0)
    async with life(tmp_path) as box:
        assert left_of(box) == pytest.approx(1000, abs=20)
        real = time.time
        monkeypatch.setattr(time, "time", lambda: real() - 10_000.0)
        await asyncio.sleep(0.2)  # ten looks at the clock
        assert left_of(box) <= 3000


async def test_a_box_whose_clock_was_never_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A time that was written in 1970 says nothing about the moment of the end: the time that was left then counts,
    also after the clock was set."""
    real = time.time
    with monkeypatch.context() as unset:
        unset.setattr(time, "time", lambda: real() - 1_700_000_000.0)
        async with life(tmp_path) as box:
            await box.play("http://film/", duration=3000.0)
            await box.until(lambda: sessions(tmp_path) and sessions(tmp_path)[0]["remaining"])
            assert sessions(tmp_path)[0]["expires_at"] is None
        async with life(tmp_path) as box:
            assert left_of(box) == pytest.approx(3000, abs=20)
    async with life(tmp_path) as box:
        assert left_of(box) == pytest.approx(3000, abs=20)


async def test_a_clock_that_is_not_set_keeps_what_is_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two power cuts without a network in between: what is written meanwhile is not taken for the true time."""
    async with life(tmp_path) as box:
        await box.play("http://film/", duration=3000.0)
        await box.until(lambda: sessions(tmp_path) and sessions(tmp_path)[0]["expires_at"])
    before = written(tmp_path)["written_at"]
    real = time.time
    with monkeypatch.context() as unset:
        unset.setattr(time, "time", lambda: real() - 86_400.0)
        async with life(tmp_path) as box:
            await box.tracker.set_volume(0.5, None)
            await box.saver.kept()
            assert sessions(tmp_path)[0]["expires_at"] is None
            assert written(tmp_path)["written_at"] == before


async def test_a_share_that_is_not_there_yet(tmp_path: Path) -> None:
    """The box is up before the disk of the network is: the film is tried again until it is there."""
    away = True

    async def check(url: str) -> str:
        if away:
            raise FileAwayError("There is no such file.")
        return url

    async with life(tmp_path) as box:
        film = await box.play("http://film/")
        await box.until(lambda: sessions(tmp_path))
    async with life(tmp_path, check=check) as box:
        await box.until(lambda: (s := box.tracker.snapshot().stream) and s.attempt > 1)
        stream = box.tracker.snapshot().stream
        assert stream is not None
        assert stream.error is not None
        assert (stream.session_id, stream.error.code) == (film, ErrorCode.MEDIA_NOT_FOUND)
        away = False
        await box.until(lambda: box.tracker.snapshot().on_screen and box.players.alive)


async def test_a_url_that_is_not_allowed_any_more(tmp_path: Path) -> None:
    """The policy for addresses is asked again: the configuration may have become stricter."""

    async def refuse(url: str) -> str:
        raise InvalidRequestError("not any more")

    async with life(tmp_path) as box:
        await box.play("http://film/")
        await box.until(lambda: sessions(tmp_path))
    async with life(tmp_path, check=refuse) as box:
        await box.until(lambda: box.on() is None)
        last = box.tracker.snapshot().last
        assert last is not None
        assert last.error is not None
        assert last.error.code is ErrorCode.MEDIA_FORBIDDEN
        assert not box.players.players, "no player has seen it"


async def test_a_disk_that_is_full_does_not_matter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Playing goes on when nothing can be written, and is kept once it can."""

    def full(file: Path, text: str, *, durable: bool) -> None:
        raise OSError(28, "No space left on device")

    async with life(tmp_path) as box:
        with monkeypatch.context() as disk:
            disk.setattr(wanted_module, "write_whole", full)
            await box.play("http://film/")
            await asyncio.sleep(2 * saver_module.COALESCE_S)  # a write was tried, and what it tells is over
            assert box.on() == "http://film/"
            assert not sessions(tmp_path)
        await box.play("http://radio/")
        await box.until(lambda: [s["url"] for s in sessions(tmp_path)] == ["http://radio/"])


async def test_a_system_without_threads_keeps_no_agent_from_starting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The session comes back, and is stored again once there are threads."""

    async def no_thread(_work: Callable[[], object], *, name: str) -> None:
        raise RuntimeError(f"can't start new thread for {name}")

    async with life(tmp_path) as box:
        await box.play("http://film/")
        await box.until(lambda: sessions(tmp_path, SAFE_FILE))
    reads = Saver._read

    async def read_and_no_more(saver: Saver) -> object:
        kept = await reads(saver)
        threads.setattr(saver_module, "in_thread", no_thread)
        return kept

    with monkeypatch.context() as threads:
        threads.setattr(Saver, "_read", read_and_no_more)
        async with life(tmp_path, crash=False) as box:
            await box.until(lambda: box.on() == "http://film/")
            assert "can't start new thread" in box.saver.not_written


def left_of(box: Box) -> float:
    """The seconds that are left of the duration of what is on."""
    return box.tracker.saved()[0].remaining or 0.0


def change(folder: Path, *, expires_at: float, written_at: float) -> None:
    for file in (folder / FILE, folder / SAFE_FILE):
        if file.exists():
            content = json.loads(file.read_text())
            content["written_at"] = written_at
            content["sessions"][0]["expires_at"] = expires_at
            file.write_text(json.dumps(content))


async def test_a_disk_that_cannot_be_written_does_not_keep_it_from_starting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A card that became read-only while the box was off: the agent starts, and the film is on again."""

    def read_only(file: Path, text: str, *, durable: bool) -> None:
        raise OSError(30, "Read-only file system")

    async with life(tmp_path) as box:
        await box.play("http://film/")
        await box.until(lambda: sessions(tmp_path))
    with monkeypatch.context() as disk:
        disk.setattr(wanted_module, "write_whole", read_only)
        async with life(tmp_path) as box:
            assert box.on() == "http://film/"


async def test_a_start_that_was_not_shown_yet_is_a_start_again(tmp_path: Path) -> None:
    """The film that was on comes back, and the start over it is tried as any start: with its duration, and not for
    ever."""
    async with life(tmp_path) as box:
        film = await box.play("http://film/")
        started = box.tracker.start(StartRequest(url="http://slow/", duration=50.0))
        await box.until(lambda: len(sessions(tmp_path)) == 2)
    async with life(tmp_path) as box:
        stream = box.tracker.snapshot().stream
        assert stream is not None
        assert (stream.session_id, stream.session_state) == (started, "pending")
        await box.until(lambda: (s := box.tracker.snapshot().on_screen) and s.session_id == film)
        shown = await box.tracker.first_frame(started, 8.0)
        assert shown is not None
        assert shown.expires_at is not None


async def test_a_long_url_is_kept(tmp_path: Path) -> None:
    """The longest URL there is, percent-encoded, does not end the keeping."""
    async with life(tmp_path) as box:
        await box.play("http://film/?" + "%E4" * 2000)
        await box.until(lambda: sessions(tmp_path))
        await box.play("http://radio/")
        await box.until(lambda: [s["url"] for s in sessions(tmp_path)] == ["http://radio/"])


async def test_a_new_duration_outlives_a_jump_of_the_clock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The duration that was set since the restart counts, not the one stored before it."""
    monkeypatch.setattr(saver_module, "CLOCK_LOOK_S", 0.02)
    async with life(tmp_path) as box:
        await box.play("http://film/", duration=30.0)
        await box.until(lambda: sessions(tmp_path) and sessions(tmp_path)[0]["expires_at"])
    async with life(tmp_path) as box:
        await box.until(lambda: box.tracker.snapshot().on_screen)
        session = box.tracker.saved()[0]
        box.tracker.change(session.session_id, SessionChange(duration=7200.0))
        real = time.time
        monkeypatch.setattr(time, "time", lambda: real() + 3600.0)
        await asyncio.sleep(0.2)  # ten looks at the clock
        assert (box.tracker.saved()[0].remaining or 0.0) > 7000
