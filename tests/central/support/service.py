"""A running central service on a real socket and a real database, and clients for it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from aiohttp import ClientSession, DummyCookieJar
from uuid_utils import uuid7

from central.daemon import Services, running
from central.settings import Settings


class Clock:
    """Stands at the moment of its making until it is moved."""

    def __init__(self) -> None:
        self.at = datetime.now(UTC)

    def __call__(self) -> datetime:
        return self.at

    def forward(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)


@dataclass
class Answered:
    """An answer, read."""

    status: int
    body: Any
    headers: dict[str, str]

    def __getitem__(self, name: str) -> Any:
        return self.body[name]


@dataclass
class Client:
    """Calls the service with one token, or with none, and wants to know what it did."""

    session: ClientSession
    token: str | None = None
    headers: dict[str, str] = field(default_factory=dict)

    async def __call__(self, method: str, path: str, json: Any = None, **options: Any) -> Answered:
        headers = {"Prefer": "return=representation"} | self.headers | options.pop("headers", {})
        if self.token is not None:
            headers.setdefault("Authorization", f"Bearer {self.token}")
        async with self.session.request(method, path, json=json, headers=headers, **options) as answer:
            is_json = answer.content_type.endswith("json")
            body = await answer.json(content_type=None) if is_json else await answer.text()
            return Answered(answer.status, body, dict(answer.headers))


@dataclass
class Box(Client):
    """A box that has been enrolled."""

    id: str = ""
    boot_id: str = field(default_factory=lambda: str(uuid4()))
    seq: int = 0

    def envelope(self, **changes: Any) -> dict[str, Any]:
        self.seq += 1
        return {
            "device_id": self.id,
            "boot_id": self.boot_id,
            "seq": self.seq,
            "occurred_at": datetime.now(UTC).isoformat(),
            "uptime": 12.5,
            "clock_synced": True,
            "agent_version": "0.1.0",
        } | changes

    def event(self, kind: str = "session_started", **changes: Any) -> dict[str, Any]:
        data: dict[str, Any] = {"url": "http://nas/film.mp4"} if kind == "session_started" else {}
        more = {"event_id": str(uuid7()), "kind": kind, "session_id": "s1", "data": data}
        return self.envelope(**(more | changes))

    def state(self, **changes: Any) -> dict[str, Any]:
        return self.envelope(**({"status": "idle"} | changes))

    async def send(self, *events: dict[str, Any]) -> Answered:
        return await self("POST", f"/api/v1/devices/{self.id}/events", {"events": list(events)})

    async def put(self, state: dict[str, Any]) -> Answered:
        return await self("PUT", f"/api/v1/devices/{self.id}/state", state)

    async def cast(self, **changes: Any) -> Answered:
        return await self("POST", "/api/v1/streams", {"device_id": self.id, "url": "http://nas/film.mp4"} | changes)


@dataclass
class Central:
    """The service, and who calls it."""

    services: Services
    session: ClientSession
    admin: Client
    anybody: Client
    clock: Clock
    url: str
    stack: AsyncExitStack
    secret: str | None = None
    """The secret that MediaMTX sends."""

    async def box(self, name: str = "kitchen") -> Box:
        made = await self.admin("POST", "/api/v1/devices", {"name": name})
        assert made.status == 201, made.body
        return Box(self.session, made["token"], id=made["id"])

    async def key(self, broadcaster: str | None = None, **changes: Any) -> Answered:
        """A new stream key, of a new broadcaster unless one is named."""
        if broadcaster is None:
            name = f"broadcaster {uuid4().hex[:8]}"
            broadcaster = (await self.admin("POST", "/broadcasters", {"name": name}))["id"]
        made = await self.admin("POST", "/stream-keys", {"broadcaster_id": broadcaster} | changes)
        assert made.status == 201, made.body
        return made

    async def auth(self, key: str, path: str = "live/one", connection: str | None = "c1", **changes: Any) -> Answered:
        """Ask about a publisher like MediaMTX does."""
        body = {
            "user": "",
            "password": key,
            "token": key,
            "ip": "192.0.2.7",
            "action": "publish",
            "path": path,
            "protocol": "rtsp",
            "id": connection,
            "query": "",
            "userAgent": "test",
        }
        headers = changes.pop("headers", None)
        return await self.media_server("/auth", body | changes, **({"headers": headers} if headers else {}))

    async def ready(self, path: str = "live/one", connection: str = "c1", kind: str = "rtspSession") -> Answered:
        body = {"path": path, "source_type": kind, "source_id": connection}
        return await self.media_server("/webhook/ready", body)

    async def not_ready(self, path: str = "live/one", connection: str = "c1") -> Answered:
        return await self.media_server("/webhook/not-ready", {"path": path, "source_id": connection})

    async def media_server(self, path: str, body: dict[str, Any], **options: Any) -> Answered:
        """Call like MediaMTX does, with the secret if there is one."""
        if self.secret is not None:
            headers = options.pop("headers", {}) | {"Authorization": f"Bearer {self.secret}"}
            options["headers"] = headers
        return await self.anybody("POST", path, body, **options)


@asynccontextmanager
async def served(database_url: str, **sections: dict[str, Any]) -> AsyncIterator[Central]:
    """Serve on a free port of the loopback, with a new admin key and a clock that the test moves."""
    given = {"api": {"host": "127.0.0.1", "port": 0}, "database": {"url": database_url}} | sections
    settings = Settings.model_validate(given)
    clock = Clock()
    async with AsyncExitStack() as stack:
        run = await stack.enter_async_context(running(settings, now=clock, checks_locks=True))
        token = await run.services.access.add_key(f"test {uuid4().hex}")
        url = f"http://127.0.0.1:{run.port}"
        session = await stack.enter_async_context(ClientSession(url, cookie_jar=DummyCookieJar()))
        secret = settings.mediamtx.secret
        yield Central(run.services, session, Client(session, token), Client(session), clock, url, stack, secret)
