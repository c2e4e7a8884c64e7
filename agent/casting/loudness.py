"""The volume of the device, and how players get it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import structlog

from agent.casting.runner import SessionRunner
from agent.casting.saved import Volume
from agent.casting.session import Session
from agent.errors import PlayerTimeoutError, PlayerUnavailableError
from agent.player.base import Player
from agent.types import SessionChange, StartRequest

log = structlog.get_logger(__name__)


class Loudness:
    """A player that hangs is seen to by its own watch, so nothing here fails because of one."""

    def __init__(self) -> None:
        self.device = Volume()
        self._tasks: set[asyncio.Task[None]] = set()
        """Volumes that are being set, for somebody who does not wait for it."""

    def of(self, request: StartRequest) -> Volume:
        """The volume for a start."""
        return self._with(request.volume, request.muted)

    def change(self, level: float | None, muted: bool | None) -> None:
        """Set the volume of the device; None leaves a part unchanged."""
        self.device = self._with(level, muted)

    async def set_all(self, runners: Sequence[SessionRunner], level: float | None, muted: bool | None) -> None:
        """Set the volume of these sessions, and of their players."""
        for runner in runners:
            runner.session.change(SessionChange(volume=level, muted=muted))
        players = [(runner.attempt.player, runner.session) for runner in runners if runner.attempt]
        await asyncio.gather(*(_set(player, session) for player, session in players if player))

    def apply(self, runner: SessionRunner) -> None:
        """Have its player take over the volume of the session, without waiting for it."""
        player = runner.attempt.player if runner.attempt else None
        if player is not None:
            task = asyncio.create_task(_set(player, runner.session), name=f"volume-{runner.session.id}")
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """Wait until the volume is set."""
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _with(self, level: float | None, muted: bool | None) -> Volume:
        now = self.device
        return Volume(now.level if level is None else level, now.muted if muted is None else muted)


async def _set(player: Player, session: Session) -> None:
    try:
        await player.set_volume(session.volume, session.muted)
    except (PlayerTimeoutError, PlayerUnavailableError) as e:
        log.warning("volume_change_failed", session_id=session.id, reason=str(e))
