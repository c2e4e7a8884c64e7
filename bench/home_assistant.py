"""The box as Home Assistant has it: actions, states and returns by ESPHome's native API, films by DLNA, and what these
two faces cost."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import asdict, dataclass, field
from functools import partial

from aiohttp import ClientSession

from agent.frontends.esphome.key import KeyFile
from bench.lab import SEEN_S, Lab
from bench.numbers import Series
from bench.processes import cpu_exactly_s, memory
from bench.report import Bar, Point, Table
from tests.support.agent import Agent
from tests.support.dlna import controller
from tests.support.esphome import KEY
from tests.support.home_assistant import HomeAssistant, connected
from tests.support.recorder import ScreenRecorder
from tests.support.sockets import free_port
from tests.support.tools import wait_until

ACTION_MS = 3.0
RATIO = 1.05
"""The limit for the ratio of the first pixel after an action to that after a call of /start."""
STATE_S = 1.0
ENTITIES_S = 5.0
BACK_S = 6.0
CPU = 0.0005
"""The limit for the processor time, as a part of one core."""
MEMORY_MIB = 20.0
FILMS = 10
FACES = ("esphome", "dlna")

REST_S = 10.0
"""The time after the start, and after a client has connected, which takes a picture, until all is quiet."""

RETURNS = 3


@dataclass(frozen=True, slots=True)
class Times:
    """Seconds, one value for each round."""

    action: list[float] = field(default_factory=list)
    """An action that does nothing, from its call to its answer."""
    call: list[float] = field(default_factory=list)
    """The same by HTTP, with its connection."""
    state: list[float] = field(default_factory=list)
    """Seconds from a change by another caller until Home Assistant's client has it."""
    action_pixel: list[float] = field(default_factory=list)
    start_pixel: list[float] = field(default_factory=list)
    entities: list[float] = field(default_factory=list)
    """Seconds from the connection to all entities and their states."""
    back: list[float] = field(default_factory=list)
    """Seconds from the start of the process after SIGKILL to all entities and their states."""
    back_cpu: list[float] = field(default_factory=list)
    """Seconds of processor time that the daemon had until then: on a busy machine the rest is others'."""


@dataclass(frozen=True, slots=True)
class Cost:
    """The cost of the daemon at rest."""

    cpu: float
    """Part of one core."""
    pss_mib: float


def measure(lab: Lab) -> Point:
    """Raises TimeoutError when something does not come, RuntimeError when an action fails."""
    times = Times()
    with _agent(lab, *FACES) as (agent, port):
        asyncio.run(_use(lab, agent, port, times))
        asyncio.run(_return(lab, agent, port, times))
        films, black_s = asyncio.run(_films(lab, agent))
    costs = {name: _cost(lab, *faces) for name, faces in (("none", ()), ("esphome", FACES[:1]), ("dlna", FACES[1:]))}
    return _point(times, costs, films, black_s)


@contextlib.contextmanager
def _agent(lab: Lab, *faces: str) -> Iterator[tuple[Agent, int]]:
    port = free_port()
    agent = Agent(
        lab.agent_eye.display,
        env=lab.env,
        log__level="info",
        esphome__enabled="esphome" in faces,
        esphome__port=port,
        dlna__enabled="dlna" in faces,
        dlna__host="127.0.0.1",
        dlna__port=0,
    )
    KeyFile(agent.folder / "state").add(KEY)
    with agent:
        yield agent, port


async def _use(lab: Lab, agent: Agent, port: int, times: Times) -> None:
    async with connected(port) as hass, ClientSession(agent.base, raise_for_status=True) as http:
        lab.say("actions of Home Assistant")
        for number in range(lab.scale.starts):
            times.action.append(await _seconds(lambda: hass.act("stop")))
            times.call.append(await _seconds(lambda: http.post("/stop")))
            level = (number % 100) / 100
            change = http.post("/volume", json={"volume_level": level, "muted": False})
            times.state.append(await _seconds(partial(_volume, hass, change, level)))
        for number in range(lab.scale.pixel_rounds):
            lab.say(f"first pixels after an action and after /start, round {number + 1}")
            by_action = (times.action_pixel, lambda: hass.act("play", url=lab.media.mp4.url))
            by_call = (times.start_pixel, lambda: http.post("/start?wait=15", json={"url": lab.media.mp4.url}))
            for seconds, start in (by_action, by_call) if number % 2 else (by_call, by_action):
                seconds.append(await _first_pixel(lab, agent, start))


