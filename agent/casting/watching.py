"""The watch on a player: its first sound, its stalls, and its display."""

from __future__ import annotations

import asyncio

import structlog

from agent.casting.session import Session
from agent.errors import MediaError, PlayerUnavailableError
from agent.player.base import Player
from agent.stage.base import Window
from agent.types import ErrorCode
from agent.util.waiting import first_of

WATCH_INTERVAL_S = 0.5
"""The longest pause between two reports of a player that is well."""

OBSERVE_EVERY_S = 0.25
"""A player reports as often: `playing` turns to `buffering` and back at most this much later."""

FIRST_SOUND_TIMEOUT_S = 5.0
"""The time from giving the sound to the first buffer played; 0.15-0.3 s is usual, over 1 s if a sound server is
suspended."""

FIRST_SOUND_LOOK_S = 0.05
"""A player tells four times a second what it has played: looking adds a fifth of that at most."""

log = structlog.get_logger(__name__)


async def first_sound(player: Player) -> None:
    """Return when the first sound has been heard. Raises MediaError when none comes."""
    before = player.progress.audio_buffers

    async def heard() -> None:
        while player.progress.audio_buffers <= before:  # noqa: ASYNC110 - a player reports four times a second
            await asyncio.sleep(FIRST_SOUND_LOOK_S)

    try:
        async with asyncio.timeout(FIRST_SOUND_TIMEOUT_S):
            await first_of(heard(), player.finished())
    except TimeoutError as e:
        raise MediaError(
            ErrorCode.MEDIA_STALLED,
            f"Nothing was heard within {FIRST_SOUND_TIMEOUT_S:.0f} s: check [audio] output and the sound device.",
        ) from e


async def notice_stall(session: Session, player: Player, *, timeout_s: float) -> None:
    """Follow how the session advances. Raises MediaError when its stream has stood still for that long."""
    moving = False
    while True:
        await asyncio.sleep(OBSERVE_EVERY_S)
        still_s = session.observe()
        if moving != (still_s < WATCH_INTERVAL_S * 3):
            moving = not moving
            event = "stream_motion_resumed" if moving else "stream_motion_stopped"
            log.info(event, session_id=session.id, still_s=round(still_s, 1))
        silent_s = asyncio.get_running_loop().time() - player.progress.at
        # A player that says nothing hangs, whatever the stream does: the player's own watch says so within 5 s.
        if still_s >= session.progress.stall_after(timeout_s) and silent_s < WATCH_INTERVAL_S * 3:
            known = player.progress.silence
            raise MediaError(
                ErrorCode.MEDIA_STALLED,
                known.message
                if known
                else f"The stream stood still for {still_s:.0f} s: the source stopped sending, or the network lost it.",
            )


async def notice_lost_display(window: Window) -> None:
    """Wait for the loss of the display. Raises PlayerUnavailableError then."""
    await window.lost()
    raise PlayerUnavailableError("The display was lost while the stream was on it.")
