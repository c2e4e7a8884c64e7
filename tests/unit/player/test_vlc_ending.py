"""The meaning of the end of a recorded playlist."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from agent.player.vlc.ending import failure_at_end
from agent.player.vlc.log_reader import LogLine, LogReader
from agent.types import ErrorCode

DEBUG = 0


@pytest.mark.parametrize(
    ("lines", "code"),
    [
        ([], None),
        (["incoming response:\nHTTP/1.1 404 Not Found\r\n"], ErrorCode.MEDIA_NOT_FOUND),
        (["incoming response:\nHTTP/1.1 500 Internal Server Error\r\n"], ErrorCode.MEDIA_NETWORK),
    ],
)
def test_a_recording_ends_early_only_where_a_piece_was_not_to_be_had(lines: list[str], code: ErrorCode | None) -> None:
    """Its length is the sum of what its playlist says of each piece, which servers round up."""
    log = LogReader()
    for text in ['using demux module "adaptive"', *lines]:
        log.read(LogLine(DEBUG, text))
    facts = SimpleNamespace(position=lambda: 40.0, duration=lambda: 100.0)
    playback: Any = SimpleNamespace(url="http://nas.local/film.m3u8", has_sound=False, facts=facts)
    failure = failure_at_end(playback, log, heard=False)
    assert (failure and failure.code) == code
    assert failure is None or failure.message.startswith("A piece of the recording of nas.local was missing. ")
