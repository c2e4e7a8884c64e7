"""The time after which the page is usable in a real browser, and after which fifty open pages show a change on the
screen."""

from __future__ import annotations

import contextlib
import http.client
import shutil
import threading
import time
from collections.abc import Iterator

from bench.agent import Agent
from bench.followers import Followers
from bench.lab import SEEN_S, Lab
from bench.numbers import Series
from bench.report import Bar, Point, Table
from tests.support.chromium import LIVE, PROGRAMS, Chromium, Page

USABLE_S = 1.0
LATE_S = 0.300
PAGES = 50
"""Each in a browser context of its own, with its own process, connections and cache: as on so many phones."""

REST_S = 20.0
"""The time that the pages have been open when the first change comes. Chromium goes on working for some 15 s after it
has opened fifty, each in a process of its own."""

LIVE_AFTER = "a page is opened: controls"
USABLE = "a page is opened: controls and picture"
CHANGE = f"another stream on the screen, in {PAGES} pages"
HERE = 5
"""Pages in Chromium while all others are elsewhere, as in a house: they are connections that ask as pages do."""
PICTURE = "/snapshot?format=jpeg&width=480&max_age=1"
CHANGE_HERE = f"another stream on the screen, in {HERE} pages while {PAGES - HERE} are elsewhere"

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
        rows = _openings(lab, agent, browser)
        with Followers(agent.port, PAGES - HERE) as followers, _Asker(agent.port, followers):
            rows[CHANGE_HERE] = _changes(lab, agent, browser, HERE)
        rows[CHANGE] = _changes(lab, agent, browser, PAGES)
    usable, change, here = (Series.of(rows[name]) for name in (USABLE, CHANGE, CHANGE_HERE))
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
            Bar(
                f"the same where {PAGES - HERE} of them are not on this machine",
                here.percentile(95) <= LATE_S,
                f"{here.percentile(95) * 1000:.0f} ms of {len(here.values)}",
            ),
        ),
        notes=(
            "Each page is new to the browser: nothing is in a cache, and the process of the page starts, too.",
            "The first page of the browser, with which its own services start, does not count.",
            f"The pages had been open for {REST_S:.0f} s when the first change came.",
        ),
        raw={"seconds": rows},
    )


def _openings(lab: Lab, agent: Agent, browser: Chromium) -> dict[str, list[float]]:
    """The times from the call for a page to the parts of it that a person needs, while something is on."""
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


class _Asker:
    """Asks for what the pages of `followers` would ask for: a picture each second, and one more, with the recent
    addresses, as soon as something else is on."""

    def __init__(self, port: int, followers: Followers) -> None:
        self._followers = followers
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=SEEN_S)
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._ask, daemon=True)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._closing.set()
        self._thread.join()
        self._connection.close()

    def _ask(self) -> None:
        told, pages = 0, PAGES - HERE
        while not self._closing.wait(0.1):
            before, told = told, self._followers.count(b"first_frame")
            paths = [PICTURE] * (pages // 10)
            if told > before:
                paths += [PICTURE, "/recent"] * pages
            for path in paths:
                self._connection.request("GET", path)
                self._connection.getresponse().read()


def _changes(lab: Lab, agent: Agent, browser: Chromium, count: int) -> list[float]:
    """The times from the first pixel of another stream to the moment at which each page says that this one is on the
    screen."""
    late: list[float] = []
    pair = (lab.media.hls, lab.media.mp4)
    with contextlib.ExitStack() as opened:
        pages = []
        for number in range(count):
            if number % 10 == 0:
                lab.say(f"{number} of {count} pages are open")
            page = opened.enter_context(_opened(browser))
            page.open(f"http://127.0.0.1:{agent.port}/")
            pages.append(page)
        for page in pages:
            page.wait(LIVE, timeout_s=SEEN_S * 4)
        lab.say(f"{count} pages are open; the browser comes to rest")
        time.sleep(REST_S)
        for number in range(max(lab.scale.pixel_rounds, 2)):
            lab.say(f"a change on the screen in {count} pages, round {number + 1}")
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
