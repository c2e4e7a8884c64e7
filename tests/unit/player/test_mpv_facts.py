"""The facts that are derived from the numbers of mpv."""

from __future__ import annotations

from agent.player.mpv.facts import OBSERVED, Facts
from agent.types import MediaType, StreamType


def test_lost_pictures_are_those_of_the_output_and_of_the_decoder() -> None:
    """Also once the media has ended, when mpv has no numbers any more."""
    facts = Facts(lambda: 0.0)
    assert facts.progress().lost == 0
    for name, number in (("frame-drop-count", 3), ("decoder-frame-drop-count", 2)):
        assert name in OBSERVED
        facts.observed(name, number)
    assert facts.progress().lost == 5
    for name in OBSERVED:
        facts.observed(name, None)
    assert facts.progress().lost == 5


def test_a_dash_stream_whose_length_grows_is_live() -> None:
    """FFmpeg says of both that they can be sought in. A sound whose length is an estimate is no stream."""
    for lengths, in_dash, stream_type in (
        ((4.0, 6.0), True, StreamType.LIVE),
        ((10.0, 10.0), True, StreamType.BUFFERED),
        ((4.0, 6.0), False, StreamType.BUFFERED),
    ):
        facts = Facts(lambda: 0.0)
        facts.kind = MediaType.VIDEO
        facts.observed("seekable", True)
        for length in lengths:
            facts.lasts(length, in_dash=in_dash)
        facts.observed("seekable", None)  # it has ended
        report = facts.progress()
        assert (report.stream_type, report.duration is None) == (stream_type, stream_type is StreamType.LIVE)
