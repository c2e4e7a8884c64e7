"""The report of a session on the part of a video of the library that it has shown."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from agent.casting.saved import saved_of
from agent.casting.session import Session
from agent.persistence.session_file import KeptSession
from agent.player.base import Opened
from agent.types import EndReason, MediaType, PlayerState, SessionState, StartRequest, StreamRef
from tests.support.virtual_time import in_virtual_time

VIDEO = "01a1fd12-eb6c-748a-a719-cf4ecab6bccb"


def on_screen(video_id: str | None = VIDEO) -> Session:
    """A picture that is shown: it plays as soon as it is seen."""
    join = None if video_id is None else StreamRef(video_id=video_id)
    one = Session(StartRequest(url="http://nas/a", join=join), shown_url="http://nas/a", volume=1.0, muted=False)
    one.move(SessionState.STARTING)
    one.progress.opened(Opened(MediaType.IMAGE, True))
    one.first_frame()
    return one


@in_virtual_time
async def test_only_what_plays_is_counted() -> None:
    """The time in which it is loading, paused, interrupted or over does not count."""
    one = Session(StartRequest(url="", join=StreamRef(video_id=VIDEO)), shown_url="", volume=1.0, muted=False)
    one.move(SessionState.STARTING)
    await asyncio.sleep(1)
    assert one.shown.seconds == 0.0
    one = on_screen()
    await asyncio.sleep(10)
    one.pause(True)
    await asyncio.sleep(100)
    one.pause(False)
    await asyncio.sleep(2)
    one.shown.turns(PlayerState.BUFFERING)
    await asyncio.sleep(100)
    one.shown.turns(PlayerState.PLAYING)
    await asyncio.sleep(0.5)
    one.move(SessionState.WAITING)
    await asyncio.sleep(100)
    assert one.conclude(EndReason.STOPPED)
    assert one.shown.told == {"video_id": VIDEO, "shown_s": 12.5, "completed": False}


@in_virtual_time
async def test_the_end_of_the_video_completes_it() -> None:
    """The first end of a video that is repeated completes it, too."""
    one = on_screen()
    one.request = replace(one.request, loop=True)
    assert one.goes_on()
    assert one.shown.told["completed"] is True


@in_virtual_time
async def test_what_was_shown_is_kept_over_a_restart() -> None:
    """The count is kept with the session itself, and goes on from there."""
    one = on_screen()
    await asyncio.sleep(10)
    one.shown.completes()
    kept = KeptSession.model_validate_json(KeptSession.of(saved_of(one), now=None).model_dump_json())
    saved = kept.saved(now=None)
    again = on_screen()
    again.shown.was(saved.shown_s, completed=saved.completed)
    await asyncio.sleep(5)
    assert again.shown.told == {"video_id": VIDEO, "shown_s": 15.0, "completed": True}


@in_virtual_time
async def test_nothing_else_is_counted() -> None:
    """Other media has nobody who asks for it, and its seconds are not written every half minute."""
    one = on_screen(video_id=None)
    await asyncio.sleep(10)
    one.goes_on()
    assert (one.shown.told, saved_of(one).shown_s, saved_of(one).completed) == ({}, 0.0, False)
