"""The time from the command to the first picture on the screen, player beside player."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial

from bench.agent import Agent
from bench.lab import SEEN_S, Lab
from bench.media import Stream
from bench.numbers import Series
from bench.players import BareProcess, Contender, IdleMpv, WarmAgent, cold_mpv, fresh_vlc
from bench.report import Bar, Point, Table

REST_S = 0.3
"""The pause between a ready player and its command: the player before was killed, and neither the X server, which takes
its windows away, nor the kernel, which takes its memory back, tells when that is over."""

WARM_RATIO, FRESH_RATIO = 1.2, 0.5

Times = Mapping[str, Mapping[str, Series]]
"""Seconds to the first picture by kind of media and by player."""


def measure(lab: Lab) -> Point:
    """Raises TimeoutError when a player shows nothing."""
    eye = lab.other_eye
    kinds = {"MP4": lab.media.mp4, "HLS": lab.media.hls, "live TS": lab.media.ts}
    with Agent(lab.agent_eye.display, lab.env) as agent:
        warm = BareProcess(eye, lab.env)
        rolled = BareProcess(eye, lab.env, preroll=True)
        vlc = fresh_vlc(eye, lab.env)
        us = WarmAgent(agent, lab.agent_eye)
        all_: list[Contender] = [us, warm, rolled, vlc, cold_mpv(eye, lab.env), IdleMpv(eye, lab.env)]
        times = {kind: rounds(lab, all_, kind, stream) for kind, stream in kinds.items()}
    bars = []
    for kind in ("MP4", "HLS"):
        mine = times[kind][us.name]
        for other, limit in ((warm, WARM_RATIO), (vlc, FRESH_RATIO)):
            ratio_ = mine.over(times[kind][other.name])
            promise = f"first pixel of {kind} at most {limit} x {other.name}"
            bars.append(Bar(promise, ratio_.median <= limit, f"{ratio_.median:.2f}"))
    return Point(
        name="first-pixel",
        title="From the command to the first picture on the screen, ms",
        table=Table(("player", "ms: median [quartiles] range", "agent / player"), rows_of(times, us)),
        bars=tuple(bars),
        notes=(
            f"{lab.scale.pixel_rounds} rounds in turn; ratios are taken within a round. No player opens sound.",
            "agent: POST /start on a new connection, spare ready. libVLC draws with GL everywhere here;",
            "mpv with --vo=x11, because its --vo=gpu shows nothing in an embedded window under GL in software.",
        ),
        raw=raw_of(times),
    )


def rows_of(times: Times, us: Contender) -> tuple[tuple[str, ...], ...]:
    """A row for each kind and player: the player, milliseconds, and how many times as long `us` takes."""
    rows = []
    for kind, seconds in times.items():
        for name, theirs in seconds.items():
            ratio = "" if name == us.name else seconds[us.name].over(theirs).text(2)
            rows.append((f"{kind}: {name}", Series.of([s * 1000 for s in theirs.values]).text(), ratio))
    return tuple(rows)


def raw_of(times: Times) -> dict[str, object]:
    by_kind = {kind: {name: series.values for name, series in seconds.items()} for kind, seconds in times.items()}
    return {"first_pixel_s": by_kind}


def rounds(
    lab: Lab,
    contenders: Sequence[Contender],
    kind: str,
    stream: Stream,
    moment: Callable[[int], None] = lambda number: None,
) -> dict[str, Series]:
    """Seconds to the first picture of each contender, in turn. `moment` returns when the command of a round may be
    given."""
    times: dict[str, list[float]] = {contender.name: [] for contender in contenders}
    for number in range(lab.scale.pixel_rounds):
        lab.say(f"first pixel of {kind}, round {number + 1} of {lab.scale.pixel_rounds}")
        for contender in contenders:
            times[contender.name].append(_once(contender, stream, partial(moment, number)))
    return {name: Series.of(seconds) for name, seconds in times.items()}


def _once(contender: Contender, stream: Stream, moment: Callable[[], None]) -> float:
    try:
        contender.prepare()
        time.sleep(REST_S)
        moment()
        began = time.perf_counter()
        contender.go(stream.url)
        try:
            return contender.eye.first_seen(stream.colour, timeout_s=SEEN_S) - began
        except TimeoutError as error:
            raise TimeoutError(f"{contender.name}: {error}") from error
    finally:
        contender.finish()
