"""The conditions under which a stream counts as playing."""

from __future__ import annotations

from typing import Any

import pytest

from agent.casting.liveness import STILL_AFTER_S, Liveness
from agent.player.base import Report
from agent.types import MediaType, PlayerState, StreamType


def report(at: float, **fields: Any) -> Report:
    return Report(at=at, **fields)


def film(at: float, **fields: Any) -> Report:
    return report(at, stream_type=StreamType.BUFFERED, **fields)


def live(at: float, **fields: Any) -> Report:
    return report(at, stream_type=StreamType.LIVE, **fields)


def test_the_first_picture_alone_is_not_motion() -> None:
    """A live stream that shows its first picture and stands still until it has buffered is `buffering`."""
    liveness = Liveness(MediaType.VIDEO, began_at=10.0)
    liveness.observe(report(10.2, pictures=1))
    assert liveness.state(10.3) is PlayerState.BUFFERING
    liveness.observe(report(11.0, pictures=2))
    assert liveness.state(11.1) is PlayerState.PLAYING


def test_it_stops_playing_when_nothing_advances() -> None:
    """Reports that say the same again are no motion, however fresh they are."""
    liveness = Liveness(MediaType.VIDEO, began_at=0.0)
    liveness.observe(report(1.0, pictures=25))
    for at in (2.0, 3.0, 4.0):
        liveness.observe(report(at, pictures=25))
    assert liveness.state(1.0 + STILL_AFTER_S) is PlayerState.PLAYING
    assert liveness.state(1.1 + STILL_AFTER_S) is PlayerState.BUFFERING
    assert liveness.still_for(4.0) == pytest.approx(3.0)
    liveness.observe(report(5.0, pictures=26))
    assert liveness.state(5.1) is PlayerState.PLAYING


def test_sound_alone_proves_a_radio() -> None:
    """A camera whose sound goes on while its picture stands does not play; a radio without pictures does."""
    camera, radio = Liveness(MediaType.VIDEO, began_at=0.0), Liveness(MediaType.AUDIO, began_at=0.0)
    for liveness in (camera, radio):
        for tick in range(1, 41):
            at = tick / 4
            liveness.observe(live(at, pictures=min(tick, 8) * 6, audio_buffers=tick * 10))
    assert camera.state(10.0) is PlayerState.BUFFERING
    assert camera.still_for(10.0) == pytest.approx(8.0)
    assert radio.state(10.0) is PlayerState.PLAYING


def test_a_film_of_slides_plays() -> None:
    """Its picture stands for minutes; its player's clock runs, with sound or without, and that is how it is meant."""
    liveness = Liveness(MediaType.VIDEO, began_at=0.0)
    for tick in range(1, 400):
        liveness.observe(film(tick / 4, clock=tick / 4, pictures=int(tick / 160)))
        assert liveness.still_for(tick / 4) == 0.0 or tick == 1
        assert liveness.state(tick / 4) is PlayerState.PLAYING or tick == 1


def test_a_film_whose_source_stops_stands_still() -> None:
    """Then its clock stands, too, whatever it showed before."""
    for pictures in (2, 100):
        liveness = Liveness(MediaType.VIDEO, began_at=0.0)
        for tick in range(1, 41):
            liveness.observe(film(tick / 4, clock=min(tick, 20) / 4, pictures=pictures))
        assert liveness.still_for(10.0) == pytest.approx(5.0)
        assert liveness.state(10.0) is PlayerState.BUFFERING


def test_a_player_without_a_clock_is_believed_its_pictures_only() -> None:
    liveness = Liveness(MediaType.VIDEO, began_at=0.0)
    for tick in range(1, 41):
        liveness.observe(film(tick / 4, clock=None, pictures=min(tick, 20)))
    assert liveness.still_for(10.0) == pytest.approx(5.0)


def test_a_live_stream_that_always_was_slow_plays_while_it_is_heard() -> None:
    """A radio with a slide every 10 s, once it is known for that: sound before the second picture of a camera is no
    slide. When its sound stops, it stands still."""
    liveness = Liveness(MediaType.VIDEO, began_at=0.0)
    for tick in range(1, 201):
        liveness.observe(live(tick / 4, pictures=1 + tick // 40, audio_buffers=tick * 10))
        known = tick / 4 > STILL_AFTER_S
        assert liveness.state(tick / 4) is (PlayerState.PLAYING if known else PlayerState.BUFFERING)
    for tick in range(201, 221):
        liveness.observe(live(tick / 4, pictures=6, audio_buffers=2000))
    assert liveness.still_for(55.0) == pytest.approx(5.0)


def test_a_slow_live_stream_without_sound_stands_still() -> None:
    """Nothing tells it from one that broke off."""
    liveness = Liveness(MediaType.VIDEO, began_at=0.0)
    for tick in range(1, 31):
        liveness.observe(live(tick / 4, pictures=2))
    assert liveness.still_for(7.5) == pytest.approx(7.25)


def test_a_still_image_plays_while_it_is_shown() -> None:
    """Nothing of a still image is meant to advance, and it never stalls."""
    liveness = Liveness(MediaType.IMAGE, began_at=0.0)
    assert liveness.state(1000.0) is PlayerState.PLAYING
    assert liveness.still_for(1000.0) == 0.0


def slow_camera(every_s: float, *, until_s: float, liveness: Liveness, stops_at: float = 1e9) -> list[PlayerState]:
    """The states, four times a second, while the source sends a picture each `every_s`."""
    states = []
    for tick in range(1, int(until_s * 4)):
        at = tick / 4
        liveness.observe(live(at, pictures=1 + int(min(at, stops_at) / every_s)))
        states.append(liveness.state(at))
    return states


@pytest.mark.parametrize("every_s", [1.9, 2.0, 5.0, 10.0])
def test_a_slow_source_plays_from_its_second_picture_on(every_s: float) -> None:
    """It never stands between two of its pictures, and it stands when one is overdue."""
    liveness = Liveness(MediaType.VIDEO, began_at=0.0)
    states = slow_camera(every_s, until_s=every_s * 6, liveness=liveness, stops_at=every_s * 4)
    second = int(every_s * 4)
    assert set(states[: second - 1]) == {PlayerState.BUFFERING}
    assert set(states[second + 1 : second * 5]) == {PlayerState.PLAYING}
    assert states[-1] is PlayerState.BUFFERING


def test_one_hiccup_is_no_rhythm() -> None:
    """A camera that stood for a while and went on stands after the usual time the next time."""
    liveness = Liveness(MediaType.VIDEO, began_at=0.0)
    for tick in range(1, 81):
        at = tick / 4
        pictures = 1 + tick * 6 if at < 5 else 121 + max(0, int((at - 10) * 25)) if at < 15 else 246
        liveness.observe(live(at, pictures=pictures))
    assert liveness.rhythm < 0.5
    assert liveness.state(15.0 + STILL_AFTER_S + 0.3) is PlayerState.BUFFERING


def test_a_film_and_what_has_sound_have_no_rhythm() -> None:
    """A film's clock tells, and sound that stops is no slow picture."""
    for sound, kind in ((0, StreamType.BUFFERED), (10, StreamType.LIVE)):
        liveness = Liveness(MediaType.VIDEO, began_at=0.0)
        for tick in range(1, 41):
            liveness.observe(report(tick / 4, stream_type=kind, pictures=1 + tick // 16, audio_buffers=sound))
        assert liveness.rhythm == 0.0
