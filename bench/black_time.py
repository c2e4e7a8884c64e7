"""The time for which a switch leaves the screen with neither the old nor the new picture, or with one that stands
still."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import astuple, dataclass
from functools import cache
from itertools import pairwise

from bench.agent import Agent
from bench.lab import SEEN_S, Lab
from bench.media import Stream
from bench.numbers import Series
from bench.players import BareProcess
from bench.report import Bar, Point, Table
from bench.screens import Eye
from tests.support.colours import name_of
from tests.support.recorder import Recording, ScreenRecorder

HANG_S = 5.0
"""libVLC's `stop()` was measured to hang for over 60 s on a trickling HLS; past this it counts as hanging."""

SHOWN_S = 1.0
"""The time for which a picture is on before the next switch: black that comes late is seen, too."""

AROUND_S = 0.5
"""Before and after the new picture: when black is to be expected. How often was looked then is told."""


@dataclass(frozen=True, slots=True)
class Switch:
    """One switch: which, when it was commanded and how long it was watched (monotonic)."""

    kind: str
    old: str
    new: str
    commanded_at: float
    until: float
    latency_s: float
    hung: bool = False
    broke: str = ""
    """The agent's words when the new stream ended by itself while it was watched."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """The findings about one switch."""

    kind: str
    latency_s: float
    hung: bool
    black_s: float
    still_s: float
    looks_per_s: float
    longest_pause_s: float
    """The longest pause between two looks while the picture changed: nothing shorter is certain to be seen."""
    broke: str
    instead: tuple[tuple[float, tuple[str, ...]], ...]
    """The colours that were seen while it was black: seconds after the command, and the colour of each point."""


def measure(lab: Lab) -> Point:
    """Raises TimeoutError when a player shows nothing."""
    eye, scale = lab.other_eye, lab.scale
    ours: list[Outcome] = []
    lent: list[Outcome] = []
    own: list[Outcome] = []
    with Agent(lab.agent_eye.display, lab.env) as agent:
        for number in range(scale.switch_rounds):
            lab.say(f"switches, round {number + 1} of {scale.switch_rounds}")
            ours += watched(lab.agent_eye, lambda: _agent_round(lab, agent))
            agent.stop()
            agent.wait_spare()
            if number < scale.bare_switch_rounds:
                lent += watched(eye, lambda: _bare_round(lab, BareProcess(eye, lab.env)))
                own += watched(eye, lambda: _bare_round(lab, BareProcess(eye, lab.env, own_window=True)))
    rate = Series.of([one.looks_per_s for one in ours])
    pause = Series.of([one.longest_pause_s * 1000 for one in ours])
    hung = sum(one.hung for one in (*lent, *own))
    broken = [f"{one.kind}: the new stream ended by itself while watched ({one.broke})" for one in ours if one.broke]
    return Point(
        name="black",
        title="A switch: black time and standstill, ms",
        table=Table(
            ("switch", "agent: black", "still", "to picture", "one player: black", "still", "own window: black"),
            tuple(_rows(ours, lent, own)),
        ),
        bars=(never_black(ours),),
        notes=(
            "Median (range). Black: neither the old nor the new picture at any of five points. Still: the longest time",
            "without a new picture; a live TS stands still until its buffer is full.",
            "one player: bare libVLC, stop() then play() in a window that stays; own window: in one that libVLC opens.",
            f"Of {len(lent) + len(own)} such switches {hung} hung in stop() for over {HANG_S:g} s: they count "
            f"{HANG_S * 1000:.0f} ms.",
            f"{rate.median:.0f} looks a second; longest pause between two looks around a switch: {pause.brief()} ms.",
            *broken,
        ),
        raw={name: [astuple(one) for one in all_] for name, all_ in (("agent", ours), ("lent", lent), ("own", own))}
        | {"columns": list(Outcome.__slots__)},
    )


def seen_of(recording: Recording, switch: Switch) -> Outcome:
    """The findings about a switch: the time for which any point of the screen was neither the old nor the new picture,
    or the old one again, and the time for which the row in which the clips move did not change."""
    samples = recording.between(switch.commanded_at, switch.until).samples
    black = still = 0.0
    instead: list[tuple[float, tuple[str, ...]]] = []
    arrived, moved_at = False, samples[0].at
    for sample, following in pairwise(samples):
        colours = tuple(map(_colour, sample.colours))
        seen = set(colours)
        if not seen <= ({switch.new} if arrived else {switch.old, switch.new}):
            black += following.at - sample.at
            if not instead or instead[-1][1] != colours:
                instead.append((sample.at - switch.commanded_at, colours))
        arrived = arrived or seen == {switch.new}
        still = max(still, following.at - moved_at)
        if following.row != sample.row:
            moved_at = following.at
    picture_at = switch.commanded_at + switch.latency_s
    around = recording.between(picture_at - AROUND_S, picture_at + AROUND_S)
    if switch.hung:
        black = still = HANG_S
    return Outcome(
        kind=switch.kind,
        latency_s=switch.latency_s,
        hung=switch.hung,
        black_s=black,
        still_s=still,
        looks_per_s=recording.rate_hz,
        longest_pause_s=around.longest_gap_s,
        broke=switch.broke,
        instead=tuple(instead),
    )


def watched(eye: Eye, round_: Callable[[], list[Switch]]) -> list[Outcome]:
    """Do a round and say what was seen of its switches. Raises what the round raises."""
    with ScreenRecorder(eye.display) as recorder:
        switches = round_()
        recording = recorder.stop()
    return [seen_of(recording, switch) for switch in switches]


def _circle(lab: Lab) -> list[tuple[str, Stream]]:
    """Each is switched to from the one before, beginning and ending with MP4."""
    media = lab.media
    return [
        ("to HLS", media.hls),
        ("to live TS", media.ts),
        ("to an HLS that gets stuck", media.stuck_hls),
        ("away from a stuck HLS", media.mp4),
    ]


def _agent_round(lab: Lab, agent: Agent) -> list[Switch]:
    def go(stream: Stream) -> bool:
        agent.start(stream.url)
        lab.agent_eye.first_seen(stream.colour, timeout_s=SEEN_S)
        return False

    def broke() -> str:
        status = agent.call("GET", "/status").body
        if status["status"] == "casting":
            return ""
        last = status["last"] or {}
        return f"{last.get('reason')}, {(last.get('error') or {}).get('message', 'without an error')}"

    return _round(lab, lab.agent_eye, ready=agent.wait_spare, go=go, broke=broke)


def _bare_round(lab: Lab, bare: BareProcess) -> list[Switch]:
    began = False

    def go(stream: Stream) -> bool:
        nonlocal began
        if began:
            bare.replace(stream.url)
            if not bare.hears(HANG_S):
                return True
        else:
            bare.go(stream.url)
        began = True
        bare.eye.first_seen(stream.colour, timeout_s=SEEN_S)
        return False

    try:
        bare.prepare()
        return _round(lab, bare.eye, ready=lambda: None, go=go, broke=str)
    finally:
        bare.finish()


def _round(
    lab: Lab, eye: Eye, *, ready: Callable[[], None], go: Callable[[Stream], bool], broke: Callable[[], str]
) -> list[Switch]:
    """`go` commands a stream and returns when it is seen, or True when that hangs: then the round is over.

    `broke` says why what was shown is on no more; nothing when it is on.
    """
    switches: list[Switch] = []
    old = lab.media.mp4
    ready()
    go(old)
    for kind, new in _circle(lab):
        ready()
        time.sleep(SHOWN_S)
        if old is lab.media.stuck_hls:
            eye.wait_stuck()
        commanded_at = time.monotonic()
        hung = go(new)
        latency_s = time.monotonic() - commanded_at
        time.sleep(SHOWN_S)
        until = time.monotonic()
        switches.append(Switch(kind, old.colour, new.colour, commanded_at, until, latency_s, hung, broke()))
        if hung:
            break
        old = new
    return switches


def never_black(outcomes: Sequence[Outcome]) -> Bar:
    clean = sum(one.black_s == 0 for one in outcomes)
    longest = max(one.black_s for one in outcomes)
    return Bar(
        f"black time 0 ms in {len(outcomes)} of {len(outcomes)} switches",
        clean == len(outcomes),
        f"{clean} of {len(outcomes)}, longest {longest * 1000:.0f} ms",
    )


def brief(outcomes: Sequence[Outcome], kind: str, value: Callable[[Outcome], float]) -> str:
    """A value of all switches of a kind, given in seconds, in ms."""
    values = [value(one) * 1000 for one in outcomes if one.kind == kind]
    return Series.of(values).brief() if values else "not measured"


def _rows(ours: Sequence[Outcome], lent: Sequence[Outcome], own: Sequence[Outcome]) -> Iterable[tuple[str, ...]]:
    for kind in dict.fromkeys(one.kind for one in ours):
        yield (
            kind,
            brief(ours, kind, lambda one: one.black_s),
            brief(ours, kind, lambda one: one.still_s),
            brief(ours, kind, lambda one: one.latency_s),
            brief(lent, kind, lambda one: one.black_s),
            brief(lent, kind, lambda one: one.still_s),
            brief(own, kind, lambda one: one.black_s),
        )


@cache
def _colour(rgb: int) -> str:
    return name_of((rgb >> 16, rgb >> 8 & 0xFF, rgb & 0xFF))
