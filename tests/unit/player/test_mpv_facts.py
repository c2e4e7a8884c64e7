"""The facts that are derived from the numbers of mpv."""

from __future__ import annotations

from agent.player.mpv.facts import OBSERVED, Facts


def test_lost_pictures_are_those_of_the_output_and_of_the_decoder() -> None:
    """They are known even after the media has ended, when mpv has no numbers any more."""
    facts = Facts(lambda: 0.0)
    assert facts.progress().lost == 0
    for name, number in (("frame-drop-count", 3), ("decoder-frame-drop-count", 2)):
        assert name in OBSERVED
        facts.observed(name, number)
    assert facts.progress().lost == 5
    for name in OBSERVED:
        facts.observed(name, None)
    assert facts.progress().lost == 5
