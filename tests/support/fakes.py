"""Players and a stage for tests of logic: they implement the real protocols, and can be told to fail.

The script of a player is its URL's host: `http://film/`, `http://broken/`, ... see `SCRIPTS`. Another engine than
`fake` plays by `BY_ANOTHER` where that knows the host.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar
from urllib.parse import urlsplit

from agent.casting.video_source import CentralVideo
from agent.errors import (
    AgentError,
    CentralUnavailableError,
    MediaError,
    NotSupportedError,
    PlayerTimeoutError,
    PlayerUnavailableError,
    StreamNotFoundError,
)
from agent.events.bus import Emit, nobody
from agent.health import DisplayHealth, PlayerHealth
from agent.player.base import KillReason, Media, Opened, Report, Totals
from agent.player.tally import Tally
from agent.raw_picture import RawPicture
from agent.stage.base import WHOLE, ImageFormat, Layer, Place
from agent.types import CentralStream, ErrorCode, Failure, MediaType, StreamRef, StreamType
from cast_wire.kinds import EventKind
from tests.support.tools import LOOK_EVERY_S

T = TypeVar("T")

LENGTH_S = 9.0
"""The length of all media."""

X_S, TOLD_S, SOUND_S = 0.002, 0.01, 0.02
"""The time that the screen, an order to a player and its sound take: different times, so that things that go on at once
meet in many orders."""
HANGS_S = 2.0
"""Until a caller gives up on who does not answer."""


@dataclass(frozen=True)
class Script:
    """The behaviour of a fake player, in seconds after it was loaded."""

    opens_after: float | None = 0.05
    """None: never."""
    pixel_after: float | None = 0.1
    fails_after: float | None = None
    fails_with: ErrorCode = ErrorCode.MEDIA_NETWORK
    ends_after: float | None = None
    stalls_after: float | None = None
    media_type: MediaType = MediaType.VIDEO
    silent: bool = False
    """It opens as audio, and nothing is ever heard."""
    kill_s: float = 0.02
    """The time after which its process is gone."""
    viewers: int | None = None
    """The number of viewers that its source serves at once; another one is refused. None for any number."""
    deaf: bool = False
    """Commands for sound are never answered: the process hangs."""
    has_views: bool = False
    """It goes to another address of its host without a new start."""


SCRIPTS = {
    "film": Script(),
    "slow": Script(opens_after=3.0, pixel_after=4.0),
    "short": Script(ends_after=2.0),
    "flash": Script(ends_after=0.06),
    "broken": Script(opens_after=None, fails_after=0.2),
    "logged-out": Script(opens_after=None, fails_after=0.2, fails_with=ErrorCode.PAGE_LOGIN),
    "late-broken": Script(opens_after=0.1, pixel_after=None, fails_after=6.0),
    "never": Script(opens_after=None),
    "gap": Script(opens_after=None),
    "deep-gap": Script(opens_after=None),
    "blank": Script(pixel_after=None),
    "stalls": Script(stalls_after=3.0),
    "breaks": Script(fails_after=3.0),
    "damaged": Script(fails_after=3.0, fails_with=ErrorCode.MEDIA_NOT_FOUND),
    "fragile": Script(fails_after=0.3),
    "radio": Script(media_type=MediaType.AUDIO),
    "mute-radio": Script(media_type=MediaType.AUDIO, silent=True),
    "deaf": Script(deaf=True),
    "tough": Script(kill_s=0.5),
    "single": Script(viewers=1),
    "page": Script(media_type=MediaType.WEB),
    "other-page": Script(media_type=MediaType.WEB),
    "home": Script(media_type=MediaType.WEB, has_views=True),
}

BY_ANOTHER = {
    "gap": Script(),
    "damaged": Script(ends_after=2.0),
    "deep-gap": Script(opens_after=None, fails_after=0.2),
}


class SoundDevice:
    """A loudspeaker that cannot be shared; `was_shared` tells whether two processes ever had it open at once."""

    def __init__(self) -> None:
        self._open: set[int] = set()
        self.was_shared = False

    def open(self, pid: int) -> None:
        self._open.add(pid)
        self.was_shared = self.was_shared or len(self._open) > 1

    def close(self, pid: int) -> None:
        self._open.discard(pid)


class FakePlayer:
    def __init__(
        self, pid: int, engine: str = "fake", device: SoundDevice | None = None, others: list[FakePlayer] | None = None
    ) -> None:
        self.pid = pid
        self._others = [] if others is None else others
        self._device = device or SoundDevice()
        self.engine = engine
        self.alive = True
        self.sound = False
        self.kills = 0
        self.killed: Callable[[FakePlayer, KillReason], None] = lambda _player, _why: None
        """Told once, before it is ended."""
        self.commands: list[str] = []
        self.dies_when_told = False
        """Whatever it is told next, it crashes instead of answering."""
        self.position = 1.0
        self.is_outdated = asyncio.Event()
        self.silence: Failure | None = None
        """What it knows of why nothing would advance."""
        self.script = Script()
        self.xid: int | None = None
        self.url = ""
        """The address that it was asked to play."""
        self._loaded_at: float | None = None
        self._heard_from: float | None = None
        self._loop = loop = asyncio.get_running_loop()
        self._opened: asyncio.Future[Opened] = loop.create_future()
        self._finished: asyncio.Future[None] = loop.create_future()
        self._timers: list[asyncio.TimerHandle] = []
        self._said_last = Report()
        self._ending: asyncio.Future[None] | None = None

    async def load(self, media: Media, xid: int) -> None:
        self.xid, self.url = xid, media.url
        host = urlsplit(media.url).hostname or ""
        own = BY_ANOTHER if self.engine != "fake" and host in BY_ANOTHER else SCRIPTS
        self.script = script = own[host]
        self._loaded_at = self._loop.time()
        viewers = [p for p in self._others if p is not self and p.alive and urlsplit(p.url).hostname == host]
        if script.viewers is not None and len(viewers) >= script.viewers:
            self.script = SCRIPTS["never"]
            self._later(0.05, lambda: self.fail(MediaError(ErrorCode.MEDIA_NETWORK, "scripted: full", is_full=True)))
            return
        if script.opens_after is not None:
            self._later(script.opens_after, lambda: _set(self._opened, Opened(script.media_type, True)))
        if script.fails_after is not None:
            self._later(script.fails_after, lambda: self.fail(MediaError(script.fails_with, "scripted")))
        if script.ends_after is not None:
            self._later(script.ends_after, self.finish)

    @property
    def drawn(self) -> bool:
        after = self.script.pixel_after
        return (
            self.alive
            and self._loaded_at is not None
            and after is not None
            and self._loop.time() >= self._loaded_at + after
        )

    @property
    def progress(self) -> Report:
        now = self._loop.time()
        if not self.alive or self._loaded_at is None:
            return self._said_last
        stalls = self.script.stalls_after
        until = now if stalls is None else min(now, self._loaded_at + stalls)
        pictures = max(0, int((until - self._loaded_at) * 25)) if self.drawn else 0
        heard = 0
        if self.sound and self._heard_from is not None and not self.script.silent:
            heard = int((now - self._heard_from) * 40)
        return Report(
            pictures=pictures,
            audio_buffers=heard,
            position=self.position,
            duration=LENGTH_S,
            stream_type=StreamType.BUFFERED,
            silence=self.silence,
            at=now,
        )

    async def opened(self) -> Opened:
        return await asyncio.shield(self._opened)

    async def finished(self) -> None:
        await asyncio.shield(self._finished)

    async def prepare_sound(self) -> None:
        await self._take_sound()
        self.commands.append("prepare_sound")

    async def set_sound(self, on: bool) -> None:
        await self._take_sound()
        self.sound = on
        if on:
            self._device.open(self.pid)
        else:
            self._device.close(self.pid)
        self._heard_from = self._loop.time() if on else None

    async def _take_sound(self) -> None:
        await asyncio.sleep(SOUND_S)
        if not self.alive:
            raise PlayerUnavailableError("scripted: it is dead")
        if self.script.deaf:
            await asyncio.sleep(HANGS_S)
            raise PlayerTimeoutError("scripted: it hangs")

    async def set_volume(self, volume: float, muted: bool) -> None:
        await asyncio.sleep(TOLD_S)

    async def pause(self, on: bool) -> None:
        self.commands.append("pause" if on else "resume")
        await self._done()

    async def seek(self, position: float) -> None:
        """It is there 0.25 s later, as libVLC tells it."""
        await self._done()
        self._later(0.25, lambda: setattr(self, "position", min(position, LENGTH_S)))

    async def go_to(self, media: Media) -> bool:
        await self._done()
        goes = self.script.has_views and urlsplit(media.url).hostname == urlsplit(self.url).hostname
        self.url = media.url if goes else self.url
        return goes

    async def outdated(self) -> None:
        await self.is_outdated.wait()

    async def kill(self, why: KillReason) -> None:
        if self._ending is None:
            self.kills += 1
            self.killed(self, why if self.alive else KillReason.DIED)
            self._ending = asyncio.ensure_future(self._end())
        await asyncio.shield(self._ending)

    def crash(self) -> None:
        self._said_last = self.progress
        self.alive = self.sound = False
        self._device.close(self.pid)
        self.fail(PlayerUnavailableError("scripted: it crashed"))

    def fail(self, error: Exception) -> None:
        for future in (self._opened, self._finished):
            if not future.done():
                future.set_exception(error)

    def finish(self) -> None:
        _set(self._finished, None)

    async def _done(self) -> None:
        await asyncio.sleep(TOLD_S)
        if self.dies_when_told:
            self.crash()
        if not self.alive:
            raise PlayerUnavailableError("scripted: it is dead")

    async def _end(self) -> None:
        self._said_last = self.progress
        self.alive = self.sound = False
        for timer in self._timers:
            timer.cancel()
        await asyncio.sleep(self.script.kill_s)
        self._device.close(self.pid)
        for future in (self._opened, self._finished):
            if future.done() and not future.cancelled():
                future.exception()
            future.cancel()

    def _later(self, seconds: float, call: Callable[[], None]) -> None:
        self._timers.append(self._loop.call_later(seconds, call))


class FakePlayers:
    """A PlayerSource. `broken` makes every take fail; `take_s` is how long a take lasts; `other_engines` are those
    beside `fake`, each with what to do to have it."""

    def __init__(self) -> None:
        self.players: list[FakePlayer] = []
        self.broken = False
        self.take_s = 0.0
        self.expected: list[str] = []
        self.expected_kinds: list[MediaType | None] = []
        self.expected_ready: list[str] = []
        self.for_ready: str | None = None
        self.device = SoundDevice()
        self.other_engines: dict[str, str] = {}
        self.roomy = True
        """True if there is memory for one more player."""
        self.missing: set[str] = set()
        """Schemes that nothing here plays."""
        self._pids = itertools.count(1)
        self._tallies = {name: Tally() for name in ("fake", "other", "mpv")}

    @property
    def health(self) -> PlayerHealth:
        return PlayerHealth(available=True, engine="fake")

    @property
    def totals(self) -> dict[str, Totals]:
        return {engine: tally.totals for engine, tally in self._tallies.items()}

    @property
    def alive(self) -> list[FakePlayer]:
        return [p for p in self.players if p.alive]

    def drawing_into(self, xid: int) -> FakePlayer | None:
        return next((p for p in self.players if p.xid == xid), None)

    def check(self, url: str, *, kind: MediaType | None = None) -> None:
        if urlsplit(url).scheme in self.missing:
            raise PlayerUnavailableError("scripted: nothing plays this")

    def has_room(self, url: str, *, kind: MediaType | None = None) -> bool:
        return self.roomy

    def expect(self, url: str, *, kind: MediaType | None = None, ready: bool = False) -> None:
        self.expected.append(url)
        self.expected_kinds.append(kind)
        if ready:
            self.expected_ready.append(url)

    def others(self, url: str, error: AgentError, *, kind: MediaType | None = None) -> dict[str, str]:
        return self.other_engines

    async def take(self, url: str, *, engine: str | None = None, kind: MediaType | None = None) -> FakePlayer:
        await asyncio.sleep(self.take_s)
        if self.broken:
            raise PlayerUnavailableError("scripted: no player can be started")
        player = FakePlayer(next(self._pids), engine or "fake", self.device, self.players)
        tally = self._tallies[player.engine]
        tally.began(player)
        player.killed = tally.ended
        self.players.append(player)
        return player


class FakeStreams:
    """A central API with one stream at most, found after `takes_s`; `away` it does not answer."""

    def __init__(self) -> None:
        self.urls: tuple[str, ...] = ()
        """The addresses of the stream; empty once it has ended."""
        self.kept: CentralVideo | None = None
        """The video of which the box has the file."""
        self.away = False
        self.takes_s = 0.005

    async def find(self, ref: StreamRef) -> CentralStream:
        await asyncio.sleep(HANGS_S if self.away else self.takes_s)
        if self.away:
            raise CentralUnavailableError("scripted: it does not answer")
        if not self.urls:
            raise StreamNotFoundError("scripted: it is not on")
        return CentralStream(ref.stream_id or "1", ref.code or "K7QF2M", self.urls)

    async def kept_video(self, video_id: str) -> CentralVideo | None:
        return self.kept

    async def find_video(self, video_id: str) -> CentralVideo:
        found = await self.find(StreamRef(video_id=video_id))
        return CentralVideo(found.urls[0], "A video", "video/mp4", 1000, "0" * 64)


class FakeWindow:
    def __init__(self, stage: FakeStage, xid: int) -> None:
        self.xid = xid
        self.painted: RawPicture | None = None
        """The picture that was drawn into it without a player."""
        self._stage = stage
        self._lost = stage.loss

    @property
    def size(self) -> tuple[int, int]:
        return 640, 360

    async def paint(self, picture: RawPicture) -> None:
        await asyncio.sleep(X_S)
        self._check()
        self.painted = picture

    async def first_pixel(self, *, pictures: Callable[[], int]) -> None:
        while True:
            self._check()
            player = self._stage.players.drawing_into(self.xid)
            if player is not None and player.drawn:
                return
            await asyncio.sleep(LOOK_EVERY_S)

    async def show(self) -> None:
        await asyncio.sleep(X_S)
        self._check()
        self._stage.stack.append(self)

    async def close(self) -> None:
        await asyncio.sleep(X_S)
        self._stage.windows.discard(self)
        if self in self._stage.stack:
            self._stage.stack.remove(self)

    @property
    def is_lost(self) -> bool:
        return self._lost.is_set()

    async def lost(self) -> None:
        await self._lost.wait()

    def _check(self) -> None:
        if self.is_lost:
            raise PlayerUnavailableError("scripted: the display is gone")


class FakeStage:
    """A Stage; `stack[-1]` is what is seen."""

    def __init__(self, players: FakePlayers) -> None:
        self.players = players
        self.windows: set[FakeWindow] = set()
        self.stack: list[FakeWindow] = []
        self.loss = asyncio.Event()
        self.available = True
        self._xids = itertools.count(100)

    @property
    def health(self) -> DisplayHealth:
        return DisplayHealth(self.available, ":fake", 640, 360, "" if self.available else "scripted: no display")

    @property
    def has_picture(self) -> bool:
        return any(not window.is_lost for window in self.stack)

    async def open_window(self, *, layer: Layer = Layer.STREAM, place: Place = WHOLE) -> FakeWindow:
        await asyncio.sleep(X_S)
        if not self.available:
            raise PlayerUnavailableError("scripted: no display")
        window = FakeWindow(self, next(self._xids))
        self.windows.add(window)
        return window

    async def snapshot(self, image_format: ImageFormat = "png", *, width: int | None = None) -> bytes:
        return b"picture"

    def lose_display(self) -> None:
        self.available = False
        self.loss.set()

    def regain_display(self) -> None:
        if not self.available:
            self.available = True
            self.loss = asyncio.Event()


class FakeScreen:
    """The power of a screen that obeys at once; `can` says whether it can be switched."""

    def __init__(self, emit: Emit = nobody, *, can: bool = True) -> None:
        self.can = can
        self.is_off = False
        self._emit = emit

    @property
    def is_on(self) -> bool | None:
        return not self.is_off if self.can else None

    def require(self) -> None:
        if not self.can:
            raise NotSupportedError("scripted: it cannot be switched")

    async def switch(self, on: bool) -> None:
        self.require()
        self.is_off = not on
        self._emit(EventKind.SCREEN_CHANGED, on=on)

    def restore(self, is_off: bool) -> None:
        self.is_off = is_off


def _set(future: asyncio.Future[T], value: T) -> None:
    if not future.done():
        future.set_result(value)