async def _seconds(do: Callable[[], Awaitable[object]]) -> float:
    began = time.perf_counter()
    await do()
    return time.perf_counter() - began


async def _volume(hass: HomeAssistant, change: Awaitable[object], level: float) -> None:
    """Return when Home Assistant's client knows the volume that the call makes."""
    called = asyncio.ensure_future(change)
    await hass.hear(lambda: round(hass.player.volume, 2) == level)
    await called


async def _first_pixel(lab: Lab, agent: Agent, start: Callable[[], Awaitable[object]]) -> float:
    """Seconds from the call to the picture, with a spare ready and the screen black before."""
    await asyncio.to_thread(agent.stop)
    await asyncio.to_thread(agent.wait_for_spare)
    await asyncio.to_thread(lab.agent_eye.first_seen, "black", timeout_s=SEEN_S)
    looking = asyncio.create_task(asyncio.to_thread(lab.agent_eye.first_seen, lab.media.mp4.colour, timeout_s=SEEN_S))
    began = time.perf_counter()
    await start()
    return await looking - began


async def _return(lab: Lab, agent: Agent, port: int, times: Times) -> None:
    """The client asks again and again, as Home Assistant does when the box is announced."""
    for number in range(RETURNS):
        lab.say(f"back after SIGKILL, round {number + 1} of {RETURNS}")
        agent.kill()
        began = time.perf_counter()
        agent.launch()
        times.entities.append(await _entities(port))
        times.back.append(time.perf_counter() - began)
        times.back_cpu.append(cpu_exactly_s(agent.pid))
        await asyncio.to_thread(agent.wait_alive)


async def _entities(port: int) -> float:
    """Wait until the box listens; the seconds of a connection until all states are there."""
    await asyncio.to_thread(wait_until, lambda: _listens(port), timeout_s=SEEN_S, what="the box to listen")
    began = time.perf_counter()
    async with connected(port) as hass:
        await hass.hear(lambda: hass.entities["State"].key in hass.states)
        return time.perf_counter() - began


def _listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port)).close()
    except OSError:
        return False
    return True


async def _films(lab: Lab, agent: Agent) -> tuple[int, float]:
    """The number of films, of FILMS that a DLNA controller played in a row, that were seen, and the black time between
    them."""
    lab.say("films in a row by DLNA")
    await asyncio.to_thread(agent.wait_until, lambda: agent.status()["dlna"]["port"], SEEN_S, "DLNA listens")
    pair = (lab.media.hls, lab.media.mp4)
    async with controller(f"http://127.0.0.1:{agent.status()['dlna']['port']}/description.xml") as home:
        await home.play_media(lab.media.mp4.url, "Film")
        await asyncio.to_thread(lab.agent_eye.first_seen, lab.media.mp4.colour, timeout_s=SEEN_S)
        with ScreenRecorder(lab.agent_eye.display) as recorder:
            for number in range(FILMS):
                film = pair[number % 2]
                await home.play_media(film.url, f"Film {number}")
                await asyncio.to_thread(lab.agent_eye.first_seen, film.colour, timeout_s=SEEN_S)
            recording = recorder.stop()
        await asyncio.to_thread(agent.stop)
    wanted = [pair[number % 2].colour for number in range(FILMS)]
    seen = [colour for colour in recording.colours() if colour != "black"][1:]
    return sum(one == other for one, other in zip(wanted, seen, strict=False)), recording.seconds_of("black")


