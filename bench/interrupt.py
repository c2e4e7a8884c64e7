"""A stream that interrupts a film, and the film again: black time and standstill on the screen."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import astuple
from urllib.parse import urlsplit

from bench.agent import Agent
from bench.black_time import SHOWN_S, Outcome, Switch, brief, never_black, watched
from bench.lab import SEEN_S, Lab
from bench.media import Stream
from bench.numbers import Series
from bench.players import LOW_LATENCY, IdleMpv
from bench.report import Bar, Point, Table
from bench.screens import Eye
from tests.support.clips import Clips
from tests.support.rtsp_server import SPARSE_S, RtspServer
from tests.support.tools import wait_until

READY = f"a ready camera, key frame each {SPARSE_S} s"
HOOK = f"a hook of {READY}"
READY_MS = 50.0
READY_P95_MS = 100.0
"""The bars."""
READY_WITHIN_S = 30.0
"""It is connected to at once, and then waits for a key frame."""


def measure(lab: Lab) -> Point:
    """Raises TimeoutError when a player shows nothing, RuntimeError when there is no RTSP server."""
    ours: list[Outcome] = []
    theirs: list[Outcome] = []
    with RtspServer(Clips()) as cameras, _agent(lab, cameras.url("/red/sparse")) as agent:
        kinds = {
            HOOK: Stream(agent.command("hook", "add", "bell", "--preset", "camera"), "red"),
            READY: Stream(cameras.url("/red/sparse"), "red"),
            "the same camera, not ready": Stream(cameras.url("/red/sparse?other"), "red"),
            "an RTSP camera": Stream(cameras.url("/red/running"), "red"),
            "a live TS": lab.media.ts,
            "an HLS": lab.media.hls,
        }
        plain = {kind: stream for kind, stream in kinds.items() if kind not in (HOOK, READY)}
        rounds = max(lab.scale.interruptions // len(kinds), 1)
        for number in range(rounds):
            lab.say(f"interruptions, round {number + 1} of {rounds}")
            ours += watched(lab.agent_eye, lambda: _agent_round(lab, agent, kinds))
            agent.stop()
            if number < lab.scale.bare_switch_rounds:
                theirs += watched(lab.other_eye, lambda: _mpv_round(lab, plain))
    pause = Series.of([one.longest_pause_s * 1000 for one in ours])
    return Point(
        name="interrupt",
        title="A stream that interrupts a film, and the film again: black time and standstill, ms",
        table=Table(
            ("switch", "agent: black", "still", "to picture", "one mpv: black", "still", "to picture"),
            tuple(_row(ours, theirs, kind) for kind in dict.fromkeys(one.kind for one in ours)),
        ),
        bars=(never_black(ours), _soon(ours)),
        notes=(
            "Median (range). Black and still as with every switch: neither picture at any of five points; the longest",
            "time without a new picture. The film comes back at its position, at /stop of what interrupted it.",
            "one mpv: an idle one (low-latency) in a window that stays, told to load each; the film from its start.",
            f"Longest pause between two looks around a switch: {pause.brief()} ms.",
        ),
        raw={"agent": [astuple(one) for one in ours], "mpv": [astuple(one) for one in theirs]}
        | {"columns": list(Outcome.__slots__)},
    )


def _agent(lab: Lab, camera: str) -> Agent:
    """An agent that keeps this camera ready."""
    preset = {"id": "camera", "url": camera, "keep_ready": True, "interrupt": True}
    return Agent(lab.agent_eye.display, lab.env, {"CAST_AGENT_PRESET": json.dumps([preset])})


def _soon(ours: Sequence[Outcome]) -> Bar:
    seen = Series.of([one.latency_s * 1000 for one in ours if one.kind == f"to {READY}"])
    return Bar(
        f"{READY}: at most {READY_MS:.0f} ms, {READY_P95_MS:.0f} ms at the 95th percentile",
        seen.median <= READY_MS and seen.percentile(95) <= READY_P95_MS,
        f"{seen.median:.0f} and {seen.percentile(95):.0f} ms",
    )


def _agent_round(lab: Lab, agent: Agent, kinds: dict[str, Stream]) -> list[Switch]:
    """A film, each kind over it, and the film again after each."""

    def interrupt(stream: Stream) -> None:
        if "/hook/" in stream.url:
            agent.call("POST", urlsplit(stream.url).path)
        else:
            agent.start(stream.url, interrupt=True)

    def go_back(film: Stream) -> None:
        agent.stop()

    agent.wait_spare()
    wait_until(
        lambda: agent.call("GET", "/health").body["cameras"][0]["ready"],
        timeout_s=READY_WITHIN_S,
        what="the camera to be ready",
    )
    agent.start(lab.media.long_film.url)
    switches = _round(lab, lab.agent_eye, kinds, ready=agent.wait_spare, there=interrupt, back=go_back)
    if agent.call("GET", "/status").body["stream"] is None:
        raise RuntimeError("The film was not on at the end")
    return switches


def _mpv_round(lab: Lab, kinds: dict[str, Stream]) -> list[Switch]:
    mpv = IdleMpv(lab.other_eye, lab.env, *LOW_LATENCY)
    mpv.prepare()
    try:
        mpv.go(lab.media.long_film.url)
        show: Callable[[Stream], None] = lambda stream: mpv.go(stream.url)  # noqa: E731
        return _round(lab, lab.other_eye, kinds, ready=lambda: None, there=show, back=show)
    finally:
        mpv.finish()


def _round(
    lab: Lab,
    eye: Eye,
    kinds: dict[str, Stream],
    *,
    ready: Callable[[], None],
    there: Callable[[Stream], None],
    back: Callable[[Stream], None],
) -> list[Switch]:
    """`there` and `back` command a stream, and do not wait for its picture."""
    film = lab.media.long_film
    eye.first_seen(film.colour, timeout_s=SEEN_S)
    switches = []
    for kind, stream in kinds.items():
        for name, command, old, new in ((f"to {kind}", there, film, stream), (f"back from {kind}", back, stream, film)):
            ready()
            time.sleep(SHOWN_S)
            commanded_at = time.monotonic()
            command(new)
            eye.first_seen(new.colour, timeout_s=SEEN_S)
            latency_s = time.monotonic() - commanded_at
            time.sleep(SHOWN_S)
            switches.append(Switch(name, old.colour, new.colour, commanded_at, time.monotonic(), latency_s))
    return switches


def _row(ours: Sequence[Outcome], theirs: Sequence[Outcome], kind: str) -> tuple[str, ...]:
    values: tuple[Callable[[Outcome], float], ...] = (
        lambda one: one.black_s,
        lambda one: one.still_s,
        lambda one: one.latency_s,
    )
    return (kind, *(brief(outcomes, kind, value) for outcomes in (ours, theirs) for value in values))
