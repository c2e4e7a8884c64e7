"""The time after which pictures move again once a live source that was away is back."""

from __future__ import annotations

import contextlib
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass

from bench.agent import Agent
from bench.lab import SEEN_S, Lab
from bench.media import MediaProcess
from bench.movement import Movement, back_after
from bench.numbers import Series
from bench.players import Contender, FreshProgram, WarmAgent, looping_mpv, looping_vlc, mpv_for_cameras
from bench.report import Bar, Point, Table
from bench.screens import Eye
from bench.sources import Camera, HttpSource, LiveSource
from tests.support.clips import Clips
from tests.support.rtsp_server import RtspServer

BACK_S = 2.0
"""The bar, for the median."""

OUTAGE_S = (1.0, 8.0)
"""The range of outages: from a plug that is pulled and put back to a camera that restarts."""
SEED = 3
"""The same outages in every run."""

STEADY_S = 2.0
"""The time for which everything plays before the source goes away."""
COMPARE_EVERY_S = 0.05
"""The threads that look on note when they saw what; this adds nothing to it, and takes no core from the players."""
GIVE_UP_S = 10.0
"""A player that is not back so long after the source counts as not back."""

SURELY_S = {"RTSP camera": 2.0, "live TS": 3.0, "live HLS": 8.0}
"""The time for which pictures must move after the return to be back for good: longer than the store of a player."""


@dataclass(frozen=True, slots=True)
class Return:
    """The result of one player in one outage."""

    outage_s: float
    back_s: float | None
    """None when it was not back after GIVE_UP_S."""


Returns = dict[str, list[Return]]
"""The results by the player's name, one for each outage in turn."""


def measure(lab: Lab) -> Point:
    """Raises TimeoutError when a player shows nothing at first, RuntimeError when there is no RTSP server."""
    found: dict[str, Returns] = {}
    with contextlib.ExitStack() as running:
        cameras = running.enter_context(RtspServer(Clips()))
        server = MediaProcess()
        media = running.enter_context(server)
        agent = running.enter_context(Agent(lab.agent_eye.display, lab.env))
        third = running.enter_context(Eye())
        us, env = WarmAgent(agent, lab.agent_eye), lab.env
        force, inf = "--loop-playlist=force", "--loop-playlist=inf"
        vlc, mpv = looping_vlc(lab.other_eye, env), looping_mpv(third, env, force)
        pairings: list[tuple[LiveSource, list[Contender]]] = [
            (Camera(cameras), [us, mpv_for_cameras(lab.other_eye, env, force), mpv_for_cameras(third, env, inf)]),
            (HttpSource("live TS", media.ts, server), [us, vlc, mpv]),
            (HttpSource("live HLS", media.live_hls, server), [us, vlc, mpv]),
        ]
        for source, contenders in pairings:
            found[source.name] = _outages(lab, source, contenders)
    rows, bars = [], []
    for source_name, returns in found.items():
        mine = _seconds(returns[us.name])
        for name, all_ in returns.items():
            back = f"{sum(one.back_s is not None for one in all_)} of {len(all_)}"
            ratio = "" if name == us.name else _ratio(mine, _seconds(all_))
            rows.append((f"{source_name}: {name}", back, _seconds(all_).text(2), ratio))
        promise = f"{source_name}: moving again within {BACK_S:g} s (median), every time"
        every = all(one.back_s is not None for one in returns[us.name])
        bars.append(Bar(promise, every and mine.median <= BACK_S, f"{mine.median:.2f} s, longest {mine.high:.2f} s"))
    return Point(
        name="reconnect",
        title="From the return of a live source to pictures that move, s",
        table=Table(("source: player", "back", "s: median [quartiles] range", "agent / player"), tuple(rows)),
        bars=tuple(bars),
        notes=(
            f"{lab.scale.outages} outages of {OUTAGE_S[0]:g}-{OUTAGE_S[1]:g} s: the server is killed, then started;",
            "an HLS begins with segment 0 then. Counted from when it takes connections until pictures move for good;",
            f"all players of a source have the same ones. Not back within {GIVE_UP_S:g} s counts as {GIVE_UP_S:g} s.",
            "mpv with inf drops a source that refuses it, and ends; with force it asks again without a pause.",
        ),
        raw={
            "back_s": {
                source: {name: [(one.outage_s, one.back_s) for one in all_] for name, all_ in returns.items()}
                for source, returns in found.items()
            }
        },
    )


def _outages(lab: Lab, source: LiveSource, contenders: Sequence[Contender]) -> Returns:
    dice = random.Random(SEED)
    returns: Returns = {contender.name: [] for contender in contenders}
    for number in range(lab.scale.outages):
        outage_s = dice.uniform(*OUTAGE_S)
        lab.say(f"{source.name}: outage {number + 1} of {lab.scale.outages}, {outage_s:.1f} s")
        for name, back_s in _outage(source, contenders, outage_s).items():
            returns[name].append(Return(outage_s, back_s))
    return returns


def _outage(source: LiveSource, contenders: Sequence[Contender], outage_s: float) -> dict[str, float | None]:
    with contextlib.ExitStack() as playing:
        movements: dict[str, Movement] = {}
        for contender in contenders:
            playing.callback(contender.finish)
            contender.prepare()
            movements[contender.name] = playing.enter_context(Movement(contender.eye))
        for contender in contenders:
            contender.go(source.stream.url)
        for movement in movements.values():
            movement.wait_steady(STEADY_S, timeout_s=SEEN_S)
        source.lose_power()
        time.sleep(outage_s)
        returned_at = source.regain_power()
        programs = [contender for contender in contenders if isinstance(contender, FreshProgram)]
        return _returns(movements, programs, returned_at, surely_s=SURELY_S[source.name])


def _returns(
    movements: dict[str, Movement], programs: Sequence[FreshProgram], returned_at: float, *, surely_s: float
) -> dict[str, float | None]:
    """Watch until everybody is back for good, has ended, or has had the time for it."""
    back: dict[str, float | None] = dict.fromkeys(movements)
    while True:
        now = time.monotonic()
        ended = {program.name for program in programs if program.has_ended}
        steady = True
        for name, movement in movements.items():
            since = movement.since()
            back[name] = back_after(since, returned_at=returned_at)
            is_back = since is not None and now - max(since, returned_at) >= surely_s
            steady = steady and (is_back or name in ended)
        if steady or now - returned_at > GIVE_UP_S + surely_s:
            return {name: seconds if (seconds or 0.0) <= GIVE_UP_S else None for name, seconds in back.items()}
        time.sleep(COMPARE_EVERY_S)


def _seconds(returns: Sequence[Return]) -> Series:
    return Series.of([GIVE_UP_S if one.back_s is None else one.back_s for one in returns])


def _ratio(mine: Series, theirs: Series) -> str:
    """A player that never stood still took no time, and nothing can be divided by that."""
    return mine.over(theirs).text(2) if theirs.low > 0 else "-"
