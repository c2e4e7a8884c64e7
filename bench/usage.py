"""Memory and processor time, at rest and while a film plays."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from bench.agent import MARK, Agent
from bench.lab import SEEN_S, Lab
from bench.players import FreshProgram, cold_mpv, fresh_vlc
from bench.processes import Memory, cpu_s, memory, memory_of, processes_with
from bench.report import Bar, Point, Table
from tests.support.tools import wait_until

IDLE_CPU = 0.01
"""The limit for all of the agent's processes together, as a part of one core."""
IDLE_PSS_MIB = 180.0

REST_S = 3.0
"""Start-up leaves work behind that tells nobody when it is done. To wait for an idle processor instead would choose
the moment by what is measured."""
PLAYS_S = 3.0
"""The time after which buffers are full: by then a player reads and decodes as much as it shows."""


@dataclass(frozen=True, slots=True)
class Usage:
    who: str
    processes: int
    memory: Memory
    cpu: float
    """Part of one core."""


def measure(lab: Lab) -> Point:
    """Raises TimeoutError when the agent does not play, RuntimeError when another player ended early."""
    used: list[Usage] = []
    with Agent(lab.agent_eye.display, lab.env) as agent:
        lab.say("what the agent uses at rest")
        time.sleep(REST_S)
        pids = processes_with(MARK, agent.mark)
        spares = [pid for pid in pids if pid != agent.pid]
        cpu = cpu_of(lab, pids)
        idle = Usage("agent at rest: daemon and spare", len(pids), memory_of(pids), sum(cpu))
        used.append(idle)
        used.append(Usage("  daemon", 1, memory(agent.pid), cpu[pids.index(agent.pid)]))
        used.append(Usage("  spare", len(spares), memory_of(spares), sum(cpu) - cpu[pids.index(agent.pid)]))
        lab.say("what the agent uses while it plays 720p")
        agent.start(lab.media.rich)
        wait_until(lambda: _plays(agent), timeout_s=SEEN_S, what="the agent to play")
        agent.wait_spare(players=2)
        time.sleep(PLAYS_S)
        used += _playing(lab, agent)
        agent.stop()
    for program in (cold_mpv(lab.other_eye, lab.env, sound=True), fresh_vlc(lab.other_eye, lab.env, sound=True)):
        lab.say(f"what {program.name} uses while it plays 720p")
        used.append(_bare(lab, program))
    return Point(
        name="usage",
        title="Memory and processor time",
        table=Table(
            ("what", "processes", "RSS MiB", "PSS MiB", "CPU % of a core"),
            tuple(
                (u.who, str(u.processes), f"{u.memory.rss:.0f}", f"{u.memory.pss:.0f}", f"{u.cpu * 100:.2f}")
                for u in used
            ),
        ),
        bars=(
            Bar("processor time at rest under 1 % of a core", idle.cpu < IDLE_CPU, f"{idle.cpu * 100:.2f} %"),
            Bar(
                f"daemon and pre-rolled spare at most {IDLE_PSS_MIB:.0f} MiB PSS",
                idle.memory.pss <= IDLE_PSS_MIB,
                f"{idle.memory.pss:.0f} MiB",
            ),
        ),
        notes=(
            f"Processor time over {lab.scale.usage_s:g} s, from /proc; the X server's and the sound server's is not "
            "counted.",
            "720p at 25 pictures a second, detailed, with sound. Without a GPU: libVLC draws with GL in software,",
            "mpv with --vo=x11, which costs less; on hardware with GL this part of the difference is gone.",
        ),
        raw={
            "usage": [
                {"who": u.who.strip(), "processes": u.processes, "rss_mib": u.memory.rss, "pss_mib": u.memory.pss}
                | {"cpu_of_core": u.cpu}
                for u in used
            ]
        },
    )


def _playing(lab: Lab, agent: Agent) -> list[Usage]:
    pids = processes_with(MARK, agent.mark)
    cpu = cpu_of(lab, pids)
    used = [Usage("agent, playing: daemon, player, spare", len(pids), memory_of(pids), sum(cpu))]
    used.append(Usage("  daemon", 1, memory(agent.pid), cpu[pids.index(agent.pid)]))
    share, player = max((share, pid) for share, pid in zip(cpu, pids, strict=True) if pid != agent.pid)
    used.append(Usage("  player", 1, memory(player), share))
    return used


def _bare(lab: Lab, program: FreshProgram) -> Usage:
    program.prepare()
    try:
        program.go(lab.media.rich)
        time.sleep(PLAYS_S)
        try:
            [share] = cpu_of(lab, [program.pid])
            return Usage(f"{program.name}, playing", 1, memory(program.pid), share)
        except OSError as error:
            raise RuntimeError(f"{program.name} ended while it was measured") from error
    finally:
        program.finish()


def cpu_of(lab: Lab, pids: Sequence[int]) -> list[float]:
    """The part of one core that each of these processes uses, over `usage_s`. Raises OSError for one that ends."""
    began, before = time.monotonic(), [cpu_s(pid) for pid in pids]
    time.sleep(lab.scale.usage_s)
    seconds = time.monotonic() - began
    return [(cpu_s(pid) - used) / seconds for pid, used in zip(pids, before, strict=True)]


def _plays(agent: Agent) -> bool:
    stream = agent.call("GET", "/status").body["stream"]
    return stream is not None and stream["state"] == "playing"
