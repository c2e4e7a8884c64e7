"""A web application that wants a log-in of each kind, and one that speaks as Home Assistant's front-end does."""

from __future__ import annotations

import base64
import json
import secrets
from collections.abc import Mapping
from typing import Final

from aiohttp import WSMsgType, web

from tests.support.colours import PALETTE
from tests.support.web_pages import WebPages

TOKEN_NAME: Final = "panel-token"
"""The name of the header, of the cookie, and of the key in the local storage."""

_FORM: Final = "<form style='position:fixed;inset:0;background:rgb(255,128,0)'><input type=password></form>"

# What it asks for over and over, and what leads elsewhere: a redirect, an image, a frame, a websocket.
_WALL: Final = """
<iframe src="%(other)s/frame" style="width:9px;height:9px"></iframe>
<img src="%(other)s/image" width=9><img src="%(sibling)s/image" width=9>
<script>
const leave = () => {document.body.innerHTML = %(form)s}
const ask = async () => {
  const more = {"X-Token": localStorage.getItem(%(name)s)}
  if ((await fetch("/data?kind=" + %(kind)s, {headers: more})).status === 401) leave()
}
setInterval(ask, 200)
fetch("/elsewhere", {mode: "no-cors"}).catch(() => {})
for (const server of ["%(other)s", location.origin]) new WebSocket(`${server}/line`.replace("http", "ws"))
</script>"""

_FRAME: Final = """
<script>
fetch("/of-the-frame")
fetch("/guarded").then(() => fetch("/answered"))
new WebSocket(document.referrer.replace("http", "ws") + "line")
</script>"""

# The front-end's side of the exchange (src/external_app, src/entrypoints/core.ts, home-assistant-js-websocket).
_HOME: Final = """
<div id="ha-launch-screen">...</div>
<home-assistant></home-assistant>
<script>
const colours = %(colours)s
const paint = () => {document.body.style.background = `rgb(${colours[location.pathname.split("/").pop()]})`}
const bus = message => externalApp.externalBus(JSON.stringify(message))
const status = event => bus({id: 2, type: "connection-status", payload: {event}})
const token = force => new Promise((resolve, reject) => {
  window.externalAuthSetToken = (success, data) => success ? resolve(data) : reject(data)
  externalApp.getExternalAuth(JSON.stringify({callback: "externalAuthSetToken", ...(force ? {force} : {})}))
})
const connect = data => new Promise((resolve, reject) => {
  const line = new WebSocket(`ws://${location.host}/api/websocket`)
  line.onmessage = ({data: text}) => {
    const {type} = JSON.parse(text)
    if (type === "auth_required") line.send(JSON.stringify({type: "auth", access_token: data.access_token}))
    if (type === "auth_ok") resolve(line)
    if (type === "auth_invalid") reject("invalid")
  }
  line.onclose = () => reject("closed")
})
const configured = new Promise(resolve => {
  window.externalBus = message => resolve(message.result)
  setTimeout(() => bus({id: 1, type: "config/get"}))
})
async function again() {
  status("disconnected")
  for (;;) {
    try { return follow(await connect(await token(false))) }
    catch (error) { if (error === "invalid") { status("auth-invalid"); return location.reload() } }
    await new Promise(resolve => setTimeout(resolve, 100))
  }
}
function follow(line) {
  status("connected")
  line.onclose = again
  paint()
  document.getElementById("ha-launch-screen")?.remove()
}
addEventListener("location-changed", paint);
(async () => {
  if (!location.search.includes("external_auth=1") && !window.externalApp) {
    document.body.innerHTML = %(form)s
    return
  }
  if (!(await configured).hasSidebar) return
  let data = await token(false)
  for (;;) {
    try { return follow(await connect(data)) }
    catch (error) { if (error === "invalid") data = await token(true) }
  }
})()
</script>"""


