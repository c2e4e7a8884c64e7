"""The ESPHome face without a daemon, what is behind it, and clients of it: Home Assistant's own, and one that sends
bytes."""

from __future__ import annotations

import asyncio
import base64
import struct
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from aioesphomeapi.client import APIClient
from google.protobuf.message import Message
from noise.connection import NoiseConnection

from agent.frontends.esphome.box import Peer
from agent.frontends.esphome.connection import TIMINGS, Timings
from agent.frontends.esphome.frames import PROLOGUE, PROTOCOL
from agent.frontends.esphome.identity import EspHomeIdentity, IdentityFile
from agent.frontends.esphome.key import KeyFile, KeyRing, open_window
from agent.frontends.esphome.messages import api
from agent.frontends.esphome.server import About, EspHomeServer, Kept
from agent.types import DeviceInfo
from cast_util.tasks import Supervisor

HOST = "127.0.0.1"
NAME = "living-room"
KEY = bytes(range(32))
OTHER_KEY = bytes(range(1, 33))
ZERO_KEY = base64.b64encode(bytes(32)).decode()
SWITCH = 7
"""The key of the one entity that there is."""


def text(key: bytes) -> str:
    """A key as people type it."""
    return base64.b64encode(key).decode()


class FakeBox:
    """One switch and one action; commands are noted, and last for as long as `held` is not set."""

    def __init__(self) -> None:
        self.peers: list[Peer] = []
        self.commands: list[Message] = []
        self.held = asyncio.Event()
        self.held.set()
        self.fault: Exception | None = None
        self.listed: list[Message] = [
            api.ListEntitiesSwitchResponse(key=SWITCH, object_id="screen", name="Screen"),
            api.ListEntitiesServicesResponse(key=8, name="play"),
        ]

    def entities(self) -> Sequence[Message]:
        return list(self.listed)

    def states(self) -> Mapping[int, Message]:
        return {SWITCH: state(on=True)}

    def subscribe(self, peer: Peer) -> Callable[[], None]:
        self.peers.append(peer)
        return lambda: self.peers.remove(peer)

    async def command(self, message: Message, peer: Peer) -> None:
        self.commands.append(message)
        await self.held.wait()
        if self.fault is not None:
            raise self.fault
        if isinstance(message, api.ExecuteServiceRequest):
            peer.put(api.ExecuteServiceResponse(call_id=message.call_id, success=True))


def state(*, on: bool) -> Message:
    """The state of the switch."""
    message: Message = api.SwitchStateResponse(key=SWITCH, state=on)
    return message


class Secret:
    """The encryption of a client that sends whatever a test wants."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, noise: NoiseConnection) -> None:
        self.reader = reader
        self.writer = writer
        self._noise = noise

    @classmethod
    async def agreed(cls, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, key: bytes) -> Secret:
        """Agree on this key. Raises asyncio.IncompleteReadError when the other side does not."""
        noise = NoiseConnection.from_name(PROTOCOL.encode())
        noise.set_as_initiator()
        noise.set_psks(key)
        noise.set_prologue(PROLOGUE + b"\0\0")
        noise.start_handshake()
        writer.write(b"\x01\0\0" + framed(b"\0" + bytes(noise.write_message())))
        await read_frame(reader)
        noise.read_message((await read_frame(reader))[1:])
        return cls(reader, writer, noise)

    @classmethod
    async def greeted(cls, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, key: bytes = KEY) -> Secret:
        """Agree on this key, and say hello."""
        secret = await cls.agreed(reader, writer, key)
        secret.send(1, api.HelloRequest(client_info="test").SerializeToString())
        assert await secret.receive() == 2
        return secret

    def seal(self, content: bytes) -> None:
        """Send this encrypted, whatever it is."""
        self.writer.write(framed(bytes(self._noise.encrypt(content))))

    def send(self, number: int, body: bytes = b"") -> None:
        """Send a message."""
        self.seal(struct.pack(">HH", number, len(body)) + body)

    async def receive(self) -> int:
        """The number of the next message."""
        opened = bytes(self._noise.decrypt(await read_frame(self.reader)))
        return int.from_bytes(opened[:2], "big")


def framed(content: bytes) -> bytes:
    """A frame as encrypted connections have it."""
    return struct.pack(">BH", 1, len(content)) + content


async def read_frame(reader: asyncio.StreamReader) -> bytes:
    """The content of the next frame."""
    _, length = struct.unpack(">BH", await reader.readexactly(3))
    return await reader.readexactly(length)


class Face:
    """A server with its box, in the state directory `folder`."""

    def __init__(self, server: EspHomeServer, box: FakeBox, folder: Path) -> None:
        self.server = server
        self.box = box
        self.keys = KeyFile(folder)

    @property
    def port(self) -> int:
        assert self.server.port is not None
        return self.server.port

    @asynccontextmanager
    async def client(self, key: str | None = text(KEY), *, login: bool = False) -> AsyncIterator[APIClient]:
        """Home Assistant's client, connected; None speaks plaintext."""
        client = APIClient(HOST, self.port, None, noise_psk=key, keepalive=20)
        try:
            await client.connect(login=login)
            yield client
        finally:
            await client.disconnect(force=True)

    @asynccontextmanager
    async def raw(self) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
        """A connection for bytes of the test's own."""
        reader, writer = await asyncio.open_connection(HOST, self.port)
        try:
            yield reader, writer
        finally:
            writer.close()

    @asynccontextmanager
    async def secret(self, key: bytes = KEY) -> AsyncIterator[Secret]:
        """An encrypted connection for messages of the test's own, after the hello."""
        async with self.raw() as (reader, writer):
            yield await Secret.greeted(reader, writer, key)

    async def until(self, condition: Callable[[], Any], what: str, *, timeout_s: float = 5.0) -> None:
        """Wait for the condition without blocking the server."""
        try:
            async with asyncio.timeout(timeout_s):
                while not condition():
                    await asyncio.sleep(0.01)
        except TimeoutError:
            raise AssertionError(f"not within {timeout_s} s: {what}") from None


@asynccontextmanager
async def face(
    folder: Path,
    *,
    key: bytes | None = KEY,
    is_open: bool = True,
    timings: Timings = TIMINGS,
    port: int = 0,
) -> AsyncIterator[Face]:
    """A served face, with this key in its folder; while `is_open` the first client that comes may bring one."""
    if key is not None:
        KeyFile(folder).add(key)
    if is_open:
        open_window(folder)
    box = FakeBox()
    server = EspHomeServer(
        hosts=(HOST,),
        port=port,
        about=About(DeviceInfo("box-1", "Living room", "1.2.3"), "Test machine"),
        kept=Kept(EspHomeIdentity("0011223344ff", NAME), IdentityFile(folder), KeyRing(folder)),
        box=box,
        supervisor=Supervisor(),
        timings=timings,
    )
    served = Face(server, box, folder)
    await server.start(8090)
    try:
        yield served
    finally:
        await server.stop()
