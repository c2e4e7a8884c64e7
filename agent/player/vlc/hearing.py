"""The sound of the media: it is given, taken away, and looked for when it is lost."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import Enum, IntEnum, auto
from typing import Any

from agent.player.vlc.log_reader import LogReader
from agent.player.vlc.options import media_options, short_sound_options
from agent.player.vlc.playback import Phase, Playback
from agent.player.vlc.sound import LostSound, SoundOutput
from agent.types import MediaType

SHORT_S = 2.5
"""Sounds shorter than this may be buffered whole in silence: libVLC reads 1 s ahead over HTTP, 1.5 s at most."""


class Track(Enum):
    """The audio track, as libVLC was told to choose it. libVLC reports when it has left one."""

    NONE = auto()
    """The player does not have the sound, and no device is open."""
    AWAITED = auto()
    """The player has the sound, but the media had no track to choose."""
    CHOSEN = auto()
    LEAVING = auto()
    """The sound was taken away: the device is closed once libVLC reports that it has left the track."""
    CHANGING = auto()
    """The track is chosen again, with a new output, once libVLC has left it."""


class Reached(IntEnum):
    """The furthest that the sound has ever come."""

    NOTHING = auto()
    GIVEN = auto()
    """The player was given the sound."""
    BEGUN_AGAIN = auto()
    """The media was opened again to be heard from its beginning."""
    DEVICE = auto()
    """The device was open."""


class Hearing:
    """The sound of a playback. `done` is called when the device is closed; `read_log` reads the lines that libVLC has
    logged so far."""

    def __init__(
        self,
        player: Any,
        playback: Playback,
        *,
        output: SoundOutput,
        log: LogReader,
        languages: Sequence[str],
        done: Callable[[], None],
        read_log: Callable[[], None],
    ) -> None:
        self._player = player
        self._playback = playback
        self._output = output
        self._log = log
        self._languages = languages
        self._done = done
        self._read_log = read_log
        self._lost = LostSound()
        self._track = Track.NONE
        self._number = -1
        """The number in libVLC of the track that was heard last."""
        self._reached = Reached.NOTHING

    @property
    def on(self) -> bool:
        """Return True while the player has the sound."""
        return self._track not in (Track.NONE, Track.LEAVING)

    @property
    def sounded(self) -> bool:
        """Return True if the device was ever open."""
        return self._reached is Reached.DEVICE

    @property
    def may_begin_again(self) -> bool:
        """Return True if the media was neither heard nor opened again to be heard."""
        return self._reached < Reached.BEGUN_AGAIN

    def take(self, *, heard: bool = True) -> None:
        """Give the player the sound. If it is not to be `heard` yet, only where it may share the device; then it plays
        into it, muted, until this is called again."""
        playback, audio_only = self._playback, self._playback.kind is MediaType.AUDIO
        was_prepared = self.on and not self._output.heard
        self._output.heard = heard
        is_shared = self._output.make() and self._output.is_shared
        if was_prepared or (not heard and (audio_only or not is_shared)):
            return
        first = self._reached is Reached.NOTHING
        if not self.on:
            self._enter(Track.AWAITED if self._track is Track.NONE else Track.CHOSEN)
        self._read_log()
        over = self._is_short or not self._player.is_seekable() if audio_only else self._log.read_to_end
        tracks = [track for track, _ in self._player.audio_get_track_description() or [] if track >= 0]
        if (over or playback.phase is Phase.ENDED or len(tracks) > 1) and first:
            self.begin_again()
        else:
            if tracks:
                self._player.audio_set_track(self._number if self._number in tracks else tracks[0])
                self._enter(Track.CHOSEN)
                if first and self._player.is_seekable() and not self._log.live:
                    self._read_again(from_the_start=audio_only)
            if audio_only:
                self._player.set_pause(0)
        self._reach(Reached.GIVEN)

    def leave(self) -> None:
        """Take the sound away. `done` is called once the device is closed."""
        if self._playback.kind is MediaType.AUDIO:
            self._player.set_pause(1)
        if self._track in (Track.NONE, Track.AWAITED):
            self._enter(Track.NONE)
            return
        if self._track is Track.CHOSEN:
            self._number = self._player.audio_get_track()
            self._player.audio_set_track(-1)
        self._enter(Track.LEAVING)

    def track_changed(self) -> None:
        """Take in that libVLC has chosen or left an audio track."""
        if self._track is Track.LEAVING:
            self._enter(Track.NONE)
        elif self._track is Track.CHANGING:
            self._enter(Track.CHOSEN)
            self._output.make(anew=True)
            self._player.audio_set_track(self._number)

    def device_opened(self) -> None:
        """Take in that a device plays the sound."""
        self._lost.opened = True
        self._reach(Reached.DEVICE)

    def device_refused(self) -> None:
        """Take in an error of the output."""
        self._lost.complaints += 1

    def begin_again(self) -> None:
        """Open the media again with its sound. For media that is over, or about to be, before it was heard: a sound
        that is shorter than the buffer filled in silence (a seek back would lose part of it) or that cannot be sought,
        or a film of which libVLC had no more pictures.

        Also for media with several sound tracks: libVLC picks the usual one when it opens media with sound, and never
        reports which one that is. The picture stands meanwhile.
        """
        self._reach(Reached.BEGUN_AGAIN)
        self._enter(Track.CHOSEN)
        playback = self._playback
        options = media_options(playback.quality, position=playback.begin_at, sound=True, languages=self._languages)
        playback.open([*options, *(short_sound_options() if self._is_short or self._log.is_slow else [])])

    @property
    def is_lost(self) -> bool:
        """Return True if the sound was heard before and should be heard now, but is not. A box without a device is
        silent; it has lost nothing."""
        return self.on and self.sounded and self._lost.is_lost

    def look_for_lost_sound(self, now: float, *, paused: bool) -> None:
        """Choose the track again if its sound was lost: libVLC looks for no sound server that starts late or again."""
        playback = self._playback
        expected = self.on and self._output.wanted and playback.kind is MediaType.VIDEO and not paused
        if not self._lost.is_due(playback.facts.counts, now, expected=expected and playback.has_sound):
            return
        track = self._player.audio_get_track()
        if track >= 0 and playback.phase is Phase.PLAYING and self._output.make():
            self._number = track
            self._enter(Track.CHANGING)
            self._player.audio_set_track(-1)  # the output is free once libVLC says so

    def _enter(self, track: Track) -> None:
        self._track = track
        if track is Track.NONE:
            self._done()

    def _reach(self, reached: Reached) -> None:
        self._reached = max(self._reached, reached)

    @property
    def _is_short(self) -> bool:
        playback = self._playback
        if playback.kind is MediaType.AUDIO and (playback.phase is Phase.ENDED or self._log.read_to_end):
            return True
        return 0 < playback.length_ms < SHORT_S * 1000

    def _read_again(self, *, from_the_start: bool) -> None:
        # The buffer (1-2 s) was read without its sound. Without this the sound starts that much later, and breaks off
        # again for 0.2 s; with it the first picture stands for some 0.1 s, and then both go on.
        begin_ms = round(self._playback.begin_at * 1000)
        self._playback.go_to(begin_ms if from_the_start else max(begin_ms, self._player.get_time()))
