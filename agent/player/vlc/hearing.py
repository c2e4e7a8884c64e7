"""The sound of the media: it is given and taken, and looked for when it is lost."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import Enum, auto
from typing import Any

from agent.player.vlc.log_reader import LogReader
from agent.player.vlc.options import media_options, short_sound_options
from agent.player.vlc.playback import Phase, Playback
from agent.player.vlc.sound import LostSound, SoundOutput
from agent.types import MediaType

SHORT_S = 2.5
"""Sounds shorter than this may be buffered whole in silence: libVLC reads 1 s ahead over HTTP, 1.5 s at most."""


class Track(Enum):
    """The audio track, as libVLC was told to choose it. It says so itself once it has left one."""

    NONE = auto()
    CHOSEN = auto()
    LEAVING = auto()
    """The sound was taken away: the device is closed once libVLC says that it has left the track."""
    CHANGING = auto()
    """The track is chosen again once libVLC has left it, with a new output."""


class Hearing:
    """The sound of a playback. `done` is called when the device is closed; `read_log` takes in what libVLC has logged
    until now."""

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
        self._state = Track.NONE
        self._track = -1
        """The track that was heard last."""
        self._heard_before = False
        self.on = False
        """Whether the player has the sound."""
        self.begun_again = False
        """Whether it was opened anew to be heard from its beginning."""
        self.sounded = False
        """Whether its device was ever open."""

    def take(self) -> None:
        """The player is given the sound."""
        playback, audio_only = self._playback, self._playback.kind is MediaType.AUDIO
        self.on = True
        if self._state is Track.LEAVING:
            self._state = Track.CHOSEN
        self._output.make()
        self._read_log()
        over = self._is_short or not self._player.is_seekable() if audio_only else self._log.read_to_end
        tracks = [track for track, _ in self._player.audio_get_track_description() or [] if track >= 0]
        if (over or playback.phase is Phase.ENDED or len(tracks) > 1) and not self._heard_before:
            self.begin_again()
        else:
            if tracks:
                self._player.audio_set_track(self._track if self._track in tracks else tracks[0])
                self._state = Track.CHOSEN
                if not self._heard_before and self._player.is_seekable() and not self._log.live:
                    self._read_again(from_the_start=audio_only)
            if audio_only:
                self._player.set_pause(0)
        self._heard_before = True

    def leave(self) -> None:
        """The sound is taken away. `done` is called once the device is closed."""
        self.on = False
        if self._playback.kind is MediaType.AUDIO:
            self._player.set_pause(1)
        if self._state is Track.NONE:
            self._done()
            return
        if self._state is Track.CHOSEN:
            self._track = self._player.audio_get_track()
            self._player.audio_set_track(-1)
        self._state = Track.LEAVING

    def track_changed(self) -> None:
        """libVLC has chosen or left an audio track."""
        if self._state is Track.LEAVING:
            self._state = Track.NONE
            self._done()
        elif self._state is Track.CHANGING:
            self._state = Track.CHOSEN
            self._output.make(anew=True)
            self._player.audio_set_track(self._track)

    def device_opened(self) -> None:
        """There is sound, and a device that plays it."""
        self.sounded = self._lost.opened = True

    def device_refused(self) -> None:
        """The output has reported an error."""
        self._lost.complaints += 1

    def begin_again(self) -> None:
        """Open media again with its sound, if it is over, or about to be, before it was heard: a sound that is shorter
        than the buffer filled in silence (a seek back would lose part of it) or cannot be sought, or a film of which
        libVLC had no more pictures.

        Also for media with several sound tracks: libVLC picks the usual one when it opens media with sound, and reports
        it to nobody. The picture stands meanwhile.
        """
        self.begun_again, self._state = True, Track.CHOSEN
        playback = self._playback
        options = media_options(playback.quality, position=playback.begin_at, sound=True, languages=self._languages)
        playback.open([*options, *(short_sound_options() if self._is_short else [])])

    @property
    def is_lost(self) -> bool:
        """Return True if the sound was heard, should be heard, and is not. A box without any device is silent, and has
        lost nothing."""
        return self.on and self.sounded and self._lost.is_lost

    def look_for_lost_sound(self, now: float, *, paused: bool) -> None:
        """A sound server that comes late or starts anew is nothing that libVLC would look for."""
        playback = self._playback
        expected = self.on and self._output.wanted and playback.kind is MediaType.VIDEO and not paused
        if not self._lost.is_due(playback.facts.counts, now, expected=expected and playback.has_sound):
            return
        track = self._player.audio_get_track()
        if track >= 0 and playback.phase is Phase.PLAYING and self._output.make():
            self._track, self._state = track, Track.CHANGING
            self._player.audio_set_track(-1)  # the output is free once libVLC says so

    @property
    def _is_short(self) -> bool:
        playback = self._playback
        if playback.kind is MediaType.AUDIO and (playback.phase is Phase.ENDED or self._log.read_to_end):
            return True
        return 0 < playback.length_ms < SHORT_S * 1000

    def _read_again(self, *, from_the_start: bool) -> None:
        # What was buffered (1-2 s of it) was read without its sound. Without this the sound sets in that much later,
        # and breaks off again for 0.2 s; with it the first picture stands for some 0.1 s, and then both go on.
        begin_ms = round(self._playback.begin_at * 1000)
        self._playback.go_to(begin_ms if from_the_start else max(begin_ms, self._player.get_time()))
