"""What counts as playing."""

from __future__ import annotations

import pytest

from agent.motion import STILL_AFTER_S, Motion
from agent.player.base import Progress
from agent.types import MediaType, PlayerState


def report(at: float, *, pictures: int = 0, audio_buffers: int = 0) -> Progress:
    return Progress(pictures=pictures, audio_buffers=audio_buffers, at=at)


def test_the_first_picture_alone_is_not_motion() -> None:
    """A live stream that shows its first picture and stands still until it has buffered is `buffering`."""
    motion = Motion(MediaType.VIDEO, began_at=10.0)
    motion.observe(report(10.2, pictures=1))
    assert motion.state(10.3) is PlayerState.BUFFERING
    motion.observe(report(11.0, pictures=2))
    assert motion.state(11.1) is PlayerState.PLAYING


def test_it_stops_playing_when_nothing_advances() -> None:
    """Reports that say the same again are no motion, however fresh they are."""
    motion = Motion(MediaType.VIDEO, began_at=0.0)
    motion.observe(report(1.0, pictures=25))
    for at in (2.0, 3.0, 4.0):
        motion.observe(report(at, pictures=25))
    assert motion.state(1.0 + STILL_AFTER_S) is PlayerState.PLAYING
    assert motion.state(1.1 + STILL_AFTER_S) is PlayerState.BUFFERING
    assert motion.still_for(4.0) == pytest.approx(3.0)
    motion.observe(report(5.0, pictures=26))
    assert motion.state(5.1) is PlayerState.PLAYING


def test_sound_does_not_prove_a_picture() -> None:
    """A video whose sound goes on while its picture stands still does not play; a radio without pictures does."""
    video, radio = Motion(MediaType.VIDEO, began_at=0.0), Motion(MediaType.AUDIO, began_at=0.0)
    for motion in (video, radio):
        motion.observe(report(0.5, audio_buffers=20))
    assert video.state(0.6) is PlayerState.BUFFERING
    assert radio.state(0.6) is PlayerState.PLAYING


def test_a_still_image_plays_while_it_is_shown() -> None:
    """Nothing of a still image is meant to advance, and it never stalls."""
    motion = Motion(MediaType.IMAGE, began_at=0.0)
    assert motion.state(1000.0) is PlayerState.PLAYING
    assert motion.still_for(1000.0) == 0.0
