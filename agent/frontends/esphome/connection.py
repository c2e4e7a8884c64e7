"""One client of the ESPHome API, from its first byte to its last."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

import structlog
from google.protobuf.message import Message

from agent.frontends.esphome.box import Box
from agent.frontends.esphome.frames import Codec, WrongKeyError, agree, refuse_plaintext
from agent.frontends.esphome.key import KeyRing
from agent.frontends.esphome.messages import MessageError, api, parse
from agent.frontends.esphome.outbox import Outbox
from agent.util.waiting import first_of

API_VERSION: Final = (1, 14)
"""The version of the API. From 1.15 on clients expect an answer to DeviceCapabilitiesRequest."""

CLIENT_INFO_LIMIT: Final = 64
"""Characters of what a client says that it is."""

CLOSE_AFTER_S: Final = 0.1
"""The time in which the answer that a key is taken arrives before the connection ends."""

_COMMANDS: Final = ("CommandRequest", "ExecuteServiceRequest", "CameraImageRequest")
"""The endings of the names of messages to the box."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Timings:
    """Seconds."""

    hello: float = 10.0
    """Seconds for the key to be agreed on and the hello; takes milliseconds."""
    silence: float = 150.0
    """Home Assistant pings every 20 s, and gives a dead connection up after 130."""
    write: float = 30.0
    """Seconds for a client to read what it has been sent, once its buffers are full."""
    close: float = 1.0
    """Seconds for the last words to be sent."""


TIMINGS: Final = Timings()


class Host(Protocol):
    """The interface of the server to a connection."""

    @property
    def box(self) -> Box:
        """The part of the box that clients see and control."""

    @property
    def keys(self) -> KeyRing:
        """The key that clients must know."""

    @property
    def name(self) -> str:
        """The node name."""

    @property
    def mac(self) -> str:
        """12 hexadecimal digits."""

    @property
    def server_info(self) -> str:
        """Name and version of this program."""

    def device_info(self) -> Message:
        """The DeviceInfoResponse."""

    def greeted(self, connection: Connection) -> None:
        """The connection has a client that knows the key, or may bring one. Others may be closed to make room."""

    def key_refused(self, address: str) -> None:
        """Record that a client used a wrong key."""

    def run(self, work: Callable[[], Awaitable[None]], *, name: str) -> bool:
        """Do this beside the connection. Return False when too much is under way already."""

    async def take_key(self, key: bytes) -> bool:
        """Return True when the key was accepted; all connections end soon then."""


class OverError(Exception):
    """The connection ends; why, in words for the log."""


