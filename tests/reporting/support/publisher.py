"""A publisher, as the central API hears of it from a media server."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import uuid4

from tests.central.support.service import Answered, Client


@dataclass
class Publisher:
    """A publisher that is on the air as soon as it is made by `publish`."""

    admin: Client
    path: str
    key: str
    connection: str = ""
    stream_id: str = ""
    code: str = ""

    async def go_on_air(self) -> None:
        """With a new connection."""
        self.connection, media_server = uuid4().hex, Client(self.admin.session)
        asked = {"user": "", "password": self.key, "ip": "192.0.2.7", "action": "publish", "path": self.path}
        allowed = await media_server("POST", "/auth", {**asked, "protocol": "rtsp", "id": self.connection})
        assert allowed.status == 200, allowed.body
        hook = {"path": self.path, "source_type": "rtspSession", "source_id": self.connection}
        ready = await media_server("POST", "/webhook/ready", hook)
        assert ready.status == 200, ready.body
        self.stream_id, self.code = ready["stream_id"], ready["code"]

    async def hang_up(self) -> None:
        """The media server tells that; its stream waits for it."""
        hook = {"path": self.path, "source_id": self.connection}
        told = await Client(self.admin.session)("POST", "/webhook/not-ready", hook)
        assert told["grace_until"] is not None

    async def stop(self) -> None:
        """It hangs up for good."""
        await self.hang_up()
        ended = await self.admin("POST", f"/api/v1/streams/{self.stream_id}/stop")
        assert ended["status"] == "ended"


async def publish(admin: Client, path: str | None = None) -> Publisher:
    """Publish to `path`, or to one of its own, with a key of its own."""
    broadcaster = await _made(admin, "/broadcasters", {"name": f"broadcaster {uuid4().hex}"})
    key = await _made(admin, "/stream-keys", {"broadcaster_id": broadcaster["id"]})
    publisher = Publisher(admin, path or f"live/{uuid4().hex[:8]}", key["key"])
    await publisher.go_on_air()
    return publisher


async def _made(admin: Client, path: str, body: dict[str, str]) -> Answered:
    answer = await admin("POST", path, body)
    assert answer.status == 201, answer.body
    return answer
