"""The DLNA face on a free port of this machine, before the real casting service with players that obey at once."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from xml.sax.saxutils import escape, unescape

import pytest
from aiohttp import ClientSession, web

from agent.config.faces import DlnaSettings
from agent.frontends.dlna import events
from agent.frontends.dlna.face import DlnaFace, Reach
from agent.frontends.dlna.services import SERVICES
from agent.frontends.http.app import runner_of
from agent.types import DeviceInfo
from cast_util.tasks import Supervisor
from tests.support.api import Rooms
from tests.support.tools import SOON_S, until

DEVICE = DeviceInfo(id="4f0c", name="Living Room", version="0.1.0")

AVT, RC, CM = SERVICES


@dataclass
class Answer:
    status: int
    headers: Mapping[str, str]
    text: str

    def value(self, name: str) -> str:
        """The text of an element."""
        match = re.search(rf"<{name}>(.*?)</{name}>", self.text)
        assert match, f"{name} is not in {self.text}"
        return unescape(match[1], {"&quot;": '"'})


@dataclass
class Face:
    """A served DLNA face, and calls of it."""

    rooms: Rooms
    supervisor: Supervisor
    settings: DlnaSettings
    http: ClientSession
    face: DlnaFace = field(init=False)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.face.status.port}"

    async def request(self, method: str, path: str, *, data: bytes = b"", **headers: str) -> Answer:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        async with self.http.request(method, self.url + path, data=data, headers=named) as answer:
            return Answer(answer.status, answer.headers, await answer.text())

    async def post(self, service: str, action: str, body: bytes) -> Answer:
        kind = f'"urn:schemas-upnp-org:service:{service}:1#{action}"'
        return await self.request("POST", f"/{service}/control", data=body, SOAPACTION=kind)

    async def act(self, service: str, action: str, **arguments: str) -> Answer:
        given = arguments if service == CM else {"InstanceID": "0", **arguments}
        values = "".join(f"<{name}>{escape(value)}</{name}>" for name, value in given.items())
        kind = f"urn:schemas-upnp-org:service:{service}:1"
        body = (
            '<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body>'
            f'<u:{action} xmlns:u="{kind}">{values}</u:{action}></s:Body></s:Envelope>'
        )
        return await self.post(service, action, body.encode())

    async def name(self, address: str, metadata: str = "") -> Answer:
        return await self.act(AVT, "SetAVTransportURI", CurrentURI=address, CurrentURIMetaData=metadata)

    async def subscribe(self, callback: str, *, service: str = AVT, timeout: str = "Second-300") -> Answer:
        return await self.request(
            "SUBSCRIBE", f"/{service}/event", CALLBACK=f"<{callback}>", NT="upnp:event", TIMEOUT=timeout
        )


@pytest.fixture
async def face(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Face]:
    # What is told before an answer is told however busy this machine is.
    monkeypatch.setattr(events, "DELIVERED_S", SOON_S)
    monkeypatch.setattr(events, "NOTIFY_TIMEOUT_S", SOON_S)
    rooms, supervisor = Rooms(), Supervisor()
    async with ClientSession() as http:
        made = Face(rooms, supervisor, DlnaSettings(host="127.0.0.1", port=0), http)
        made.face = DlnaFace(
            rooms.casting,
            rooms.bus,
            Reach("::", lambda: [["192.0.2.7"]], runner_of),
            settings=lambda: made.settings,
            device=DEVICE,
            supervisor=supervisor,
        )
        made.face.start(8090)
        await until(lambda: made.face.status.port)
        try:
            yield made
        finally:
            await made.face.stop()
            await rooms.tracker.close()


@dataclass
class Ear:
    """A controller's side of its subscriptions: what came, in order."""

    events: list[Answer] = field(default_factory=list)
    status: int = 200
    url: str = ""
    takes_s: float = 0.0
    """The time that it takes to answer."""

    async def hear(self, request: web.Request) -> web.Response:
        self.events.append(Answer(200, request.headers, await request.text()))
        await asyncio.sleep(self.takes_s)
        return web.Response(status=self.status)

    def states(self) -> list[str]:
        """The transport states that were told."""
        return re.findall(r"&lt;TransportState val=&quot;(\w+)&quot;", "".join(each.text for each in self.events))


@pytest.fixture
async def ear() -> AsyncIterator[Ear]:
    ear = Ear()
    app = web.Application()
    app.router.add_route("NOTIFY", "/hear", ear.hear)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    ear.url = f"http://127.0.0.1:{runner.addresses[0][1]}/hear"
    yield ear
    await runner.cleanup()
