"""What is kept of a camera, and how it is told to who comes."""

from __future__ import annotations

from fractions import Fraction

from agent.player.camera.tail import BYTES_LIMIT, PACKETS_LIMIT, SECONDS_LIMIT, Packet, Tail

VIDEO, AUDIO = 0, 1
VIDEO_HZ, AUDIO_HZ, RATE_HZ = 90000, 8000, 25


def tail() -> Tail:
    return Tail(VIDEO, {VIDEO: Fraction(1, VIDEO_HZ), AUDIO: Fraction(1, AUDIO_HZ)})


def picture(seconds: float, *, is_key: bool = False, size: int = 10) -> Packet:
    at = round(seconds * VIDEO_HZ)
    return Packet(VIDEO, bytes(size), at, at, VIDEO_HZ // RATE_HZ, is_key)


def sound(seconds: float) -> Packet:
    at = round(seconds * AUDIO_HZ)
    return Packet(AUDIO, b"s", at, at, AUDIO_HZ // RATE_HZ, True)


def test_nothing_is_kept_before_a_key_frame() -> None:
    kept = tail()
    for packet in (picture(1.0), sound(1.0)):
        kept.add(packet)
    assert (kept.is_shown, kept.size, kept.seconds, kept.quick()) == (False, 0, 0.0, [])


def test_a_key_frame_ends_what_came_before_it() -> None:
    kept = tail()
    for packet in (picture(1.0, is_key=True), picture(1.04), sound(1.05), picture(2.0, is_key=True), picture(2.04)):
        kept.add(packet)
    assert (kept.size, round(kept.seconds, 2)) == (20, 0.04)
    assert [packet.is_key for packet in kept.quick()] == [True, False]


def test_what_is_kept_is_told_as_a_moment() -> None:
    """Four seconds of pictures take 40 ms, in their order, and end at the time of the newest; the sound before that is
    left out. From then on, times are those of the camera."""
    kept = tail()
    kept.add(picture(10.0, is_key=True))
    for number in range(1, 4 * RATE_HZ + 1):
        kept.add(sound(10 + (number - 0.5) / RATE_HZ))
        kept.add(picture(10 + number / RATE_HZ))
    kept.add(sound(14.01))
    *pictures, last_sound = kept.quick()
    assert {packet.track for packet in pictures} == {VIDEO}
    times = [packet.pts / VIDEO_HZ for packet in pictures]
    assert len(set(times)) == 4 * RATE_HZ + 1
    assert times == sorted(times)
    assert round(times[0], 3) == 13.96
    assert times[-1] == 14.0
    assert last_sound == sound(14.01)._replace(duration=0)


def test_pictures_that_are_shown_in_another_order_stay_in_it() -> None:
    """A picture that is sent before one that is shown sooner (B frames)."""
    kept = tail()
    for pts, dts in ((2, 0), (5, 1), (3, 2), (4, 3), (8, 4)):
        kept.add(Packet(VIDEO, b"p", pts * 3600, dts * 3600, 3600, pts == 2))
    told = kept.quick()
    assert [packet.dts for packet in told] == sorted({packet.dts for packet in told})
    order = sorted(range(4), key=lambda n: told[n].pts)
    assert order == [0, 2, 3, 1]
    assert all(packet.pts >= packet.dts for packet in told)


def test_sound_alone_is_bounded_and_costs_no_more_than_a_moment() -> None:
    """The pictures stop, and the sound goes on."""
    kept = tail()
    kept.add(picture(1.0, is_key=True))
    for number in range(PACKETS_LIMIT):
        kept.add(sound(1.0 + number / 50))
    assert (kept.is_shown, kept.outgrown) == (False, True)


def test_a_camera_that_never_sends_a_key_frame_is_told() -> None:
    kept = tail()
    for seconds in (1.0, SECONDS_LIMIT):
        kept.add(picture(seconds))
    assert not kept.outgrown
    kept.add(picture(SECONDS_LIMIT + 1.1))
    assert kept.outgrown


def test_too_much_without_a_key_frame_is_not_kept() -> None:
    """Until the next one; it is told why."""
    for packets in (
        [picture(n, size=BYTES_LIMIT // 3 + 1) for n in range(1, 4)],
        [picture(1.0), picture(SECONDS_LIMIT + 1.0)],
    ):
        kept = tail()
        kept.add(picture(0.0, is_key=True))
        for packet in packets:
            kept.add(packet)
        assert (kept.is_shown, kept.size, kept.outgrown) == (False, 0, True)
        kept.add(picture(40.0, is_key=True))
        assert (kept.is_shown, kept.outgrown) == (True, False)
