"""Every call that changes something, and what the service does so by itself, on the things of a scene.

Admin keys are missing: what makes and revokes them locks one row that nothing else locks.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Final

from central.core.settings import RetentionSettings
from central.devices.settings import DeviceSettings
from central.devices.upkeep import Upkeep
from central.media.interruptions import Interruptions
from central.media.reconcile import Reconciliation
from central.media.server import Look, Publisher
from central.media.settings import MediaMtxSettings
from tests.central.support.scene import C1, C2, Scene
from tests.central.support.service import Central, Client


@dataclass(frozen=True)
class Operation:
    """One call: how it is made, and what there has to be before."""

    call: Callable[[Scene, Central], Awaitable[int]]
    """The status of the answer; 200 for what is no call of HTTP."""
    needs: frozenset[str] = frozenset()
    alone: bool = False
    """It works on all that there is, so no other round may be under way."""


OPERATIONS: Final[dict[str, Operation]] = {}


def _operation(*needs: str, alone: bool = False) -> Callable[[Callable[[Scene, Central], Awaitable[int]]], None]:
    def keep(call: Callable[[Scene, Central], Awaitable[int]]) -> None:
        OPERATIONS[call.__name__] = Operation(call, frozenset(needs), alone)

    return keep


@_operation("box")
async def enrol(scene: Scene, central: Central) -> int:
    client = Client(central.session, scene.enrolment_token)
    return (await client("POST", "/api/v1/devices", {"name": "new", "token": scene.proposed})).status


@_operation("box")
async def change_device(scene: Scene, central: Central) -> int:
    return (await central.admin("PATCH", f"/api/v1/devices/{scene.device}", {"name": "changed"})).status


@_operation("box")
async def revoke_device(scene: Scene, central: Central) -> int:
    return (await central.admin("DELETE", f"/api/v1/devices/{scene.device}")).status


@_operation("box")
async def put_state(scene: Scene, central: Central) -> int:
    box = scene.box(central)
    return (await box.put(box.state())).status


@_operation("box")
async def add_events(scene: Scene, central: Central) -> int:
    return (await scene.box(central).send(scene.event)).status


@_operation("box")
async def start_stream(scene: Scene, central: Central) -> int:
    return (await scene.box(central).cast()).status


@_operation("box", "shown")
async def change_stream(scene: Scene, central: Central) -> int:
    return (await central.admin("PATCH", f"/api/v1/streams/{scene.shown}", {"title": "changed"})).status


@_operation("box", "shown")
async def stop_stream(scene: Scene, central: Central) -> int:
    return (await central.admin("POST", f"/api/v1/streams/{scene.shown}/stop")).status


@_operation("publisher")
async def add_broadcaster(scene: Scene, central: Central) -> int:
    return (await central.admin("POST", "/broadcasters", {"name": f"new {scene.number}"})).status


@_operation("publisher")
async def change_broadcaster(scene: Scene, central: Central) -> int:
    body = {"name": f"changed {scene.number}"}
    return (await central.admin("PATCH", f"/broadcasters/{scene.broadcaster}", body)).status


@_operation("publisher")
async def delete_broadcaster(scene: Scene, central: Central) -> int:
    return (await central.admin("DELETE", f"/broadcasters/{scene.broadcaster}")).status


@_operation("publisher")
async def add_key(scene: Scene, central: Central) -> int:
    return (await central.admin("POST", "/stream-keys", {"broadcaster_id": scene.broadcaster})).status


@_operation("publisher")
async def revoke_key(scene: Scene, central: Central) -> int:
    return (await central.admin("DELETE", f"/stream-keys/{scene.key}")).status


@_operation("publisher")
async def auth(scene: Scene, central: Central) -> int:
    return (await central.auth(scene.key_token, scene.path, C1)).status


@_operation("publisher")
async def auth_of_another(scene: Scene, central: Central) -> int:
    return (await central.auth(scene.key_token, scene.path, C2)).status


@_operation("publisher", "claim")
async def ready(scene: Scene, central: Central) -> int:
    return (await central.ready(scene.path, C1)).status


@_operation("publisher", "published")
async def not_ready(scene: Scene, central: Central) -> int:
    return (await central.not_ready(scene.path, C1)).status


@_operation("publisher")
async def come_back(scene: Scene, central: Central) -> int:
    asked = await central.auth(scene.key_token, scene.path, C2)
    return asked.status if asked.status != 200 else (await central.ready(scene.path, C2)).status


@_operation("publisher", "published")
async def stop_published(scene: Scene, central: Central) -> int:
    return (await central.admin("POST", f"/api/v1/streams/{scene.published}/stop")).status


@_operation("box", alone=True)
async def revoke_enrolments(_scene: Scene, central: Central) -> int:
    await central.services.boxes.enrolments.revoke()
    return 200


@_operation("box", "lost", "shown", alone=True)
async def end_lost(_scene: Scene, central: Central) -> int:
    await Upkeep(central.services.database, DeviceSettings(), RetentionSettings(), now=central.clock).once()
    return 200


@_operation("publisher", "claim", alone=True)
async def find_on(scene: Scene, central: Central) -> int:
    await _look(central, [Publisher(scene.path, C1, "rtspSession")])
    return 200


@_operation("publisher", "published", alone=True)
async def find_gone(_scene: Scene, central: Central) -> int:
    await _look(central, [])
    return 200


@_operation("publisher", "away", alone=True)
async def end_interrupted(_scene: Scene, central: Central) -> int:
    later = central.clock() + timedelta(seconds=2)
    await Interruptions(central.services.database, now=lambda: later).once()
    return 200


class _Listed:
    """A media server that has these on."""

    def __init__(self, publishers: Sequence[Publisher]) -> None:
        self._publishers = publishers

    async def look(self) -> Look:
        return Look(time.time(), self._publishers, frozenset())

    async def record(self, path: str, folder: Path | None) -> None:
        """Nothing is recorded."""

    async def kick(self, _publisher: Publisher) -> bool:
        return True


async def _look(central: Central, on: Sequence[Publisher]) -> None:
    services = central.services
    settings = MediaMtxSettings(api_url="http://127.0.0.1:1")
    await Reconciliation(services.database, settings, _Listed(on), services.media.publishing, now=central.clock).once()
