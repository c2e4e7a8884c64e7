"""The states of libVLC's media and of its audio track, with a player that only records what it is told."""

from __future__ import annotations

from typing import Any

import pytest

from agent.player.vlc.hearing import Hearing
from agent.player.vlc.inbox import Inbox
from agent.player.vlc.log_reader import LogReader
from agent.player.vlc.playback import Phase, Playback
from agent.types import MediaType


class Output:
    """A SoundOutput that can always be made; tells how often it was made anew."""

    wanted = True
    made_anew = 0
    is_shared = True
    heard = True

    def make(self, *, anew: bool = False) -> bool:
        self.made_anew += anew
        return True


class Stats:
    """libVLC's counts of a film whose pictures go on while none of its sound is played."""

    displayed_pictures = played_abuffers = lost_abuffers = 0


class Vlc:
    """The module and the media player in one."""

    def __init__(self) -> None:
        self.tracks: list[int] = []
        """The tracks that were chosen, one after the other."""

    MediaStats = Stats

    def is_seekable(self) -> bool:
        return False

    def audio_get_track_description(self) -> list[tuple[int, bytes]]:
        return [(-1, b"Disable"), (4, b"Track 1")]

    def audio_get_track(self) -> int:
        return self.tracks[-1]

    def audio_set_track(self, track: int) -> None:
        self.tracks.append(track)

    def set_pause(self, on: int) -> None:
        pass


class Bench:
    def __init__(self) -> None:
        self.vlc, self.output, self.done = Vlc(), Output(), 0
        log = LogReader()
        self.playback = Playback(self.vlc, None, self.vlc, log=log, inbox=Inbox())
        self.playback.kind = MediaType.VIDEO
        self.playback.tracks = {0.0, 1.0}
        self.playback.enter(Phase.PLAYING)
        output: Any = self.output
        self.hearing = Hearing(
            self.vlc, self.playback, output=output, log=log, languages=(), done=self._done, read_log=lambda: None
        )

    def _done(self) -> None:
        self.done += 1

    def lose_sound(self) -> None:
        """A film whose output refuses what it is given, for as long as it takes to notice."""
        for now in (100.0, 102.0):
            self.playback.facts.counts.displayed_pictures += 10
            self.hearing.device_refused()
            self.hearing.look_for_lost_sound(now, paused=False)


def test_the_sound_has_been_left_once_libvlc_says_so() -> None:
    """Its device is open until then; a player that was never given the sound has none to leave."""
    bench = Bench()
    bench.hearing.leave()
    assert bench.done == 1
    bench.hearing.take()
    bench.hearing.leave()
    assert (bench.vlc.tracks, bench.done) == ([4, -1], 1)
    bench.hearing.track_changed()
    bench.hearing.track_changed()
    assert bench.done == 2


def test_a_sound_that_is_taken_again_before_it_was_left_is_not_left() -> None:
    """A late report of libVLC is about the track before."""
    bench = Bench()
    bench.hearing.take()
    bench.hearing.leave()
    bench.hearing.take()
    bench.hearing.track_changed()
    assert (bench.vlc.tracks, bench.done) == ([4, -1, 4], 0)


def test_a_sound_is_prepared_where_others_may_be_heard_meanwhile() -> None:
    """It is read once, muted, and only unmuted when the player is given it."""
    bench = Bench()
    bench.hearing.take(heard=False)
    assert (bench.vlc.tracks, bench.hearing.on, bench.output.heard) == ([4], True, False)
    bench.hearing.take()
    assert (bench.vlc.tracks, bench.hearing.on, bench.output.heard) == ([4], True, True)
    bench.hearing.leave()
    bench.hearing.track_changed()
    bench.hearing.take()
    assert bench.vlc.tracks == [4, -1, 4], "it was taken away in between"


def test_no_sound_is_prepared_for_a_device_that_one_player_has_alone() -> None:
    bench = Bench()
    bench.output.is_shared = False
    bench.hearing.take(heard=False)
    assert (bench.vlc.tracks, bench.hearing.on) == ([], False)
    bench.hearing.take()
    assert (bench.vlc.tracks, bench.output.heard) == ([4], True)


def test_a_lost_sound_is_chosen_again_with_a_new_output() -> None:
    """The choice takes two steps: libVLC has to leave the track before its output may be replaced."""
    bench = Bench()
    bench.hearing.take()
    bench.lose_sound()
    assert (bench.vlc.tracks, bench.output.made_anew) == ([4, -1], 0)
    bench.hearing.track_changed()
    assert (bench.vlc.tracks, bench.output.made_anew) == ([4, -1, 4], 1)


def test_a_sound_that_is_taken_away_while_it_is_sought_comes_back_on_its_track() -> None:
    """The track that was heard before is remembered, and not that there was none meanwhile."""
    bench = Bench()
    bench.hearing.take()
    bench.lose_sound()
    bench.hearing.leave()
    bench.hearing.track_changed()
    assert (bench.output.made_anew, bench.done) == (0, 1)
    bench.hearing.take()
    assert bench.vlc.tracks == [4, -1, 4]


@pytest.mark.parametrize("phase", [Phase.IDLE, Phase.PLAYING, Phase.ENDED])
def test_what_is_over_stays_over(phase: Phase) -> None:
    """The daemon was told how it ended, and hears of no second end."""
    playback = Bench().playback
    playback.enter(Phase.OVER)
    playback.enter(phase)
    assert playback.phase is Phase.OVER
