"""The messages of publishers and boxes."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from uuid_utils import uuid4, uuid7

from bench.central.client import request


def auth(key: str, *, path: str, connection: str) -> bytes:
    """The question of MediaMTX about a publisher."""
    body = {
        "user": "any",
        "password": key,
        "token": key,
        "ip": "192.0.2.7",
        "action": "publish",
        "path": path,
        "protocol": "rtsp",
        "id": connection,
        "query": "",
        "userAgent": "bench",
    }
    return request("POST", "/auth", body=body)


def ready(*, path: str, connection: str) -> bytes:
    body = {"path": path, "source_type": "rtspSession", "source_id": connection}
    return request("POST", "/webhook/ready", body=body)


@dataclass
class Box:
    """A box with its token."""

    id: str
    token: str
    boot_id: str = field(default_factory=lambda: str(uuid4()))
    _seq: itertools.count[int] = field(default_factory=lambda: itertools.count(1))

    def state(self) -> bytes:
        session = {
            "session_id": str(uuid4()),
            "url": "http://nas.local/films/film.mp4",
            "title": "A film of an evening",
            "quality": "auto",
            "state": "playing",
            "session_state": "active",
            "started_at": _now(),
            "position": 12.5,
            "duration": 5400.0,
        }
        body = self._envelope() | {"status": "casting", "stream": session, "volume_level": 0.5, "muted": False}
        return request("PUT", f"/api/v1/devices/{self.id}/state", token=self.token, body=body)

    def events(self, number: int) -> bytes:
        body = {"events": [self._event() for _ in range(number)]}
        return request("POST", f"/api/v1/devices/{self.id}/events", token=self.token, body=body)

    def _event(self) -> dict[str, Any]:
        data = {"url": "http://nas.local/films/film.mp4", "title": "A film of an evening", "quality": "auto"}
        about = {"event_id": str(uuid7()), "kind": "session_started", "session_id": str(uuid4()), "data": data}
        return self._envelope() | about

    def _envelope(self) -> dict[str, Any]:
        return {
            "device_id": self.id,
            "boot_id": self.boot_id,
            "seq": next(self._seq),
            "occurred_at": _now(),
            "uptime": 1234.5,
            "clock_synced": True,
            "agent_version": "0.1.0",
        }


def _now() -> str:
    return datetime.now(UTC).isoformat()
