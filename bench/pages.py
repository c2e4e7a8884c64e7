"""How soon the page is usable in a real browser, and how soon fifty open pages show a change on the screen."""

from __future__ import annotations

import contextlib
import shutil
import time
from collections.abc import Iterator

from bench.agent import Agent
from bench.lab import SEEN_S, Lab
from bench.numbers import Series
from bench.report import Bar, Point, Table
from tests.support.chromium import LIVE, PROGRAMS, Chromium, Page

USABLE_S = 1.0
LATE_S = 0.300
PAGES = 50
"""Each in a browser context of its own, with its own process, connections and cache: as on so many phones."""

LIVE_AFTER = "a page is opened: controls"
USABLE = "a page is opened: controls and picture"
CHANGE = f"another stream on the screen, in {PAGES} pages"

WATCHED = f"""
const told = window.told = {{}};
const note = (name) => {{ told[name] ??= performance.timeOrigin + performance.now(); }};
const look = () => {{
  const picture = document.querySelector('#picture');
  if (document.body && {LIVE}) note('live');
  if (told.live && picture && !picture.hidden && picture.complete && picture.naturalWidth) note('picture');
}};
document.addEventListener('load', look, true);
new MutationObserver(() => {{
  look();
  const [title, state] = ['title', 'state'].map((id) => document.getElementById(id)?.textContent);
  if (state && !state.startsWith('Opening')) note(title);
}}).observe(document, {{ subtree: true, childList: true, characterData: true, attributes: true }});
"""
"""Keeps when what was first there in a page, in milliseconds since 1970. Nobody asks the page before that is over."""


def measure(lab: Lab) -> Point:
    """Raises RuntimeError without a browser, TimeoutError when nothing is shown."""
    if not any(map(shutil.which, PROGRAMS)):
        raise RuntimeError(f"there is no browser here; install one of: {', '.join(PROGRAMS)}")
    with Agent(lab.agent_eye.display, lab.env) as agent, Chromium() as browser:
        rows = {**_openings(lab, agent, browser), CHANGE: _changes(lab, agent, browser)}
    usable, change = Series.of(rows[USABLE]), Series.of(rows[CHANGE])
    return Point(
        name="pages",
        title="The page in Chromium",
        table=Table(
            ("what, ms", "times", "p50", "p95", "longest"),
            tuple(
                (name, str(len(values)), *(f"{s * 1000:.0f}" for s in (v.median, v.percentile(95), v.high)))
                for name, values in rows.items()
                for v in [Series.of(values)]
            ),
        ),
        bars=(
            Bar(
                f"controls and the first picture within {USABLE_S:g} s, at the 95th percentile",
                usable.percentile(95) <= USABLE_S,
                f"{usable.percentile(95) * 1000:.0f} ms of {len(usable.values)}",
            ),
            Bar(
                f"a change on the screen in {PAGES} open pages within {LATE_S * 1000:.0f} ms at the 95th percentile",
                change.percentile(95) <= LATE_S,
                f"{change.percentile(95) * 1000:.0f} ms of {len(change.values)}",
            ),
        ),
        notes=(
            "Each page is new to the browser: nothing is in a cache, and the process of the page starts, too.",
            "The first page of the browser, with which its own services start, does not count.",
        ),
        raw={"seconds": rows},
    )


def _openings(lab: Lab, agent: Agent, browser: Chromium) -> dict[str, list[float]]:
    """From the call for a page to what a person needs of it, while something is on."""
    seconds: dict[str, list[float]] = {LIVE_AFTER: [], USABLE: []}
    agent.start(lab.media.mp4.url, loop=True)
    lab.agent_eye.first_seen(lab.media.mp4.colour, timeout_s=SEEN_S)
    for number in range(max(lab.scale.pixel_rounds, 2) + 1):
        lab.say(f"a page is opened, round {number}")
        with _opened(browser) as page:
            began = time.time()
            page.open(f"http://127.0.0.1:{agent.port}/")
            page.wait("told.picture", timeout_s=SEEN_S)
            if number > 0:
                seconds[LIVE_AFTER].append(page.run("told.live") / 1000 - began)
                seconds[USABLE].append(page.run("told.picture") / 1000 - began)
    agent.stop()
    return seconds


def _changes(lab: Lab, agent: Agent, browser: Chromium) -> list[float]:
    """From the first pixel of another stream to when each page says that this one is on the screen."""
    late: list[float] = []
    pair = (lab.media.hls, lab.media.mp4)
    with contextlib.ExitStack() as opened:
        pages = []
        for number in range(PAGES):
            if number % 10 == 0:
                lab.say(f"{number} of {PAGES} pages are open")
            page = opened.enter_context(_opened(browser))
            page.open(f"http://127.0.0.1:{agent.port}/")
            pages.append(page)
        for page in pages:
            page.wait(LIVE, timeout_s=SEEN_S * 4)
        for number in range(max(lab.scale.pixel_rounds, 2)):
            lab.say(f"a change on the screen in {PAGES} pages, round {number + 1}")
            agent.wait_spare()
            stream, title = pair[number % 2], f"Change {number}"
            agent.start(stream.url, title=title)
            seen = lab.agent_eye.first_seen(stream.colour, timeout_s=SEEN_S) + (time.time() - time.perf_counter())
            told = [page.wait(f"told['{title}']", timeout_s=SEEN_S) / 1000 for page in pages]
            late += [max(0.0, moment - seen) for moment in told]
    return late


@contextlib.contextmanager
def _opened(browser: Chromium) -> Iterator[Page]:
    page = browser.page("about:blank")
    try:
        page.send("Page.addScriptToEvaluateOnNewDocument", source=WATCHED)
        yield page
    finally:
        page.close()
