"""The whole face: the entities of this box behind the server that Home Assistant connects to."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from agent.frontends.esphome.cast_box import CastBox
from agent.frontends.esphome.identity import IdentityFile
from agent.frontends.esphome.key import KeyRing
from agent.frontends.esphome.server import About, EspHomeServer, Kept
from agent.health import EspHomeStatus
from agent.types import LanService
from cast_util.tasks import Supervisor


class Settings(Protocol):
    """The [esphome] section."""

    @property
    def host(self) -> str | None: ...

    @property
    def port(self) -> int: ...


class EspHomeFace:
    """Keeps its key and its identity in the state directory `folder`, and listens on `host` where the settings name no
    other. Making it blocks for the disk."""

    def __init__(
        self,
        box: CastBox,
        *,
        settings: Settings,
        host: str,
        folder: Path,
        about: About,
        supervisor: Supervisor,
    ) -> None:
        self._box = box
        identity_file = IdentityFile(folder)
        identity = identity_file.load(device_id=about.device.id, device_name=about.device.name)
        keys = KeyRing(folder)
        keys.begin()
        host = settings.host or host
        self._is_local = host in ("127.0.0.1", "::1", "localhost")
        self._server = EspHomeServer(
            hosts=("0.0.0.0", "::") if host == "::" else (host,),
            port=settings.port,
            about=about,
            kept=Kept(identity, identity_file, keys),
            box=box,
            supervisor=supervisor,
        )

    async def start(self, web_port: int, changed: Callable[[], None]) -> None:
        """Listen. `changed` is called when what `announced` says may be another now; the page of the box is on
        `web_port`."""
        self._server.changed = changed
        await self._box.start()
        await self._server.start(web_port)

    async def stop(self) -> None:
        """Close all connections, within two seconds. Idempotent."""
        await self._server.stop()
        await self._box.stop()

    @property
    def status(self) -> EspHomeStatus:
        """The reachability of this box for Home Assistant."""
        return self._server.status

    def announced(self) -> tuple[LanService, ...]:
        """The service to announce; none if the face listens on this machine only."""
        return () if self._is_local else self._server.announced()
