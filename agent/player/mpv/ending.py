"""The meaning of the end of a media in mpv."""

from __future__ import annotations

from agent.player.ffmpeg.reasons import broke_off
from agent.player.mpv.facts import Facts
from agent.player.mpv.log_reader import LogReader
from agent.types import Failure

EARLY_END_S = 3.0
"""A film that ends this much before its length broke off; less is the rounding of containers."""

_IN_PIECES = ("hls", "dash")
"""Formats that tell no size that could be compared; a piece that could not be had is in the log."""


def failure_at_end(facts: Facts, log: LogReader, url: str, *, file_format: str, size: int | None) -> Failure | None:
    """The reason why media that was seen or heard has ended before its end; None when it has finished. `size` in
    bytes."""
    position, duration, reason = facts.position(), facts.length(), log.reason(url)
    if duration is None:
        return reason  # live does not finish: it was cut off, and the log knows why
    # If all came that was announced, the length is that of a late subtitle, rounded up by a playlist, or wrong.
    is_announced = size is not None or file_format in _IN_PIECES
    is_whole = is_announced and not log.was_cut_off and reason is None
    if position is None or duration - position <= EARLY_END_S or is_whole:
        return None
    return broke_off(url, position=position, duration=duration)
