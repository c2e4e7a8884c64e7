"""Web pages in Chromium: how soon they are seen, cold and from a warm spare, what a switch shows in between, what a
dashboard costs, and how soon a page is back whose process was killed."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from datetime import datetime

from bench.agent import Agent
from bench.black_time import SHOWN_S, Outcome, Switch, brief, never_black, watched
from bench.lab import SEEN_S, Lab
from bench.media import Stream
from bench.numbers import Series
from bench.processes import Memory, command_of, cpu_s, group_of, memory_of
from bench.report import Bar, Point, Table
from tests.support.tools import wait_until
from tests.support.web_pages import WebPages

RAISED_S = 0.025
WARM_S = 0.150
WARM_OF_COLD = 0.2
CPU = 0.05
PSS_MIB = 450.0
BACK_S = 3.0
"""The bars."""

COLD_STARTS = 3
KILLS = 3
SPARE_S = 30.0
"""A browser that is started is ready after 1 s, on a machine that has nothing else to do."""
REST_S = 5.0
"""The time after the first paint in which a page goes on loading, and its spare is started."""


def measure(lab: Lab) -> Point:
    """Raises TimeoutError when a page is not seen, RuntimeError when it cannot be started."""
    outcomes: list[Outcome] = []
    with WebPages() as pages:
        cold = Series.of([_cold(lab, pages) for _ in range(COLD_STARTS)])
        with Agent(lab.agent_eye.display, lab.env, {"CAST_AGENT_LOG__LEVEL": "debug"}) as agent:
            _show(agent, pages.url("/plain/red"))
            rounds = max(lab.scale.switch_rounds // 2, 1)
            for number in range(rounds):
                lab.say(f"switches of pages, round {number + 1} of {rounds}")
                outcomes += watched(lab.agent_eye, lambda: _round(lab, agent, pages))
            warm = Series.of([_warm(agent, pages, number) for number in range(2 * lab.scale.pixel_rounds)])
            raised = Series.of(_raised(agent))
            back = Series.of([_back(lab, agent, pages) for _ in range(KILLS)])
            lab.say("what a dashboard uses")
            cpu, memory = _used(lab, agent, pages)
            agent.stop()
    return _point(outcomes, cold=cold, warm=warm, raised=raised, back=back, cpu=cpu, memory=memory)


def _point(
    outcomes: list[Outcome], *, cold: Series, warm: Series, raised: Series, back: Series, cpu: float, memory: Memory
) -> Point:
    in_ms = {
        "cold start to shown": cold,
        "warm spare to shown": warm,
        "first paint reported to raised": raised,
        "renderer killed to playing again": back,
    }
    ratio = warm.median / cold.median
    return Point(
        name="web",
        title="Web pages",
        table=Table(
            ("what", "times", "ms: median [middle half] range"),
            (
                *(
                    (what, str(len(s.values)), Series.of([v * 1000 for v in s.values]).text())
                    for what, s in in_ms.items()
                ),
                *(
                    (
                        f"switch {kind}: command to shown",
                        str(sum(one.kind == kind for one in outcomes)),
                        brief(outcomes, kind, lambda one: one.latency_s),
                    )
                    for kind in dict.fromkeys(one.kind for one in outcomes)
                ),
                ("dashboard: CPU % of a core", "1", f"{cpu * 100:.1f}"),
                ("dashboard: PSS MiB", "1", f"{memory.pss:.0f}"),
            ),
        ),
        bars=(
            never_black(outcomes),
            _bar("first paint reported to raised", raised.median, RAISED_S),
            _bar("a local page from a warm spare", warm.median, WARM_S),
            Bar(f"that at most {WARM_OF_COLD:g} of a cold start", ratio <= WARM_OF_COLD, f"{ratio:.2f}"),
            Bar(f"a dashboard at most {CPU * 100:g} % of a core", cpu <= CPU, f"{cpu * 100:.1f} %"),
            Bar(f"a dashboard at most {PSS_MIB:g} MiB PSS", memory.pss <= PSS_MIB, f"{memory.pss:.0f} MiB"),
            Bar(f"back within {BACK_S:g} s when its renderer is killed", back.high <= BACK_S, f"{back.high:.2f} s"),
        ),
        notes=("A dashboard draws 20 canvases anew each second. Its browser alone is counted, without the spare.",),
        raw={f"{what}, s": series.values for what, series in in_ms.items()} | {"cpu": cpu, "pss_mib": memory.pss},
    )


def _bar(what: str, median_s: float, most_s: float) -> Bar:
    return Bar(f"{what} within {most_s * 1000:.0f} ms in the middle", median_s <= most_s, f"{median_s * 1000:.0f} ms")


def _cold(lab: Lab, pages: WebPages) -> float:
    """The first page of an agent, which has no browser yet."""
    lab.say("a cold start of a page")
    with Agent(lab.agent_eye.display, lab.env) as agent:
        return _show(agent, pages.url("/plain/red"))


def _warm(agent: Agent, pages: WebPages, number: int) -> float:
    _wait_browser(agent)
    return _show(agent, pages.url(f"/plain/{('red', 'green')[number % 2]}"))


def _show(agent: Agent, url: str) -> float:
    """Seconds from the call to its picture on the screen."""
    answer = agent.call("POST", f"/start?wait={SEEN_S:g}", {"url": url, "as": "page"})
    if answer.status != 200:
        raise RuntimeError(f"{url} was answered {answer.status}: {answer.body}")
    return float(answer.body["time_to_first_frame"])


def _round(lab: Lab, agent: Agent, pages: WebPages) -> list[Switch]:
    """A page, a page that paints late, and a film, beginning with the film before."""
    film, old = lab.media.long_film, "red"
    switches = []
    for kind, stream in (
        ("to a film", film),
        ("to a late page", Stream(pages.url("/late/magenta"), "magenta")),
        ("to a page", Stream(pages.url("/plain/red"), "red")),
    ):
        _wait_browser(agent)
        agent.wait_spare()
        time.sleep(SHOWN_S)
        began = time.monotonic()
        agent.start(stream.url, **({} if stream is film else {"as": "page"}))
        lab.agent_eye.first_seen(stream.colour, timeout_s=SEEN_S)
        latency_s = time.monotonic() - began
        time.sleep(SHOWN_S)
        switches.append(Switch(kind, old, stream.colour, began, time.monotonic(), latency_s))
        old = stream.colour
    return switches


def _raised(agent: Agent) -> list[float]:
    """The times from the report of the first paint to the picture on the screen, of each page so far."""
    painted: datetime | None = None
    found = []
    for line in agent.log():
        at = datetime.fromisoformat(line["timestamp"])
        if line["event"] == "page_painted":
            painted = at
        elif line["event"] == "first_frame_shown" and painted is not None:
            found.append((at - painted).total_seconds())
            painted = None
    return found


def _back(lab: Lab, agent: Agent, pages: WebPages) -> float:
    lab.say("a page whose renderer is killed")
    _show(agent, pages.url("/plain/red"))
    _wait_browser(agent)
    wait_until(lambda: _plays(agent), timeout_s=SEEN_S, what="the page to play")
    before = pages.asked["/plain/red"]
    for pid in _browser(agent):
        if "--type=renderer" in " ".join(command_of(pid)):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
    began = time.monotonic()
    wait_until(lambda: pages.asked["/plain/red"] > before, timeout_s=SEEN_S, what="the page to be loaded anew")
    wait_until(lambda: _plays(agent), timeout_s=SEEN_S, what="the page to play again")
    return time.monotonic() - began


def _used(lab: Lab, agent: Agent, pages: WebPages) -> tuple[float, Memory]:
    _show(agent, pages.url("/charts/blue"))
    _wait_browser(agent)
    time.sleep(REST_S)
    pids = _browser(agent)
    began, before = time.monotonic(), sum(map(cpu_s, pids))
    time.sleep(lab.scale.usage_s)
    return (sum(map(cpu_s, pids)) - before) / (time.monotonic() - began), memory_of(pids)


def _browser(agent: Agent) -> list[int]:
    """The processes of the page that is on."""
    return group_of(next(int(line["pid"]) for line in reversed(agent.log()) if line["event"] == "stream_opened"))


def _plays(agent: Agent) -> bool:
    stream = agent.call("GET", "/status").body["stream"]
    return stream is not None and stream["state"] == "playing"


def _wait_browser(agent: Agent) -> None:
    """Wait for the spare."""

    def ready() -> bool:
        engines = agent.call("GET", "/health").body["checks"]["player"]["engines"]
        return bool(engines["chromium"]["spare_ready"])

    wait_until(ready, timeout_s=SPARE_S, what="a spare browser")
