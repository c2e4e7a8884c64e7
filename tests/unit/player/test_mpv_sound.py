"""The sound that mpv has lost: when it is missed, and when its track is chosen again."""

from __future__ import annotations

from agent.player.mpv.sound import SOUND_PAUSE_S, LostSound


def test_a_lost_output_is_missed_after_a_pause_and_sought_again_and_again() -> None:
    lost = LostSound()
    lost.output_changed(True)
    assert not lost.is_due(0.0, expected=True)
    lost.output_changed(False)
    assert not lost.is_due(1.0, expected=True)
    assert (lost.is_due(1.0 + SOUND_PAUSE_S, expected=True), lost.is_lost) == (True, True)
    assert (lost.is_due(1.5 + SOUND_PAUSE_S, expected=True), lost.is_lost) == (False, True)
    assert lost.is_due(1.0 + 2 * SOUND_PAUSE_S, expected=True)


def test_an_output_that_opens_again_is_lost_no_more() -> None:
    """An output that nobody misses, such as during a pause, is not lost either; and the pause before an attempt begins
    anew."""
    lost = LostSound()
    for change in (lambda: lost.output_changed(True), lambda: lost.is_due(SOUND_PAUSE_S, expected=False)):
        lost.output_changed(True)
        lost.output_changed(False)
        lost.is_due(0.0, expected=True)
        lost.is_due(SOUND_PAUSE_S, expected=True)
        assert lost.is_lost
        change()
        assert (lost.is_due(SOUND_PAUSE_S + 0.1, expected=True), lost.is_lost) == (False, False)


def test_a_box_that_was_never_heard_has_lost_nothing() -> None:
    """A device that comes later is tried all the same."""
    lost = LostSound()
    assert not lost.is_due(0.0, expected=True)
    assert (lost.is_due(SOUND_PAUSE_S, expected=True), lost.is_lost) == (True, False)
