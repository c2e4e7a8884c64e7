"""A web page from the internet, in the real browser: it reaches neither this box nor its network."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack
from typing import NamedTuple

import pytest
from aiohttp import web

from agent.player.chromium.command import is_installed
from tests.support.lan import Lan, LanAgent
from tests.support.leaks import LeakCheck
from tests.support.login_pages import Stranger
from tests.support.looking import wait_colour
from tests.support.screen import Screen
from tests.support.web_pages import WebPages, refusals
from tests.support.xserver import XServer

pytestmark = pytest.mark.skipif(
    not is_installed(), reason="NOT TRIED: no Chromium here; scripts/setup.sh test installs it"
)

INTERNET = "11.22.33.44"
"""An address that is not private, in a network of the test's own."""

SOON_S = 10.0

# Every way that a script has to another server; at last, once it is seen, the page itself leads there.
_REACHING = """
<script>
const local = "http://127.0.0.1:%(local)d", api = "http://127.0.0.1:%(api)d"
const load = (kind, more) => new Promise((done, fail) => {
  const made = Object.assign(document.createElement(kind), {onload: done, onerror: fail}, more)
  document.body.append(made)
  setTimeout(fail, 2000)
})
const ways = [
  fetch(`${local}/fetched`, {mode: "no-cors"}),
  fetch(`${local.replace("127.0.0.1", "localhost")}/named`, {mode: "no-cors"}),
  fetch(`${api}/status`, {mode: "no-cors"}),
  load("script", {src: `${local}/script`}),
  new Promise((done, fail) => Object.assign(new WebSocket(`${local}/line`), {onopen: done, onerror: fail})),
]
load("iframe", {src: `${local}/frame`}).catch(() => {})
load("img", {src: `${local}/image`}).catch(() => {})
Promise.allSettled(ways).then(async outcomes => {
  const statuses = outcomes.map(({status}) => status)
  await fetch("/told", {method: "POST", body: JSON.stringify({page: location.host, statuses})})
  await new Promise(done => requestAnimationFrame(() => setTimeout(done, 500)))
  if (%(leads)s) location = `${local}/led`
})
</script>"""


class ReachingPages(WebPages):
    """`/reaching/{colour}/{local}/{api}`: a page that reaches for the servers on these ports of the box."""

    def _add_routes(self, app: web.Application) -> None:
        super()._add_routes(app)
        app.router.add_get("/reaching/{colour}/{local}/{api}", self._reaching)

    async def _reaching(self, request: web.Request) -> web.Response:
        found = request.match_info
        parts = {"local": int(found["local"]), "api": int(found["api"]), "leads": json.dumps(self.host == INTERNET)}
        return self._page(request, found["colour"], _REACHING % parts)


class Box(NamedTuple):
    """A box on which the internet is an address of its card."""

    agent: LanAgent
    outside: ReachingPages
    inside: ReachingPages
    local: Stranger


@pytest.fixture(scope="module")
def box(lan: Lan, xserver: XServer, leaks: LeakCheck) -> Iterator[Box]:
    machine = lan.machine(f"{INTERNET}/24")
    servers = ReachingPages(INTERNET), ReachingPages(), Stranger()
    with ExitStack() as running:
        with leaks.adopting(), machine.inside():
            for server in servers:
                running.enter_context(server)
        agent = running.enter_context(
            LanAgent(machine, display__display=xserver.display, discovery__enabled=False, audio__output="none")
        )
        leaks.own_pids(lambda: agent.pids)
        yield Box(agent, *servers)


def test_a_page_of_the_internet_stays_there(box: Box, screen: Screen) -> None:
    """A page from outside may do nothing of what a page of the network may, whether it names or numbers the box.
    Chromium tells nothing of websockets that it refuses."""
    agent, outside = box.agent, box.outside
    path = f"{box.local.port}/{agent.port}"
    outside.told.clear()
    agent.show_page(outside.url(f"/reaching/green/{path}"))
    agent.wait_until(lambda: outside.told, SOON_S, "it has tried")
    assert outside.told == [{"page": f"{INTERNET}:{outside.port}", "statuses": ["rejected"] * 5}]
    agent.wait_until(lambda: refusals(agent, "lan") == 7, SOON_S, "all that it tried is counted")
    wait_colour(screen, "green")
    agent.wait_state("playing")
    assert box.local.heard == {}

    agent.show_page(box.inside.url(f"/reaching/cyan/{path}"))
    agent.wait_until(lambda: box.inside.told, SOON_S, "the page of the network has tried")
    assert box.inside.told[0]["statuses"][:2] == ["fulfilled"] * 2
    assert {"/fetched", "/named", "/script", "/line", "/frame", "/image"} <= box.local.heard.keys()
    agent.stop(all=True)
