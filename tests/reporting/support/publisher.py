"""A publisher, as the central API hears of it from a media server."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import uuid4

from tests.central.support.service import Answered, Client


@dataclass
class Publisher:
    """On the air as soon as it is made by `publish`."""

    media_server: Client
    path: str
    connection: str
    stream_id: str
    code: str

    async def stop(self) -> None:
        """It hangs up, and the media server tells that."""
        ended = await self.media_server("POST", "/webhook/not-ready", {"path": self.path, "source_id": self.connection})
        assert ended["ended"] is True


async def publish(admin: Client, path: str | None = None) -> Publisher:
    """Somebody publishes to `path`, or to one of its own, with a key of its own."""
    path, connection = path or f"live/{uuid4().hex[:8]}", uuid4().hex
    broadcaster = await _made(admin, "/broadcasters", {"name": f"broadcaster {connection}"})
    key = await _made(admin, "/stream-keys", {"broadcaster_id": broadcaster["id"]})
    media_server = Client(admin.session)
    asked = {"user": "", "password": key["key"], "ip": "192.0.2.7", "action": "publish"}
    allowed = await media_server("POST", "/auth", {**asked, "path": path, "protocol": "rtsp", "id": connection})
    assert allowed.status == 200, allowed.body
    hook = {"path": path, "source_type": "rtspSession", "source_id": connection}
    ready = await media_server("POST", "/webhook/ready", hook)
    assert ready.status == 200, ready.body
    return Publisher(media_server, path, connection, ready["stream_id"], ready["code"])


async def _made(admin: Client, path: str, body: dict[str, str]) -> Answered:
    answer = await admin("POST", path, body)
    assert answer.status == 201, answer.body
    return answer
