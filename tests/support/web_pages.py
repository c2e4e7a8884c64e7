"""A small web application with every page that a browser on a wall meets, in a thread and an event loop of its own."""

from __future__ import annotations

import asyncio
import base64
import threading
from collections import Counter
from collections.abc import Coroutine
from typing import Any

from aiohttp import WSMsgType, web

from tests.support.agent import Agent
from tests.support.colours import PALETTE
from tests.support.running import LEAVES_S, Started
from tests.support.sockets import free_port

LATE_S = 0.4
"""The time after which a late page paints."""

RELOADS_AFTER_S = 0.1
"""The time that a page which reloads itself is shown: it has painted by then."""

LARGE_BYTES = 300_000
"""The size of a page's data: more than an engine reads of one message."""

PASSWORD = "pass-of-a-page"
"""The password of `user`, for guarded pages."""

_TOGGLING = """
<div id="tick" style="position:absolute;top:0;left:0;width:9px;height:9px"></div>
<script>setInterval(() => {tick.style.background = tick.style.background == "white" ? "black" : "white"}, 100)</script>
"""

_LATE = """
<script>
setTimeout(() => {document.body.style.background = document.body.style.color; document.body.append("late")}, %d)
</script>"""

_LIVE = """
<script>
function connect() {
  const line = new WebSocket(`ws://${location.host}/line`)
  line.onclose = () => setTimeout(connect, 200)
}
connect()
</script>"""

_SENDING = """
<script>
fetch("/large", {method: "POST", body: "x".repeat(%d)}).then(() => {document.body.style.background = "%s"})
</script>"""

_NASTY = """
<script>
alert("one"); confirm("two"); prompt("three"); print()
open("/plain/red"); document.write("<a href='mailto:a@b.c'>mail</a>"); document.querySelector("a").click()
navigator.geolocation.getCurrentPosition(() => {}); Notification.requestPermission()
const a = document.createElement("a"); a.href = "/file"; a.download = "x.bin"; a.click()
location = "file:///etc/passwd"
document.execCommand("print")
setInterval(() => {alert("four"); confirm("five"); prompt("six")}, 100)
</script>"""


_LOOKING = """
<style>body {margin: 0} header {position: fixed; inset: 0; background: red} main {height: 5000px}</style>
<header>ours</header><div id="host"></div><main>long</main>
<script>
const root = host.attachShadow({mode: "open"})
root.innerHTML = "<header style='position:fixed;inset:0;background:red'>of an element</header>"
const tell = () => fetch("/told", {method: "POST", body: JSON.stringify({
  width: innerWidth,
  scroll: scrollY,
  dark: matchMedia("(prefers-color-scheme: dark)").matches,
  number: (1.5).toLocaleString(),
  time_zone: Intl.DateTimeFormat().resolvedOptions().timeZone,
  user_agent: navigator.userAgent,
})})
addEventListener("load", () => requestAnimationFrame(() => requestAnimationFrame(tell)))
addEventListener("resize", tell)
</script>"""

_KEYED = """
<script>
for (const input of ["mousedown", "keydown"])
  addEventListener(input, () => {
    fetch("/told", {method: "POST", body: JSON.stringify({page: location.pathname, input})})
  })
</script>"""

_CHARTS = """
<script>
for (let n = 0; n < 20; n++) document.body.append(document.createElement("canvas"))
setInterval(() => document.querySelectorAll("canvas").forEach(canvas => {
  const pen = canvas.getContext("2d")
  pen.clearRect(0, 0, canvas.width, canvas.height)
  pen.beginPath()
  for (let x = 0; x < canvas.width; x++) pen.lineTo(x, canvas.height * Math.random())
  pen.stroke()
}), 1000)
</script>"""

_RELOADING = """
<script>
setInterval(async () => { if (await (await fetch("/again")).json()) location.reload() }, %d)
</script>"""

_SOUNDING = """
<script>
const context = new AudioContext(), tone = context.createOscillator()
tone.frequency.value = %s
tone.connect(context.destination)
tone.start()
</script>"""


