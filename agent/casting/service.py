"""The service that every face calls: the rules of a start, a change and a stop, whoever asks. A face only
translates."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

from agent.casting.entries import NotKept
from agent.casting.presets import Preset, Presets
from agent.casting.recent import Recent
from agent.casting.saved import Saved, Volume
from agent.casting.screen import NoScreen, Screen
from agent.casting.wish import SPOKEN, WHAT, Policy, Wish, check_page, check_together, over
from agent.errors import FieldError, InvalidRequestError, SessionNotFoundError
from agent.snapshot import SessionSnapshot, TrackerSnapshot
from agent.types import Quality, SessionChange, SessionId, StartRequest, StreamRef

LOCATED_S: Final = 2.5
"""Wait for a joined stream to be located: the central API is asked for 2 s at most."""

_TAKEN: Final = (*WHAT, "title", "refresh", "shown_as", "page")
"""The fields that a preset takes from a stream that was played."""


class Tracker(Protocol):
    """The owner of the sessions."""

    def start(self, request: StartRequest) -> SessionId:
        """Accept a start, at once. Raises PlayerUnavailableError."""

    def change(self, session_id: SessionId, change: SessionChange) -> SessionSnapshot:
        """Change a session without touching its picture.

        Raises SessionNotFoundError, and InvalidTransitionError for another url.
        """

    async def first_frame(self, session_id: SessionId, timeout_s: float) -> SessionSnapshot | None:
        """The session at its first frame; None when the time is over.

        Raises MediaError, PlayerTimeoutError or PlayerUnavailableError when it failed, ReplacedError when a newer
        start took its place, InvalidTransitionError when it was stopped before, SessionNotFoundError.
        """

    async def located(self, session_id: SessionId, timeout_s: float) -> bool:
        """Return True once the stream is located that the session is to join; False when the time is over.

        Raises as `first_frame` does, and StreamNotFoundError, CentralUnavailableError or NotSupportedError.
        """

    async def stop(
        self, session_id: SessionId | None = None, *, everything: bool = False, picture_stays_s: float = 0.0
    ) -> tuple[SessionSnapshot, ...]:
        """End one session, or what is on, or everything; return what it ended."""

    def keep_picture(self, seconds: float) -> None:
        """Have the picture that stays after a stop stay for `seconds` from now."""

    async def pause(self, on: bool) -> SessionSnapshot:
        """Pause what is on, or let it go on.

        Raises InvalidTransitionError, also when its player dies meanwhile, and PlayerTimeoutError when that hangs.
        """

    async def seek(self, position: float) -> SessionSnapshot:
        """Go on at `position` seconds. Raises as `pause` does."""

    def reload(self) -> SessionSnapshot:
        """Load the current page again. Raises InvalidTransitionError."""

    async def set_volume(self, level: float | None, muted: bool | None) -> Volume:
        """Set the volume of the device; None leaves it as it is. Raises PlayerTimeoutError, PlayerUnavailableError."""

    @property
    def volume(self) -> Volume: ...

    @property
    def black_s(self) -> float:
        """Seconds in which the screen was without a picture between two, since the agent started."""

    def snapshot(self) -> TrackerSnapshot: ...

    def saved(self) -> Sequence[Saved]:
        """The sessions that are on, wait or are being prepared."""


@dataclass(frozen=True, slots=True)
class Accepted:
    """The answer to a wish."""

    session_id: SessionId
    first_frame: SessionSnapshot | None = None
    """The session at its first frame, for a caller that waited and got it."""


async def _kept_at_once() -> None:
    """A `kept` for a service whose sessions need not outlive it."""


class CastingService:
    """The rules that every face shares. A call that changes something returns when the change would survive a crash.

    `policy` says what may be played, `default_quality` what a start gets that names none, and `kept` returns when what
    has changed so far is on the disk, after a bounded time. `presets` and `recent` are
    what a wish may name, and faces list and change.
    """

    def __init__(
        self,
        tracker: Tracker,
        *,
        policy: Policy,
        default_quality: Callable[[], Quality] = lambda: Quality.AUTO,
        kept: Callable[[], Awaitable[None]] = _kept_at_once,
        presets: Presets | None = None,
        recent: Recent | None = None,
        screen: Screen | None = None,
    ) -> None:
        self._tracker = tracker
        self._screen = screen or NoScreen()
        self._policy = policy
        self._default_quality = default_quality
        self._kept = kept
        self.presets: Final = presets or Presets(NotKept(), policy=policy)
        self.recent: Final = recent or Recent(NotKept())

    async def start(
        self, wish: Wish, *, wait_s: float | None = None, accepted: Callable[[SessionId], None] = lambda _: None
    ) -> Accepted:
        """Start a session, or change the one that the wish names. Without `wait_s` return when it is accepted and, for
        a stream of the central API, located; with `wait_s` (seconds) at its first frame or when the time is over. A
        caller that is cancelled meanwhile changes nothing. `accepted` is told the session as soon as there is one.

        Raises InvalidRequestError, SessionNotFoundError, InvalidTransitionError, PlayerUnavailableError, and those of
        `Presets.wish`, `Tracker.first_frame` and `Tracker.located`.
        """
        check_together(wish)
        wish = await self._resolved(wish)
        await check_page(self._policy, wish)
        url = None if wish.url is None else await self._policy.check(wish.url)
        if wish.session_id is not None:
            session_id = self._tracker.change(SessionId(wish.session_id), _change(wish, url)).session_id
        else:
            session_id = self._tracker.start(self._request(wish, url))
        accepted(session_id)
        shown = None
        if wait_s is not None:
            shown = await self._tracker.first_frame(session_id, wait_s)
        elif wish.session_id is None and url is None:
            await self._tracker.located(session_id, LOCATED_S)
        await self._kept()
        return Accepted(session_id, shown)

    async def stop(
        self, session_id: SessionId | None = None, *, everything: bool = False, picture_stays_s: float = 0.0
    ) -> tuple[SessionSnapshot, ...]:
        """End what is on, or the session of that id, or everything; return what it ended, which may be nothing.
        `picture_stays_s` seconds of its last picture, from when it has ended, are for a start that is about to come:
        the screen is not black in between. Raises InvalidRequestError for an id together with `everything`."""
        if session_id is not None and everything:
            message = "cannot be given together with all"
            raise InvalidRequestError(f"session_id {message}.", (FieldError("session_id", message),))
        ended = await self._tracker.stop(session_id, everything=everything, picture_stays_s=picture_stays_s)
        await self._kept()
        return ended

    def keep_picture(self, seconds: float) -> None:
        """Have the picture that stays after a stop, where it still does, stay for `seconds` from now."""
        self._tracker.keep_picture(seconds)

    async def pause(self, on: bool) -> SessionSnapshot:
        """Pause what is on, or resume it. Raises InvalidTransitionError, PlayerTimeoutError."""
        session = await self._tracker.pause(on)
        await self._kept()
        return session

    async def seek(self, position: float) -> SessionSnapshot:
        """Continue at `position` seconds. Raises InvalidTransitionError, PlayerTimeoutError."""
        session = await self._tracker.seek(position)
        await self._kept()
        return session

    def reload(self) -> SessionSnapshot:
        """Load the current page again, unseen. Raises InvalidTransitionError."""
        return self._tracker.reload()

    async def set_volume(self, level: float | None, muted: bool | None) -> Volume:
        """Set the volume of the device (0.0-1.0); None leaves a part as it is. Raises PlayerTimeoutError,
        PlayerUnavailableError."""
        volume = await self._tracker.set_volume(level, muted)
        await self._kept()
        return volume

    async def switch_screen(self, on: bool) -> None:
        """Switch the screen on; or end everything and switch it off. What is shown after that lights it until it ends.
        Raises NotSupportedError, PlayerUnavailableError."""
        self._screen.require()
        if not on:
            await self._tracker.stop(everything=True)
        await self._screen.switch(on)
        await self._kept()

    @property
    def screen_is_on(self) -> bool | None:
        """The screen is lit; None where it cannot be switched, or is not there."""
        return self._screen.is_on

    async def save_preset(
        self, given: Mapping[str, Any], *, recent: str | None = None, session_id: str | None = None
    ) -> Preset:
        """Save a preset. Where `recent` or `session_id` names something that was played, the preset takes its address,
        with the user name and password that callers are not shown, and its title and `refresh` unless `given` has them.

        Raises as `Presets.add` does, and PresetNotFoundError, SessionNotFoundError.
        """
        played = Wish()
        if recent is not None:
            played = await self.recent.wish(recent)
        elif session_id is not None:
            played = self._played(session_id)
        taken = {SPOKEN.get(name, name): value for name in _TAKEN if (value := getattr(played, name)) is not None}
        return await self.presets.add({**taken, **given})

    @property
    def volume(self) -> Volume:
        """The volume of the device."""
        return self._tracker.volume

    @property
    def black_s(self) -> float:
        """The black time of the last handover, in seconds."""
        return self._tracker.black_s

    def snapshot(self) -> TrackerSnapshot:
        """The sessions that are on or wait, and the one that ended last."""
        return self._tracker.snapshot()

    async def _resolved(self, wish: Wish) -> Wish:
        if wish.preset is not None:
            return over(await self.presets.wish(wish.preset), wish)
        if wish.recent is not None:
            return over(await self.recent.wish(wish.recent), wish)
        return wish

    def _played(self, session_id: str) -> Wish:
        """A wish that plays the same as this session."""
        for saved in self._tracker.saved():
            if saved.session_id == session_id:
                asked, join = saved.request, saved.request.join or StreamRef()
                return Wish(
                    url=asked.url or None,
                    code=join.code,
                    stream_id=join.stream_id,
                    video_id=join.video_id,
                    title=asked.title,
                    refresh=asked.refresh,
                    shown_as=asked.shown_as,
                    page=asked.page,
                )
        raise SessionNotFoundError(f"There is no session {session_id} that is on or waits: it may have ended.")

    def _request(self, wish: Wish, url: str | None) -> StartRequest:
        return StartRequest(
            url=url or "",
            join=None if url is not None else StreamRef(wish.code, wish.stream_id, wish.video_id),
            quality=self._default_quality() if wish.quality is None else wish.quality,
            duration=wish.duration,
            title=wish.title,
            volume=wish.volume,
            muted=wish.muted,
            interrupt=wish.interrupt or False,
            position=wish.position or 0.0,
            loop=wish.loop or False,
            refresh=wish.refresh,
            shown_as=wish.shown_as,
            page=wish.page,
        )


def _change(wish: Wish, url: str | None) -> SessionChange:
    return SessionChange(url=url, duration=wish.duration, title=wish.title, volume=wish.volume, muted=wish.muted)
