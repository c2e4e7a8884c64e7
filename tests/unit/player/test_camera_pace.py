"""The pace of what is kept ready: cameras as they come, pieces of HLS one after the other, and nothing ever later."""

from __future__ import annotations

import pytest

from agent.player.camera.pace import FLOW_S, JUMP_LIMIT_S, WINDOW_S, ClockJumpedError, Pace

RATE_HZ = 25
LIVE_FOR_S = 4 * WINDOW_S


def waits(comes_at: list[tuple[float, float]]) -> list[float]:
    """How long each packet waits, of the times by the camera's clock and by ours."""
    pace = Pace()
    return [pace.due(at, now) - now for at, now in comes_at]


def pictures(seconds: float) -> list[float]:
    return [number / RATE_HZ for number in range(int(seconds * RATE_HZ))]


def test_what_comes_in_time_is_passed_on_at_once() -> None:
    assert max(waits([(at, at + 1000.0) for at in pictures(LIVE_FOR_S)])) == pytest.approx(0.0)


def test_a_slow_camera_is_no_clock_that_jumps() -> None:
    """Ten seconds between two pictures, by both clocks."""
    assert waits([(at, at + 7.0) for at in (5.0, 15.0, 25.0, 35.0)]) == [0.0] * 4


def test_jitter_delays_nothing() -> None:
    """Each eighth picture is half a second late."""
    comes = [(at, at + (0.5 if number % 8 == 0 else 0.0)) for number, at in enumerate(pictures(LIVE_FOR_S))]
    assert max(waits(sorted(comes, key=lambda packet: packet[1]))) == 0.0


@pytest.mark.parametrize("length_s", [2.0, 6.0, 10.0])
def test_pieces_become_one_flow(length_s: float) -> None:
    """All of a piece comes at once, at its end; it is passed on as it was recorded. At first only it may be a flow."""
    comes = [(at, (at // length_s + 1) * length_s) for at in pictures(LIVE_FOR_S)]
    passed = [now + wait for (_, now), wait in zip(comes, waits(comes), strict=True)]
    delays = [due - at for (at, _), due in zip(comes, passed, strict=True)]
    began = round(FLOW_S * RATE_HZ) + 1
    assert delays[began:] == pytest.approx([length_s] * len(comes[began:]), abs=1e-6)


def test_a_late_piece_delays_what_follows_for_a_while_only() -> None:
    length_s, late_s = 2.0, 1.5
    comes = [
        (at, (at // length_s + 1) * length_s + (late_s if 20.0 <= at < 22.0 else 0.0)) for at in pictures(LIVE_FOR_S)
    ]
    delays = [now + wait - at for (at, now), wait in zip(comes, waits(comes), strict=True)]
    assert max(delays) == pytest.approx(length_s + late_s, abs=0.01)
    assert delays[-1] == pytest.approx(length_s, abs=0.01)


def test_what_a_server_had_kept_does_not_delay_it_for_long() -> None:
    """Five seconds come at once at the beginning; 15 s later it is live."""
    comes = [(at, max(at, 5.0)) for at in pictures(20.0)]
    assert waits(comes)[-1] == pytest.approx(0.0, abs=0.01)


def test_a_clock_that_runs_fast_does_not_add_up() -> None:
    """A thousandth, ten times what clocks differ by."""
    comes = [(at * 1.001, at) for at in pictures(40 * WINDOW_S)]
    assert max(waits(comes)) < 2.5 * WINDOW_S / 1000


@pytest.mark.parametrize(
    ("at", "now"),
    [
        (10.0 + JUMP_LIMIT_S + 1.0, 10.0),
        (10.0 - JUMP_LIMIT_S - 1.0, 10.0),
        (10.0, 10.0 + JUMP_LIMIT_S + 1.0),
    ],
)
def test_a_clock_that_is_set_and_what_is_far_too_late_are_noticed(at: float, now: float) -> None:
    pace = Pace()
    pace.due(10.0, 10.0)
    with pytest.raises(ClockJumpedError):
        pace.due(at, now)
