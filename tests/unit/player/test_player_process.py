"""One player process from the daemon's side: real processes, scripted to misbehave."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import textwrap
from collections.abc import AsyncIterator

import pytest
from structlog.testing import capture_logs

from agent.errors import PlayerTimeoutError, PlayerUnavailableError
from agent.player import child as process
from agent.player.base import KillReason, Media
from agent.player.ipc_client import WorkerPlayer
from agent.player.spawn import worker_environment
from agent.player.tally import Tally
from agent.types import MediaType, Quality
from tests.support.tools import until

MEDIA = Media("http://127.0.0.1/film.mp4", Quality.AUTO, 1.0, False)


def command(way: str) -> list[str]:
    return [sys.executable, "-m", "tests.support.scripted_player", way]


def is_running(pid: int) -> bool:
    """False for a zombie too, but a zombie child of ours is a failure of its own: see `is_reaped`."""
    try:
        with open(f"/proc/{pid}/stat") as stat:
            return stat.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def is_reaped(pid: int) -> bool:
    return not os.path.exists(f"/proc/{pid}")


@pytest.fixture
async def player() -> AsyncIterator[WorkerPlayer]:
    player = await WorkerPlayer.spawn(command("behaves"), environment=os.environ)
    yield player
    await player.kill(KillReason.ENDED)
    assert is_reaped(player.pid)


async def test_it_says_hello_and_opens(player: WorkerPlayer) -> None:
    """A player that behaves says who it is, opens what it is given, and takes the sound."""
    assert (player.engine, player.version, player.features) == ("scripted", "1.0", {"rtsp": False})
    await player.load(MEDIA, 1)
    assert (await player.opened()).media_type is MediaType.VIDEO
    await player.set_sound(True)
    await player.set_volume(0.5, False)


async def test_a_killed_process_ends_every_wait(player: WorkerPlayer) -> None:
    """Whoever waits for a player that is killed from outside is told which signal it was."""
    waiting = asyncio.create_task(player.finished())
    await asyncio.sleep(0)
    os.kill(player.pid, signal.SIGKILL)
    with pytest.raises(PlayerUnavailableError, match="SIGKILL"):
        await waiting
    with pytest.raises(PlayerUnavailableError, match="SIGKILL"):
        await player.set_sound(True)


async def test_a_hang_is_noticed(player: WorkerPlayer, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stopped process does not answer pings, and whoever waits is told that it hangs."""
    monkeypatch.setattr(process, "PING_AFTER_S", 0.2)
    monkeypatch.setattr(process, "PONG_TIMEOUT_S", 0.3)
    os.kill(player.pid, signal.SIGSTOP)
    with pytest.raises(PlayerTimeoutError, match="hung"):
        await asyncio.wait_for(player.opened(), 5)


@pytest.mark.parametrize(
    ("sent", "why"),
    [(signal.SIGSTOP, KillReason.HUNG), (signal.SIGKILL, KillReason.DIED), (signal.SIGCONT, KillReason.STALLED)],
)
async def test_its_end_is_counted(sent: signal.Signals, why: KillReason, monkeypatch: pytest.MonkeyPatch) -> None:
    """The end is counted once, with its pictures; what has become of the process comes before the reason that others
    have."""
    monkeypatch.setattr(process, "PING_AFTER_S", 0.2)
    monkeypatch.setattr(process, "PONG_TIMEOUT_S", 0.3)
    tally = Tally()
    player = await WorkerPlayer.spawn(command("behaves"), environment=os.environ, tally=tally)
    await player.load(MEDIA, 1)
    await player.opened()
    async with asyncio.timeout(5):
        while not tally.totals.pictures:
            await asyncio.sleep(0.01)
    os.kill(player.pid, sent)
    if sent is not signal.SIGCONT:
        async with asyncio.timeout(5):
            await player.gone()
    await player.kill(KillReason.STALLED)
    await player.kill(KillReason.ENDED)
    totals = tally.totals
    assert {why: count for why, count in totals.killed.items() if count} == {why: 1}
    assert (totals.pictures, totals.lost) == (25, 2)


async def test_pings_keep_a_silent_player(player: WorkerPlayer, monkeypatch: pytest.MonkeyPatch) -> None:
    """A player that has nothing to report is asked, answers, and lives."""
    monkeypatch.setattr(process, "PING_AFTER_S", 0.05)
    monkeypatch.setattr(process, "PONG_TIMEOUT_S", 1.0)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(player.gone(), 3.0)  # the first interval is still the old one
    assert is_running(player.pid)


async def test_nonsense_ends_it() -> None:
    """A process that speaks another language is as good as gone."""
    tally = Tally()
    player = await WorkerPlayer.spawn(command("talks-nonsense"), environment=os.environ, tally=tally)
    try:
        await player.load(MEDIA, 1)
        with pytest.raises(PlayerUnavailableError, match="invalid message") as gone:
            await asyncio.wait_for(player.opened(), 5)
        assert "hunter2" not in str(gone.value)
    finally:
        await player.kill(KillReason.ENDED)
    assert tally.totals.killed[KillReason.UNFIT] == 1


async def test_it_does_not_start() -> None:
    """The last words of the process are the reason that a person is told."""
    with pytest.raises(PlayerUnavailableError, match="no libVLC here"):
        await WorkerPlayer.spawn(command("exits"), environment=os.environ)
    with pytest.raises(PlayerUnavailableError, match="cannot be started"):
        await WorkerPlayer.spawn(["/nonexistent/player"], environment=os.environ)


async def test_its_last_words_hold_no_credentials() -> None:
    """An address in what it said last is told without its user, password and token, to people and to the log."""
    with capture_logs() as logged, pytest.raises(PlayerUnavailableError, match=r"cannot open .*cam\.local") as died:
        await WorkerPlayer.spawn(command("exits-with-an-address"), environment=os.environ)
    for said in (str(died.value), str(logged)):
        assert "cam.local/live" in said
        assert "hunter2" not in said
        assert "tok5ecret" not in said


async def test_it_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process without a hello is ended after a while."""
    monkeypatch.setattr(process, "HELLO_TIMEOUT_S", 0.5)
    with pytest.raises(PlayerUnavailableError, match="sent nothing"):
        await WorkerPlayer.spawn(command("never-says-hello"), environment=os.environ)


async def test_no_orphan_after_the_daemon_was_killed() -> None:
    """A daemon that dies by SIGKILL takes its players along."""
    daemon = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        textwrap.dedent(
            f"""
            import asyncio, os
            from agent.player.ipc_client import WorkerPlayer
            async def main():
                player = await WorkerPlayer.spawn({command("behaves")!r}, environment=os.environ)
                print(player.pid, flush=True)
                await asyncio.sleep(60)
            asyncio.run(main())
            """
        ),
        stdout=asyncio.subprocess.PIPE,
    )
    assert daemon.stdout is not None
    pid = int(await asyncio.wait_for(daemon.stdout.readline(), 20))
    assert is_running(pid)
    daemon.kill()
    await daemon.wait()
    await until(lambda: not is_running(pid), timeout_s=2.0, what="the player to end with its daemon")


def test_players_do_not_get_our_settings() -> None:
    """The environment of a player holds no setting of ours, which may be a secret."""
    environment = worker_environment(":7", base={"CAST_AGENT_CENTRAL__TOKEN": "secret", "HOME": "/root"})
    assert environment["DISPLAY"] == ":7"
    assert environment["HOME"] == "/root"
    assert "secret" not in environment.values()
