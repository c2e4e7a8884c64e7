"""A film of 1080p on a screen of 4K, without a GPU: what it costs to make each picture four times as large."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from bench.agent import MARK, Agent
from bench.lab import SEEN_S, Lab
from bench.looks import pictures
from bench.players import MPV
from bench.processes import cpu_s, processes_with
from bench.report import Point, Table
from bench.usage import PLAYS_S, cpu_of
from tests.support.tools import end, wait_until
from tests.support.xserver import XServer

SIZE = (3840, 2160)
PLAYED_BY: Mapping[str, Mapping[str, str]] = {
    "agent, vlc, output = auto": {},
    "agent, vlc, output = gl": {"CAST_AGENT_PLAYER__OUTPUT": "gl"},
    "agent, mpv": {"CAST_AGENT_PLAYER__ENGINES": '{"http": "mpv"}'},
}


@dataclass(frozen=True, slots=True)
class Cost:
    who: str
    player: float
    """Part of one core, as is `server`."""
    server: float
    """Of the X server."""
    pictures: float | None
    """Displayed in each second, of 25; None: the player does not tell."""


def measure(lab: Lab) -> Point:
    """Raises TimeoutError when nothing is shown."""
    costs = []
    with XServer(SIZE) as server:
        [server_pid] = server.pids
        for who, settings in PLAYED_BY.items():
            lab.say(f"1080p on 4K: {who}")
            with Agent(server.display, lab.env, settings) as agent:
                agent.start(lab.media.full_hd)
                wait_until(lambda: pictures(agent) > 0, timeout_s=SEEN_S, what="the agent to play")
                costs.append(_cost(lab, who, _player(agent), server_pid, lambda: pictures(agent)))
        lab.say("1080p on 4K: mpv")
        command = [*MPV, "--fs", lab.media.full_hd]
        mpv = subprocess.Popen(command, env={**os.environ, **lab.env, "DISPLAY": server.display})  # noqa: S603
        try:
            costs.append(_cost(lab, "mpv", mpv.pid, server_pid, None))
        finally:
            mpv.kill()
            end(mpv)
    return Point(
        name="large",
        title=f"A film of 1080p on a screen of {SIZE[0]}x{SIZE[1]}",
        table=Table(
            ("what", "player, % of a core", "X server, % of a core", "pictures a second, of 25"),
            tuple(
                (
                    *(c.who, f"{c.player * 100:.0f}", f"{c.server * 100:.0f}"),
                    "-" if c.pictures is None else f"{c.pictures:.1f}",
                )
                for c in costs
            ),
        ),
        bars=(),
        notes=(f"Processor time over {lab.scale.usage_s:g} s. Detailed pictures, without a GPU.",),
        raw={"costs": [[c.who, c.player, c.server, c.pictures] for c in costs]},
    )


def _cost(lab: Lab, who: str, player: int, server: int, shown: Callable[[], int] | None) -> Cost:
    time.sleep(PLAYS_S)
    began, before = time.monotonic(), shown() if shown else 0
    of_player, of_server = cpu_of(lab, (player, server))
    rate = (shown() - before) / (time.monotonic() - began) if shown else None
    return Cost(who, of_player, of_server, rate)


def _player(agent: Agent) -> int:
    """The busiest of its processes but the daemon: a player that plays."""
    return max((pid for pid in processes_with(MARK, agent.mark) if pid != agent.pid), key=cpu_s)