class LoginPages(WebPages):
    """`/wall/{kinds}/{colour}` is a page that wants some kinds of log-in, with a + between them, and asks for its data
    with the last one; `/home/{colour}` is Home Assistant's. `token` is what is taken; `other` is another server, which
    notes what it is asked with."""

    def __init__(self, other: WebPages) -> None:
        super().__init__()
        self.token = ""
        self.renew()
        self.other = other
        self.failures = 0
        """Log-ins that were refused."""
        self.lines: dict[str, bool] = {}
        """For each origin that opened a websocket of a wall: True if it came with the header."""

    def renew(self) -> str:
        """Take another token from now on, and no other any more."""
        self.token = f"token-{secrets.token_hex(8)}"
        return self.token

    def _add_routes(self, app: web.Application) -> None:
        app.router.add_get("/wall/{kinds}/{colour}", self._wall)
        app.router.add_get("/home/{colour}", self._home)
        app.router.add_get("/data", self._data)
        app.router.add_get("/live/{colour}", self._live)
        app.router.add_get("/line", self._line)
        app.router.add_get("/elsewhere", self._elsewhere)
        app.router.add_get("/api/websocket", self._websocket)

    def _is_in(self, request: web.Request, kind: str) -> bool:
        """It is logged in by this kind."""
        basic = base64.b64encode(f"user:{self.token}".encode()).decode()
        found: Mapping[str, bool] = {
            "header": request.headers.get(TOKEN_NAME) == self.token,
            "basic": request.headers.get("Authorization") == f"Basic {basic}",
            "cookie": request.cookies.get(TOKEN_NAME) == self.token,
            "local-storage": request.headers.get("X-Token") == self.token,
        }
        return found[kind]

    async def _wall(self, request: web.Request) -> web.Response:
        kinds = request.match_info["kinds"].split("+")
        if missing := [kind for kind in kinds if kind != "local-storage" and not self._is_in(request, kind)]:
            self.failures += 1
            if "basic" in missing:
                return web.Response(status=401, headers={"WWW-Authenticate": 'Basic realm="x"'})
            return web.Response(text=f"<!doctype html>{_FORM}", content_type="text/html")
        parts = {
            "other": self.other.url("").replace("127.0.0.1", "localhost"),
            "sibling": self.other.url(""),
            "form": json.dumps(_FORM),
            "kind": json.dumps(kinds[-1]),
            "name": json.dumps(TOKEN_NAME),
        }
        return self._page(request, request.match_info["colour"], _WALL % parts)

    async def _home(self, request: web.Request) -> web.Response:
        parts = {"colours": json.dumps(PALETTE), "form": json.dumps(_FORM)}
        return self._page(request, "grey", _HOME % parts, ink="blue")

    async def _data(self, request: web.Request) -> web.Response:
        self.asked["/data"] += 1
        if not self._is_in(request, request.query["kind"]):
            self.failures += 1
            return web.Response(status=401)
        return web.Response(text="1")

    async def _line(self, request: web.Request) -> web.StreamResponse:
        self.lines[request.headers["Origin"]] = self._is_in(request, "header")
        return await super()._line(request)

    async def _elsewhere(self, request: web.Request) -> web.Response:
        raise web.HTTPTemporaryRedirect(self.other.url("/redirected"))

    async def _websocket(self, request: web.Request) -> web.StreamResponse:
        line = web.WebSocketResponse()
        await line.prepare(request)
        self._lines.add(line)
        try:
            await line.send_json({"type": "auth_required"})
            async for message in line:
                is_right = message.type is WSMsgType.TEXT and message.json().get("access_token") == self.token
                self.failures += 0 if is_right else 1
                await line.send_json({"type": "auth_ok" if is_right else "auth_invalid"})
                if not is_right:
                    break
        finally:
            self._lines.discard(line)
            await line.close()
        return line


class Stranger(WebPages):
    """Another server: it answers everything, and keeps what it was asked with."""

    def __init__(self) -> None:
        super().__init__()
        self.heard: dict[str, str] = {}
        """All headers of the requests, by path."""

    def _add_routes(self, app: web.Application) -> None:
        app.router.add_get("/line", self._line)
        app.router.add_get("/{path}", self._any)

    async def _any(self, request: web.Request) -> web.Response:
        self._hear(request)
        if request.path == "/frame":  # its own requests are those of a frame of another site
            return web.Response(text=f"<!doctype html>frame{_FRAME}", content_type="text/html")
        if request.path == "/guarded":
            return web.Response(status=401, headers={"WWW-Authenticate": 'Basic realm="x"'})
        return web.Response(headers={"Access-Control-Allow-Origin": "*"})

    async def _line(self, request: web.Request) -> web.StreamResponse:
        self._hear(request)
        return await super()._line(request)

    def _hear(self, request: web.Request) -> None:
        self.heard[request.path] = self.heard.get(request.path, "") + f"{request.raw_path} {dict(request.headers)}"
