"""The time from the command to the first picture of an RTSP camera."""

from __future__ import annotations

import time

from bench.agent import Agent
from bench.first_pixel import raw_of, rounds, rows_of
from bench.lab import SEEN_S, Lab
from bench.media import Stream
from bench.players import LOW_LATENCY, Contender, IdleMpv, WarmAgent, cold_mpv, mpv_for_cameras
from bench.report import Bar, Point, Table
from tests.support.clips import Clips
from tests.support.rtsp_server import RtspServer

RATIO = 1.3

KEY_FRAME_EVERY_S = 1.0
"""The running camera has one at each full second of the monotonic clock."""

BOTH_SPARES = 2
"""The spares from the first camera on: one mpv beside one vlc."""


def measure(lab: Lab) -> Point:
    """Raises TimeoutError when a player shows nothing, RuntimeError when there is no RTSP server."""
    eye = lab.other_eye
    with RtspServer(Clips()) as cameras, Agent(lab.agent_eye.display, lab.env) as agent:
        at_once = Stream(cameras.url("/red"), "red")
        running = Stream(cameras.url("/red/running"), "red")
        us = WarmAgent(agent, lab.agent_eye, spares=BOTH_SPARES)
        recommended = mpv_for_cameras(eye, lab.env)
        idle = IdleMpv(eye, lab.env, *LOW_LATENCY)
        all_: list[Contender] = [us, recommended, cold_mpv(eye, lab.env), idle]
        agent.start(at_once.url)  # the first camera after the agent's start finds no warm mpv
        lab.agent_eye.first_seen(at_once.colour, timeout_s=SEEN_S)
        us.finish()
        times = {
            "key frame at once": rounds(lab, all_, "a camera", at_once),
            "key frame each second": rounds(lab, all_, "a running camera", running, lambda n: _moment(lab, n)),
        }
    bars = []
    for kind, seconds in times.items():
        over = seconds[us.name].over(seconds[recommended.name])
        bars.append(Bar(f"{kind}: at most {RATIO} x {recommended.name}", over.median <= RATIO, f"{over.median:.2f}"))
    return Point(
        name="cameras",
        title="From the command to the first picture of an RTSP camera, ms",
        table=Table(("camera: player", "ms: median [quartiles] range", "agent / player"), rows_of(times, us)),
        bars=tuple(bars),
        notes=(
            f"{lab.scale.pixel_rounds} rounds in turn; ratios are taken within a round. H.264 over TCP, a key frame a "
            "second.",
            "At once: the camera begins with a key frame for everybody who comes. Each second: it runs, and who comes",
            "waits for the next one; the command is given at another moment of the second in each round, the same for "
            "all.",
        ),
        raw=raw_of(times),
    )


def _moment(lab: Lab, number: int) -> None:
    """Sleep until the part of the time between two key frames that this round is about."""
    part = (number + 0.5) / lab.scale.pixel_rounds * KEY_FRAME_EVERY_S
    time.sleep((part - time.monotonic()) % KEY_FRAME_EVERY_S)