class WebPages(Started):
    """`with WebPages() as pages: pages.url("/plain/red")`. After `stop` it can be started again on the same port."""

    def __init__(self, host: str = "127.0.0.1") -> None:
        self.host = host
        self.port = free_port()
        self.asked: Counter[str] = Counter()
        """The number of requests for each path."""
        self.told: list[dict[str, Any]] = []
        """The reports of pages on how they are shown."""
        self.reloads = 0
        """The number of times that reloading pages are still to reload themselves."""
        self.languages: list[str] = []
        self._lines: set[web.WebSocketResponse] = set()
        self._is_cut = False
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="web-pages", daemon=True)
        self._runner: web.AppRunner | None = None

    def url(self, path: str) -> str:
        return f"http://{self.host}:{self.port}{path}"

    def start(self) -> None:
        if not self._thread.is_alive():
            self._thread.start()
        self._call(self._open())

    def pause(self) -> None:
        """Let go of its port; every connection breaks."""
        self._call(self._close())

    def cut_lines(self, on: bool) -> None:
        """Close all websockets and answer new ones as a proxy does whose server is away, or stop that."""
        self._is_cut = on
        if on:
            self.drop()

    def drop(self) -> None:
        """Break every websocket."""
        self._call(self._drop())

    async def _drop(self) -> None:
        for line in tuple(self._lines):
            await line.close()

    def stop(self) -> None:
        if self._thread.is_alive():
            self.pause()
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(LEAVES_S)
            self._loop.close()

    def _call(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(LEAVES_S)

    async def _open(self) -> None:
        app = web.Application()
        self._add_routes(app)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, self.host, self.port, reuse_address=True).start()

    def _add_routes(self, app: web.Application) -> None:
        app.router.add_get("/plain/{colour}", self._plain)
        app.router.add_get("/late/{colour}", self._late)
        app.router.add_get("/live/{colour}", self._live)
        app.router.add_get("/guarded/{colour}", self._guarded)
        app.router.add_get("/sending/{colour}", self._sending)
        app.router.add_post("/large", self._large)
        app.router.add_get("/looking/{colour}", self._looking)
        app.router.add_post("/told", self._told)
        app.router.add_get("/sounding/{colour}/{pitch}", self._sounding)
        app.router.add_get("/charts/{colour}", self._charts)
        app.router.add_get("/reloading/{colour}", self._reloading)
        app.router.add_get("/again", self._again)
        app.router.add_get("/keyed/{colour}", self._keyed)
        app.router.add_get("/nasty", self._nasty)
        app.router.add_get("/bare", self._bare)
        app.router.add_get("/endless", self._endless)
        app.router.add_get("/silent", self._silent)
        app.router.add_get("/status/{status}", self._status)
        app.router.add_get("/file", self._file)
        app.router.add_get("/away/{colour}", self._away)
        app.router.add_get("/line", self._line)

    async def _close(self) -> None:
        runner, self._runner = self._runner, None
        if runner is not None:
            await runner.cleanup()

    def _page(
        self, request: web.Request, colour: str, more: str = "", *, text: str = "A page", ink: str = ""
    ) -> web.Response:
        self.asked[request.path] += 1
        style = f"background:rgb{PALETTE[colour]};color:rgb{PALETTE[ink or colour]}"
        body = f"<!doctype html><title>A page</title><body style='{style}'>{text}{more}"
        return web.Response(text=body, content_type="text/html")

    async def _plain(self, request: web.Request) -> web.Response:
        return self._page(request, request.match_info["colour"], _TOGGLING)

    async def _late(self, request: web.Request) -> web.Response:
        return self._page(request, "white", _LATE % (LATE_S * 1000), text="", ink=request.match_info["colour"])

    async def _live(self, request: web.Request) -> web.Response:
        return self._page(request, request.match_info["colour"], _TOGGLING + _LIVE)

    async def _guarded(self, request: web.Request) -> web.Response:
        known = base64.b64encode(f"user:{PASSWORD}".encode()).decode()
        if request.headers.get("Authorization") != f"Basic {known}":
            return web.Response(status=401, headers={"WWW-Authenticate": 'Basic realm="x"'})
        return self._page(request, request.match_info["colour"], _TOGGLING)

    async def _sending(self, request: web.Request) -> web.Response:
        colour = request.match_info["colour"]
        return self._page(request, "blue", _SENDING % (LARGE_BYTES, colour))

    async def _large(self, request: web.Request) -> web.Response:
        return web.Response(text=str(len(await request.read())))

    async def _looking(self, request: web.Request) -> web.Response:
        self.languages.append(request.headers.get("Accept-Language", ""))
        return self._page(request, request.match_info["colour"], _LOOKING)

    async def _told(self, request: web.Request) -> web.Response:
        self.told.append(await request.json())
        return web.Response(status=204)

    async def _sounding(self, request: web.Request) -> web.Response:
        return self._page(request, request.match_info["colour"], _SOUNDING % request.match_info["pitch"])

    async def _keyed(self, request: web.Request) -> web.Response:
        return self._page(request, request.match_info["colour"], _KEYED)

    async def _charts(self, request: web.Request) -> web.Response:
        return self._page(request, request.match_info["colour"], _CHARTS)

    async def _reloading(self, request: web.Request) -> web.Response:
        more = _CHARTS + _RELOADING % (RELOADS_AFTER_S * 1000)
        return self._page(request, request.match_info["colour"], more)

    async def _again(self, request: web.Request) -> web.Response:
        again, self.reloads = self.reloads > 0, max(0, self.reloads - 1)
        return web.json_response(again)

    async def _nasty(self, request: web.Request) -> web.Response:
        return self._page(request, "green", _NASTY)

    async def _bare(self, request: web.Request) -> web.Response:
        return self._page(request, "blue", text="")

    async def _endless(self, request: web.Request) -> web.Response:
        return web.Response(text="<!doctype html><script>for (;;) {}</script>Never seen", content_type="text/html")

    async def _silent(self, request: web.Request) -> web.Response:
        await asyncio.Event().wait()
        raise AssertionError("nobody sets it")

    async def _status(self, request: web.Request) -> web.Response:
        status = int(request.match_info["status"])
        asks = {"WWW-Authenticate": 'Basic realm="x"'} if status == 401 else {}
        return web.Response(status=status, text="<h1>Sorry</h1>", content_type="text/html", headers=asks)

    async def _file(self, request: web.Request) -> web.Response:
        self.asked["/file"] += 1
        return web.Response(body=b"0" * 1000, content_type="application/octet-stream")

    async def _away(self, request: web.Request) -> web.Response:
        raise web.HTTPFound(f"/plain/{request.match_info['colour']}")

    async def _line(self, request: web.Request) -> web.StreamResponse:
        if self._is_cut:
            return web.Response(status=503)
        line = web.WebSocketResponse()
        await line.prepare(request)
        self._lines.add(line)
        try:
            async for message in line:
                if message.type is WSMsgType.TEXT:
                    await line.send_str(message.data)
        finally:
            self._lines.discard(line)
        return line


def refusals(agent: Agent, kind: str) -> int:
    """The number of times that pages of this agent were refused something of this kind."""
    lines = agent.call("GET", "/metrics").content.decode().splitlines()
    name = f'cast_agent_page_refusals_total{{kind="{kind}"}} '
    return int(float(next(line.removeprefix(name) for line in lines if line.startswith(name))))