def _cost(lab: Lab, *faces: str) -> Cost:
    """With a Home Assistant that is connected to ESPHome's API, where that is on."""
    lab.say(f"what the daemon uses at rest with {', '.join(faces) or 'neither face'}")
    with _agent(lab, *faces) as (agent, port):
        return asyncio.run(_at_rest(lab, agent, port if "esphome" in faces else None))


async def _at_rest(lab: Lab, agent: Agent, port: int | None) -> Cost:
    async with contextlib.nullcontext() if port is None else connected(port):
        await asyncio.sleep(REST_S)
        before = cpu_exactly_s(agent.pid)
        await asyncio.sleep(lab.scale.usage_s)
        return Cost((cpu_exactly_s(agent.pid) - before) / lab.scale.usage_s, memory(agent.pid).pss)


def _point(times: Times, costs: dict[str, Cost], films: int, black_s: float) -> Point:
    rows = {
        "an action, to its answer": Series.of(times.action),
        "the same by HTTP": Series.of(times.call),
        "a state, in Home Assistant's client": Series.of(times.state),
        "first pixel after an action": Series.of(times.action_pixel),
        "first pixel after /start": Series.of(times.start_pixel),
        "all entities, from the connection": Series.of(times.entities),
        "the same after SIGKILL, from the new process": Series.of(times.back),
        "the processor time of that": Series.of(times.back_cpu),
    }
    ratio = Series.of(times.action_pixel).over(Series.of(times.start_pixel))
    action_ms = rows["an action, to its answer"].median * 1000
    longest = {name: series.high for name, series in rows.items()}
    state_s = longest["a state, in Home Assistant's client"]
    entities_s, back_s, back_cpu_s = list(longest.values())[-3:]
    return Point(
        name="home-assistant",
        title="Home Assistant: ESPHome's native API and DLNA",
        table=Table(
            ("what, ms", "times", "median", "range"),
            tuple(
                (name, str(len(v.values)), f"{v.median * 1000:.1f}", f"{v.low * 1000:.1f}..{v.high * 1000:.1f}")
                for name, v in rows.items()
            ),
        ),
        bars=(
            Bar(f"an action within {ACTION_MS:g} ms at the median", action_ms <= ACTION_MS, f"{action_ms:.1f} ms"),
            Bar(f"its first pixel at most {RATIO:g} of /start", ratio.median <= RATIO, ratio.spread(2)),
            Bar(f"a state within {STATE_S:g} s", state_s <= STATE_S, f"{state_s * 1000:.0f} ms at most"),
            Bar(f"entities within {ENTITIES_S:g} s", entities_s <= ENTITIES_S, f"{entities_s:.2f} s at most"),
            Bar(
                f"back within {BACK_S:g} s of SIGKILL",
                back_s <= BACK_S,
                f"{back_s:.2f} s at most, {back_cpu_s:.2f} s of a core",
            ),
            *(bar for face in FACES for bar in _cost_bars(face, costs[face], costs["none"])),
            Bar(
                f"{FILMS} of {FILMS} films in a row by DLNA with 0 ms black",
                films == FILMS and black_s == 0,
                f"{films} of {FILMS}, {black_s * 1000:.0f} ms",
            ),
        ),
        notes=("All on loopback; the client is Home Assistant's own. Its time is in every value.",),
        raw={"seconds": asdict(times), "cost": {name: asdict(cost) for name, cost in costs.items()}},
    )


def _cost_bars(face: str, with_it: Cost, without: Cost) -> tuple[Bar, Bar]:
    cpu, mib = with_it.cpu - without.cpu, with_it.pss_mib - without.pss_mib
    return (
        Bar(
            f"{face} at rest at most {CPU:.2%} of a core",
            cpu <= CPU,
            f"{cpu:.3%} ({with_it.cpu:.3%} with it, {without.cpu:.3%} without)",
        ),
        Bar(f"{face} at most {MEMORY_MIB:g} MiB", mib <= MEMORY_MIB, f"{mib:.1f} MiB PSS"),
    )
