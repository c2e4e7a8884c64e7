"""The server of ESPHome's native API: where Home Assistant connects to."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Final

import structlog
from google.protobuf.message import Message

from agent.frontends.esphome.box import Box
from agent.frontends.esphome.connection import CLOSE_AFTER_S, TIMINGS, Connection, Timings
from agent.frontends.esphome.frames import PROTOCOL
from agent.frontends.esphome.identity import EspHomeIdentity, IdentityFile, is_wireless
from agent.frontends.esphome.key import KeyRing
from agent.frontends.esphome.messages import api
from agent.health import EspHomeStatus
from agent.types import DeviceInfo, LanService
from agent.util.threads import in_thread
from cast_util.tasks import Supervisor

SERVICE: Final = "_esphomelib._tcp"

CLIENTS_LIMIT: Final = 8
"""The limit for clients that have shown the key, and for those that have not shown it yet. A house has one Home
Assistant, or two."""

COMMANDS_LIMIT: Final = 32
"""Under way at once, of all clients together; most take milliseconds."""

COMMAND_TIMEOUT_S: Final = 60.0
"""Home Assistant waits for 30 s."""

LISTEN_AGAIN_S: Final = 30.0
"""A port that was taken may be free again."""

TXT_MOVES_S: Final = 20.0
"""Home Assistant takes another address from a record that has changed, once it has given up the dead connection."""

IDENTITY_TIMEOUT_S: Final = 1.0
"""The longest wait for the identity to be written, after the key: Home Assistant waits for the answer for 10 s in all.
A slower write goes on without being waited for."""

NAME_TAKEN: Final = "Give this box another one: cast-agent esphome reset --name NAME. Then add it again there."

REFUSALS_S: Final = 60.0
"""The interval at which the log reports wrong keys."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class About:
    """The facts about the box that clients receive besides its identity."""

    device: DeviceInfo
    model: str
    """The kind of machine, for people."""


@dataclass(frozen=True, slots=True)
class Kept:
    """The files for Home Assistant in the state directory."""

    identity: EspHomeIdentity
    """The identity at the start."""
    identity_file: IdentityFile
    keys: KeyRing