class Connection:
    """A client, and a Peer of the box once it has shown that it knows the key."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, host: Host, timings: Timings
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._host = host
        self._timings = timings
        self._outbox = Outbox()
        self._over: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._key: bytes | None = None
        self._codec: Codec | None = None
        self._listed: Sequence[Message] | None = None
        self._unsubscribe: Callable[[], None] | None = None
        self.address: Final = str((writer.get_extra_info("peername") or ("unknown",))[0])
        self.client = ""
        """The name that the client gives itself."""
        self.heard_at = asyncio.get_running_loop().time()
        """The time of its last message, by the loop."""

    @property
    def is_trusted(self) -> bool:
        """Return True if the client knows the key."""
        return self._codec is not None and self._codec.trusted

    def put_state(self, key: int, message: Message) -> None:
        """See Peer."""
        self._outbox.put_state(key, message)

    def put(self, message: Message) -> None:
        """See Peer."""
        if not self._outbox.put(message):
            self.end("the client does not read")

    def relist(self) -> None:
        """See Peer."""
        self.end("its lists have changed")

    def end(self, reason: str) -> None:
        """Close the connection. Idempotent."""
        if not self._over.done():
            self._over.set_exception(OverError(reason))

    async def serve(self) -> None:
        """Answer the client until it goes or has to."""
        reason = "the agent ends"
        try:
            await first_of(self._talk(), self._over)
        except OverError as over:
            reason = str(over)
        except WrongKeyError as error:
            reason = str(error)
            self._host.key_refused(self.address)
        except MessageError as error:
            reason = f"it sent {error}"
        except TimeoutError:
            reason = "the client is silent"
        except (asyncio.IncompleteReadError, OSError):
            reason = "the client has gone"
        except Exception as error:
            reason = "a fault of the agent"
            log.error("esphome_connection_failed", client=self.client, address=self.address, exc_info=error)
        finally:
            if self._unsubscribe is not None:
                self._unsubscribe()
            self._over.cancel()
            level = log.info if self.is_trusted else log.debug
            level("esphome_client_disconnected", client=self.client, address=self.address, reason=reason)
            await self._close()

    async def _talk(self) -> None:
        codec = await self._greet()
        await first_of(self._read(codec), self._write(codec))

    async def _greet(self) -> Codec:
        """Agree on the key, and answer the hello."""
        async with asyncio.timeout(self._timings.hello):
            self._key = self._host.keys.key
            if self._host.keys.problem:
                raise OverError("the key of this box cannot be read")
            named = {"name": self._host.name, "mac": self._host.mac}
            codec = await agree(self._reader, self._writer, key=self._key, **named)
            message = parse(*await codec.read(self._reader))
        if not isinstance(message, api.HelloRequest):
            raise MessageError("something else before its hello")
        self.client = _printable(message.client_info)
        self._codec = codec
        (log.info if codec.trusted else log.debug)("esphome_client_connected", client=self.client, address=self.address)
        self.heard_at = asyncio.get_running_loop().time()
        self._host.greeted(self)
        major, minor = API_VERSION
        self.put(
            api.HelloResponse(
                api_version_major=major,
                api_version_minor=minor,
                server_info=self._host.server_info,
                name=self._host.name,
            )
        )
        return codec

    async def _read(self, codec: Codec) -> None:
        while True:
            async with asyncio.timeout(self._timings.silence):
                message = parse(*await codec.read(self._reader))
            self.heard_at = asyncio.get_running_loop().time()
            self._check_key()
            if message is not None:
                await self._answer(message, codec)
            await asyncio.sleep(0)  # what a client sends in a burst is there already: others get their turn between

    def _check_key(self) -> None:
        if self._host.keys.key != self._key:
            self._outbox = Outbox()  # nor is it told what waits for it
            raise OverError("the key of this box is another one now")

    async def _answer(self, message: Any, codec: Codec) -> None:
        match message.DESCRIPTOR.name:
            case "PingRequest":
                self.put(api.PingResponse())
            case "AuthenticationRequest":  # clients before 2026 wait for the answer
                self.put(api.AuthenticationResponse())
            case "DisconnectRequest":
                self.put(api.DisconnectResponse())
                raise OverError("the client leaves")
            case "DisconnectResponse":
                raise OverError("the client was sent away")
            case "DeviceInfoRequest":
                self._tell_who_this_is()
            case "NoiseEncryptionSetKeyRequest":
                await self._take_key(message.key, codec)
            case _ if codec.trusted:
                self._serve_box(message)
            case _ if message.DESCRIPTOR.name.endswith(("ListEntitiesRequest", *_COMMANDS)):
                if not codec.encrypted:
                    refuse_plaintext(self._writer)  # a client that knows no provisioning asks for a key then
                raise OverError("it brings no key")

    def _serve_box(self, message: Any) -> None:
        box, name = self._host.box, message.DESCRIPTOR.name
        if name == "ListEntitiesRequest":
            self._listed = box.entities()
            for entity in self._listed:
                self.put(entity)
            self.put(api.ListEntitiesDoneResponse())
        elif name == "SubscribeStatesRequest" and self._unsubscribe is None:
            for key, state in box.states().items():
                self.put_state(key, state)
            self._unsubscribe = box.subscribe(self)
            if self._listed not in (None, box.entities()):  # changed between list and subscription
                self.relist()
        elif name.endswith(_COMMANDS) and not self._host.run(lambda: box.command(message, self), name=name):
            raise OverError("too many commands at once")

    def _tell_who_this_is(self) -> None:
        if self._key is None and not self._host.keys.window_s:
            reason = api.DISCONNECT_REASON_PROVISIONING_CLOSED
            self.put(api.DisconnectRequest(reason=reason))
        else:
            self.put(self._host.device_info())

    async def _take_key(self, key: bytes, codec: Codec) -> None:
        accepted = codec.encrypted and await self._host.take_key(key)
        self.put(api.NoiseEncryptionSetKeyResponse(success=accepted))
        if not (accepted or codec.trusted):
            raise OverError("its key was refused")

    async def _write(self, codec: Codec) -> None:
        while True:
            await self._outbox.wait()
            if codec.trusted:  # the client that has just brought a key is answered yet
                self._check_key()
            self._writer.write(b"".join(map(codec.pack, self._outbox.take())))
            try:
                async with asyncio.timeout(self._timings.write):
                    await self._writer.drain()
            except TimeoutError:
                raise OverError("the client does not read") from None

    async def _close(self) -> None:
        """Send what was written already, and free the socket whether that arrives or not."""
        try:
            async with asyncio.timeout(self._timings.close):
                if self._codec is not None:
                    self._writer.write(b"".join(map(self._codec.pack, self._outbox.take())))
                self._writer.close()
                await self._writer.wait_closed()
        except (OSError, TimeoutError, ValueError):  # the last one of what was too long, which is in the log
            self._writer.transport.abort()


def _printable(text: str) -> str:
    return "".join(c if c.isprintable() else "?" for c in text[:CLIENT_INFO_LIMIT])
