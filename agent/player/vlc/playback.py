"""The media that one player process plays: how it is opened, and opened anew."""

from __future__ import annotations

from enum import Enum, auto
from typing import Any

from agent.player import ipc
from agent.player.vlc import events
from agent.player.vlc.body import Body
from agent.player.vlc.events import PlayerEvent
from agent.player.vlc.facts import Facts
from agent.player.vlc.inbox import Inbox
from agent.player.vlc.log_reader import LogLine, LogReader
from agent.player.vlc.login import Login
from agent.player.vlc.options import HELD, IN_ORDER, media_options
from agent.types import MediaType, Quality


class Phase(Enum):
    """The progress of libVLC with the media."""

    IDLE = auto()
    """Nothing was loaded yet."""
    PLAYING = auto()
    ENDED = auto()
    """libVLC has come to its end, and the daemon was not told: something may still be to come, such as its sound."""
    OVER = auto()
    """The daemon was told how it ended, once and for all."""


class Playback:
    """The playback of one media player of libVLC."""

    def __init__(self, vlc: Any, instance: Any, player: Any, *, log: LogReader, inbox: Inbox) -> None:
        self._instance = instance
        self._player = player
        self._log = log
        self._inbox = inbox
        self.facts = Facts(vlc, player, log)
        self.phase = Phase.IDLE
        self.url = ""
        self.login = Login("")
        self.begin_at = 0.0
        self.quality = Quality.AUTO
        self.kind: MediaType | None = None
        """The kind in the report to the daemon; None before."""
        self.tracks: set[float] = set()
        """The kinds of track that it has."""
        self.in_order = False
        """True if it is read from its beginning to its end, without a jump."""
        self.looked_back = False
        """True if it was opened from its beginning for the picture there."""
        self._media: Any = None

    def enter(self, phase: Phase) -> None:
        """Enter a phase. A playback that is over stays over."""
        if self.phase is not Phase.OVER:
            self.phase = phase

    @property
    def is_loaded(self) -> bool:
        """Return True once there is a media."""
        return self.phase is not Phase.IDLE

    @property
    def has_sound(self) -> bool:
        """Return True if it has a track of sound."""
        return events.AUDIO in self.tracks

    @property
    def has_video(self) -> bool:
        """Return True if it has a track of pictures."""
        return events.VIDEO in self.tracks

    @property
    def length_ms(self) -> int:
        """The length in libVLC; 0 or less if it has none."""
        return int(self._media.get_duration())

    def load(self, load: ipc.Load) -> None:
        """Open it for the first time, without sound."""
        self.url, self.login = load.url, Login(load.url)
        self.quality, self.begin_at = Quality(load.quality), load.position
        self.facts.begins_at(round(load.position * 1000))
        self.open()

    def open(self, options: list[str] | None = None) -> None:
        """Open it, anew or for the first time; with `options`, else without sound and where it is to begin."""
        self._media = self._instance.media_new_location(self.login.bare if self.login.is_kept_back else self.login.url)
        for option in media_options(self.quality, position=self.begin_at) if options is None else options:
            self._media.add_option(option)
        if self.in_order:
            self._media.add_option(IN_ORDER)
        self._player.set_media(self._media)
        self.forget_events()
        self.enter(Phase.PLAYING)
        self._log.read_to_end = False
        self._log.body = Body()
        self._player.play()

    def read_in_order(self) -> None:
        """Open it anew, with the part of libVLC that need not jump in it: all of it comes in one answer."""
        self.in_order = True
        self.open()

    def look_back(self) -> None:
        """Open it from its beginning: its picture comes before the position, and is to be seen there too."""
        self.looked_back = True
        self.open(media_options(self.quality))

    def hold(self) -> None:
        """Open it anew for the picture at its end, to stay there: libVLC's X11 output draws a picture in its place once
        that was shown elsewhere, and a film of one picture has ended before. It counts as ended all the same.
        Do nothing while it plays."""
        if self.phase is not Phase.ENDED:
            return
        self.open([*media_options(self.quality, position=0.0 if self.looked_back else self.begin_at), HELD])
        self.enter(Phase.ENDED)

    def forget_events(self) -> None:
        """Discard the events of the media before, which has ended."""
        self._inbox.take(PlayerEvent, LogLine)

    def go_to(self, position_ms: int) -> None:
        """Go on there."""
        self._player.set_time(position_ms)
        self.facts.begins_at(position_ms)
        self._log.read_to_end = False

    def report(self, *, sounded: bool, sound_lost: bool) -> ipc.ProgressReport:
        """The progress now. `sounded`: the audio device was opened, which libVLC does not count."""
        return self.facts.report(self._media, self.kind, sounded=sounded, sound_lost=sound_lost)

    def subitems(self) -> Any:
        """libVLC's list of what the media turned out to lead to; None when there is none."""
        return self._media.subitems()