class EspHomeServer:
    """Listens, and owns the connections. Nothing here is fatal: without its port the rest of the agent works."""

    def __init__(
        self,
        *,
        hosts: Sequence[str],
        port: int,
        about: About,
        kept: Kept,
        box: Box,
        supervisor: Supervisor,
        timings: Timings = TIMINGS,
    ) -> None:
        """`port` 0 is any free one."""
        self.box: Final = box
        self.keys: Final = kept.keys
        self.changed: Callable[[], None] = lambda: None
        """Called when what `announced` says may be another now."""
        self._hosts = hosts
        self._port = port
        self._about = about
        self._identity = kept.identity
        self._identity_file = kept.identity_file
        self._supervisor = supervisor
        self._timings = timings
        self._web_port = 0
        self._server: asyncio.Server | None = None
        self._problem: str | None = None
        self._listening: asyncio.Task[None] | None = None
        self._connections: dict[Connection, asyncio.Task[None]] = {}
        self._commands: set[asyncio.Task[None]] = set()
        self._moved = 0
        self._refusal_at = -REFUSALS_S
        self._network = "wifi" if is_wireless() else "ethernet"

    async def start(self, web_port: int) -> None:
        """Listen, or try it again and again. Clients are told that the page is on `web_port`."""
        self._web_port = web_port
        if not await self._listen():
            self._listening = self._supervisor.start(self._listen_later, name="esphome")

    async def stop(self) -> None:
        """Close the port and all connections, within a second or two. Idempotent."""
        if self._listening is not None:
            self._listening.cancel()
        if self._server is not None:
            self._server.close()
            self._server = None
        self._end_all("the agent ends")
        for command in self._commands:
            command.cancel()
        if left := {*self._connections.values(), *self._commands}:
            _, late = await asyncio.wait(left, timeout=self._timings.close + 0.5)
            for task in late:
                task.cancel()

    @property
    def name(self) -> str:
        """The node name."""
        return self._identity.name

    @property
    def mac(self) -> str:
        """12 hexadecimal digits."""
        return self._identity.mac

    @property
    def server_info(self) -> str:
        """Name and version of this program."""
        return f"cast-agent {self._about.device.version}"

    @property
    def status(self) -> EspHomeStatus:
        """The reachability of this box for Home Assistant."""
        return EspHomeStatus(
            name=self.name,
            port=self.port,
            has_key=self.keys.key is not None,
            window_s=self.keys.window_s,
            clients=tuple(f"{each.client} ({each.address})" for each in self._trusted()),
            problem=self._problem or self.keys.problem or None,
        )

    @property
    def port(self) -> int | None:
        """The port; None while the server does not listen."""
        return int(self._server.sockets[0].getsockname()[1]) if self._server is not None else None

    def announced(self) -> tuple[LanService, ...]:
        """The service to announce. While there is a key and no client is connected, it changes every TXT_MOVES_S."""
        if (port := self.port) is None:
            return ()
        has_key = self.keys.key is not None
        if has_key and not self._trusted():
            self._moved = int(asyncio.get_running_loop().time() // TXT_MOVES_S)
        txt = {
            "mac": self.mac,
            "friendly_name": self._about.device.name,
            "version": self._about.device.version,
            "platform": "linux",
            "network": self._network,
            "api_encryption" if has_key else "api_encryption_supported": PROTOCOL,
            "moved": str(self._moved),
        }
        return (LanService(SERVICE, self.name, port, tuple(txt.items()), NAME_TAKEN),)

    def device_info(self) -> Message:
        """The DeviceInfoResponse."""
        device = self._about.device
        message: Message = api.DeviceInfoResponse(
            name=self.name,
            friendly_name=device.name,
            mac_address=":".join(self.mac[at : at + 2] for at in range(0, 12, 2)).upper(),
            esphome_version=device.version,
            manufacturer="cast-agent",
            model=self._about.model,
            webserver_port=self._web_port,
            api_encryption_supported=True,
            api_encryption_provisionable=self.keys.window_s > 0,
        )
        return message

    def greeted(self, connection: Connection) -> None:
        """Make room: of those that know the key, and of those that have not shown it, the one that has been silent for
        longest goes."""
        self._make_room([each for each in self._connections if each.is_trusted == connection.is_trusted])
        self.changed()

    def key_refused(self, address: str) -> None:
        """Tell it in the log, once a minute."""
        now = asyncio.get_running_loop().time()
        is_news = now - self._refusal_at >= REFUSALS_S
        if is_news:
            self._refusal_at = now
        level = log.warning if is_news else log.debug
        level(
            "esphome_key_refused",
            address=address,
            hint="It has another key, or none. `cast-agent esphome key` shows the key to be typed there.",
        )

    def run(self, work: Callable[[], Awaitable[None]], *, name: str) -> bool:
        """Do this beside the connections. Return False when COMMANDS_LIMIT are under way already."""
        if len(self._commands) >= COMMANDS_LIMIT:
            return False
        task = asyncio.create_task(self._command(work, name), name=f"esphome-{name}")
        self._commands.add(task)
        task.add_done_callback(self._commands.discard)
        return True

    async def take_key(self, key: bytes) -> bool:
        """Return True when the key was accepted; all connections end soon then."""
        if not await self.keys.accept(key):
            return False
        try:
            async with asyncio.timeout(IDENTITY_TIMEOUT_S):
                await in_thread(lambda: self._identity_file.keep(self._identity))  # what Home Assistant knows now
        except (OSError, RuntimeError) as error:  # the last one: out of threads
            log.warning("esphome_identity_write_failed", reason=str(error) or "The disk does not answer.")
        log.info("esphome_key_accepted", name=self.name)
        asyncio.get_running_loop().call_later(CLOSE_AFTER_S, self._end_all, "there is a key now")
        self.changed()
        return True

    async def _listen_later(self) -> None:
        while True:
            await asyncio.sleep(LISTEN_AGAIN_S)
            if await self._listen():
                return

    async def _listen(self) -> bool:
        """Return True when that has succeeded."""
        try:
            self._server = await asyncio.start_server(self._accept, self._hosts, self._port)
        except OSError as error:
            self._failed(error)
            return False
        self._problem = None
        log.info("esphome_listen_started", port=self.port, name=self.name, window_s=round(self.keys.window_s))
        self.changed()
        return True

    def _failed(self, error: OSError) -> None:
        problem = (
            f"Home Assistant cannot connect: port {self._port} cannot be had ({error.strerror}). If another program "
            "has it, change [esphome] port, or set enabled = false there."
        )
        if problem != self._problem:
            log.warning("esphome_listen_failed", reason=problem, retry_s=LISTEN_AGAIN_S)
        self._problem = problem

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        connection = Connection(reader, writer, self, self._timings)
        self._connections[connection] = task
        self._make_room([each for each in self._connections if not each.is_trusted])
        try:
            await connection.serve()
        finally:
            del self._connections[connection]
            if connection.is_trusted:
                self.changed()

    async def _command(self, work: Callable[[], Awaitable[None]], name: str) -> None:
        try:
            async with asyncio.timeout(COMMAND_TIMEOUT_S):
                await work()
        except TimeoutError:
            log.error("esphome_command_abandoned", command=name, timeout_s=COMMAND_TIMEOUT_S)
        except Exception as error:
            log.error("esphome_command_failed", command=name, reason=repr(error), exc_info=error)

    def _trusted(self) -> list[Connection]:
        return [each for each in self._connections if each.is_trusted]

    def _make_room(self, among: Collection[Connection]) -> None:
        for connection in sorted(among, key=lambda each: each.heard_at)[: max(0, len(among) - CLIENTS_LIMIT)]:
            connection.end("there are too many clients")

    def _end_all(self, reason: str) -> None:
        for connection in self._connections:
            connection.end(reason)
