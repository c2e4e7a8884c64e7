"""The meaning of the end of a media in libVLC, or of a stop before it."""

from __future__ import annotations

from agent.player.reasons import broke_off
from agent.player.vlc.log_reader import LogReader
from agent.player.vlc.playback import Playback
from agent.player.vlc.reasons import only_picture_lost, piece_lost
from agent.types import Failure, MediaType

EARLY_END_S = 3.0
"""A film that ends this much before its length broke off; less is the rounding of containers."""

OUT_OF_STORE_S = 1.0
"""Without a new picture: what was in store has been shown. libVLC's counts are up to 0.5 s old."""

LOST_FOR_S = 10.0
"""The time after a playlist could not be read: up to three segments are in store, of 2 s as a rule."""

ENTRIES_AT_MOST = 100
ENTRY_LENGTH_AT_MOST = 500
"""Characters. All of a playlist goes through one line of the socket pair, which is 64 KiB at most."""


def lost_playlist(playback: Playback, log: LogReader, now: float) -> Failure | None:
    """The reason why a live stream stands whose playlist cannot be read again; None while it goes on. libVLC asks for
    the playlist for 14 s, and forever if the server is another one by then; opened again, the stream is there as soon
    as its server is."""
    lost = now - log.not_updated_at < LOST_FOR_S
    still = playback.kind is MediaType.VIDEO and now - playback.facts.moved_at > OUT_OF_STORE_S
    return log.reason(playback.url) if lost and still else None


def failure_at_end(playback: Playback, log: LogReader, *, heard: bool) -> Failure | None:
    """The reason why media that was seen or heard has ended before its end; None when it has finished. `heard`: with
    its sound."""
    position, duration = playback.facts.position(), playback.facts.duration()
    if log.live and not log.gave_up:
        # libVLC also ends a live playlist of which it could not have a segment, long before that has its end.
        reason = log.reason(playback.url)
        return piece_lost(playback.url, reason, live=True) if reason else None
    if position is not None and duration is not None and duration - position > EARLY_END_S:
        if not heard and not log.pictured and playback.has_sound:
            return only_picture_lost()
        if log.demuxer == "adaptive":  # its length may be rounded up; it ends early where a piece was not to be had
            reason = log.reason(playback.url)
            return piece_lost(playback.url, reason, live=False) if reason else None
        if playback.url.startswith("file:") or playback.facts.is_whole:
            return None  # the length is that of a late subtitle, or wrong
        return broke_off(playback.url, position=position, duration=duration)
    # Live does not finish: it was cut off, and the log knows why.
    return log.reason(playback.url) if duration is None else None


def waits_for_sound(playback: Playback, log: LogReader) -> bool:
    """Return True if all was seen or heard that could be without the sound, and the rest comes with it: a sound that is
    over before it was heard, or a film whose pictures are (one picture and music). Without the sound libVLC has nothing
    to wait for, and reads such a film to its end at once."""
    if playback.kind is MediaType.AUDIO:
        return True
    if not (playback.has_sound and playback.has_video):
        return False
    if playback.begin_at and not log.pictured and not playback.looked_back:
        playback.look_back()
        return True
    return playback.kind is MediaType.VIDEO and log.pictured


def entries(playback: Playback) -> list[str]:
    """The addresses in the playlist that the media turned out to be; what is too long for one is left out."""
    items = playback.subitems()
    if items is None:
        return []
    addresses = [items.item_at_index(i).get_mrl() or "" for i in range(min(items.count(), ENTRIES_AT_MOST))]
    return [a for a in addresses if a and len(a) <= ENTRY_LENGTH_AT_MOST]
