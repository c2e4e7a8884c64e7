"""The time after which other machines know that the agent is there, has moved or is gone: as Avahi sees it, on a LAN of
our own."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass, field
from datetime import datetime

from agent.frontends.dlna.services import DEVICE_TYPE
from bench.lab import Lab
from bench.numbers import Series
from bench.report import Bar, Point, Table
from tests.support.avahi import Avahi, Browse, Sighting
from tests.support.dlna import SsdpEar
from tests.support.lan import Lan, LanAgent, LanError, Machine
from tests.support.tools import wait_until

SEEN_S = 20.0
"""Four times the slowest bar: what takes longer has failed."""

ADDRESSES = ("10.77.0.1/24", "10.77.0.2/24")
OTHER = "10.77.0.99/24"


@dataclass(frozen=True, slots=True)
class Times:
    """Seconds, one value for each round."""

    announced: list[float] = field(default_factory=list)
    """Seconds from READY until an agent and its address are known."""
    moved: list[float] = field(default_factory=list)
    """Seconds from a change of its address until the new one is resolved instead of the old one."""
    gone: list[float] = field(default_factory=list)
    """Seconds from SIGTERM until its name is gone."""
    ended: list[float] = field(default_factory=list)
    """Seconds from SIGTERM until the process is gone."""
    esphome: list[float] = field(default_factory=list)
    """Seconds from the start of the process until Home Assistant could offer to add it."""
    dlna: list[float] = field(default_factory=list)
    """The same of the DLNA renderer."""


def measure(lab: Lab) -> Point:
    """Needs root. Raises TimeoutError when something is not seen, RuntimeError when no networks can be made."""
    times = Times()
    try:
        with Lan() as lan:
            box, other = lan.machine(ADDRESSES[0], ipv6=False), lan.machine(OTHER, ipv6=False)
            other.ip("route", "add", "default", "dev", "eth0")  # as each machine of a LAN has one, for multicast
            with Avahi(other) as avahi:
                for number in range(lab.scale.discoveries):
                    lab.say(f"discovery, round {number + 1} of {lab.scale.discoveries}")
                    _round(lab, box, other, avahi, times, number)
    except LanError as error:
        raise RuntimeError(f"{error}; run the bench as root for this") from error
    return _point(times)


def _round(lab: Lab, box: Machine, other: Machine, avahi: Avahi, times: Times, number: int) -> None:
    old, new = ADDRESSES[number % 2], ADDRESSES[(number + 1) % 2]
    name = f"Bench {number}"
    agent = LanAgent(
        box,
        device__name=name,
        display__display=lab.agent_eye.display,
        esphome__enabled=True,
        dlna__enabled=True,
        dlna__allow=["10.77.0.0/24"],
    )
    began = time.time()
    with (
        Browse(other, avahi, "_cast-agent._tcp") as seen,
        Browse(other, avahi, "_esphomelib._tcp") as devices,
        SsdpEar(other, OTHER.partition("/")[0], kind=DEVICE_TYPE) as ear,
        agent,
    ):
        found = seen.wait(lambda s: _is(s, "=", name), "the agent to be found", timeout_s=SEEN_S)
        times.announced.append(found.at - _ready_at(agent))
        device = devices.wait(lambda s: _is(s, "=", f"bench-{number}"), "the ESPHome device", timeout_s=SEEN_S)
        times.esphome.append(device.at - began)
        wait_until(lambda: ear.heard, timeout_s=SEEN_S, what="the DLNA renderer")
        times.dlna.append(ear.heard[0]["_timestamp"].timestamp() - began)

        began = time.time()
        box.ip("addr", "add", new, "dev", "eth0")
        box.ip("addr", "del", old, "dev", "eth0")
        address = new.partition("/")[0]
        wait_until(lambda: avahi.resolve(found.host) == address, timeout_s=SEEN_S, what="the new address")
        times.moved.append(time.time() - began)

        began = time.time()
        agent.terminate()
        times.ended.append(time.time() - began)
        gone = seen.wait(lambda s: _is(s, "-", name), "the agent to be gone", since=began, timeout_s=SEEN_S)
        times.gone.append(gone.at - began)


def _is(sighting: Sighting, sign: str, name: str) -> bool:
    return (sighting.sign, sighting.name) == (sign, name)


def _ready_at(agent: LanAgent) -> float:
    return datetime.fromisoformat(agent.log("agent_started")[-1]["timestamp"]).timestamp()


def _point(times: Times) -> Point:
    rows = {
        "announced, from READY": Series.of(times.announced),
        "new address, from its change": Series.of(times.moved),
        "gone, from SIGTERM": Series.of(times.gone),
        "process ended, from SIGTERM": Series.of(times.ended),
        "ESPHome device, from the start": Series.of(times.esphome),
        "DLNA renderer, from the start": Series.of(times.dlna),
    }
    bounds = {
        "announced, from READY": 2.0,
        "new address, from its change": 5.0,
        "gone, from SIGTERM": 2.0,
        "ESPHome device, from the start": 5.0,
        "DLNA renderer, from the start": 5.0,
    }
    return Point(
        name="discovery",
        title="Discovery: what Avahi on another machine knows, seconds",
        table=Table(("", "median [quartiles] range"), tuple((name, series.text(2)) for name, series in rows.items())),
        bars=tuple(
            Bar(f"{name} within {bound:g} s", rows[name].high <= bound, f"{rows[name].high:.2f} s at most")
            for name, bound in bounds.items()
        ),
        notes=(f"{len(times.announced)} rounds between two network namespaces",),
        raw={f"{name}_s": seconds for name, seconds in asdict(times).items()},
    )
