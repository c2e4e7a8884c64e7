"""The callbacks of libVLC, which only enqueue, because a call from inside one deadlocks."""

from __future__ import annotations

import queue
from typing import Any, NamedTuple

AUDIO, VIDEO = 0.0, 1.0
"""Kinds of track, as libvlc_track_type_t has them."""


class PlayerEvent(NamedTuple):
    name: str
    value: float = 0.0


def subscribe(vlc: Any, player: Any, inbox: queue.SimpleQueue[Any]) -> None:
    """Have the events of a media player put into `inbox`, under libVLC's names without their `MediaPlayer`."""
    events, kinds = player.event_manager(), vlc.EventType

    def enqueue(event: Any, name: str, read: Any) -> None:
        inbox.put(PlayerEvent(name, read(event) if read else 0.0))

    for kind, read in (
        (kinds.MediaPlayerEncounteredError, None),
        (kinds.MediaPlayerEndReached, None),
        (kinds.MediaPlayerVout, lambda e: float(e.u.new_count)),
        # The first field of these two is the kind of track.
        (kinds.MediaPlayerESAdded, lambda e: float(e.u.new_status)),
        (kinds.MediaPlayerESSelected, lambda e: float(e.u.new_status)),
    ):
        events.event_attach(kind, enqueue, str(kind).rpartition("MediaPlayer")[2], read)
