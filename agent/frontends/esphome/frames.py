"""The frames of ESPHome's native API, plaintext and encrypted (https://esphome.io/components/api, aioesphomeapi)."""

from __future__ import annotations

import asyncio
import struct
from typing import Final, Protocol

from google.protobuf.message import Message
from noise.connection import NoiseConnection
from noise.exceptions import NoiseInvalidMessage

from agent.frontends.esphome.key import NO_KEY
from agent.frontends.esphome.messages import MessageError, number_of

PLAIN: Final = 0x00
NOISE: Final = 0x01
PROTOCOL: Final = "Noise_NNpsk0_25519_ChaChaPoly_SHA256"
PROLOGUE: Final = b"NoiseAPIInit"
"""The prologue of the handshake; the client's hello, with its length, follows."""

FRAME_LIMIT: Final = 65535
"""Bytes, of the length's two. What clients send has some hundred."""

BODY_LIMIT: Final = FRAME_LIMIT - 4 - 16
"""Bytes of a message: its number and length are before it in the frame, and a tag is behind it."""

HANDSHAKE_LIMIT: Final = 256
"""Bytes of each frame before the key is agreed on; 49 are usual."""

WRONG_KEY: Final = "Handshake MAC failure"
"""The words by which Home Assistant knows that it has to ask for a key."""


class WrongKeyError(MessageError):
    """The peer has another key, or none."""


class Codec(Protocol):
    """Makes frames of messages, and messages of frames."""

    encrypted: bool
    trusted: bool
    """The peer has shown that it knows the key of this box."""

    def pack(self, message: Message) -> bytes:
        """The frame. Raises ValueError for more than BODY_LIMIT bytes."""

    async def read(self, reader: asyncio.StreamReader) -> tuple[int, bytes]:
        """Number and body of the next message. Raises MessageError, asyncio.IncompleteReadError."""


async def agree(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, key: bytes | None, name: str, mac: str
) -> Codec:
    """The frames in which this client speaks, told by its first byte. `mac` has 12 hexadecimal digits. Without a key
    plaintext and the zero key are understood, neither of which makes a client trusted; with one, only that key. Raises
    MessageError; a client without the key has been told then."""
    [first] = await reader.readexactly(1)
    if first == NOISE:
        return await _shake_hands(reader, writer, key=key, name=name, mac=mac)
    if first != PLAIN:
        raise MessageError("another protocol")
    if key is not None:
        refuse_plaintext(writer)
        raise WrongKeyError("plaintext, and a key is needed")
    return _Plain()


def refuse_plaintext(writer: asyncio.StreamWriter) -> None:
    """Have a client that speaks plaintext ask for a key."""
    writer.write(_framed(b"\x01Encryption is required"))


class _Plain:
    """The plaintext frames of a client's first questions to a box without a key. The first byte of the first frame has
    been read."""

    encrypted = False
    trusted = False

    def __init__(self) -> None:
        self._is_first = True

    def pack(self, message: Message) -> bytes:
        body = message.SerializeToString()
        return bytes([PLAIN]) + _varint(len(body)) + _varint(number_of(message)) + body

    async def read(self, reader: asyncio.StreamReader) -> tuple[int, bytes]:
        if not self._is_first and await reader.readexactly(1) != bytes([PLAIN]):
            raise MessageError("a frame that is not plaintext")
        self._is_first = False
        length, number = await _read_varint(reader), await _read_varint(reader)
        if length > FRAME_LIMIT:
            raise MessageError("a frame that is too long")
        return number, await reader.readexactly(length)


class _Noise:
    """Both sides know a key."""

    encrypted = True

    def __init__(self, noise: NoiseConnection, *, trusted: bool) -> None:
        self._noise = noise
        self.trusted = trusted

    def pack(self, message: Message) -> bytes:
        body = message.SerializeToString()
        if len(body) > BODY_LIMIT:
            raise ValueError(f"a message of {len(body)} bytes is longer than {BODY_LIMIT}")
        return _framed(bytes(self._noise.encrypt(struct.pack(">HH", number_of(message), len(body)) + body)))

    async def read(self, reader: asyncio.StreamReader) -> tuple[int, bytes]:
        sealed = await _read_frame(reader, FRAME_LIMIT)
        try:
            opened = bytes(self._noise.decrypt(sealed))
        except NoiseInvalidMessage as error:
            raise MessageError("a frame that was changed on its way") from error
        if len(opened) < 4:
            raise MessageError("a frame that is too short")
        number, length = struct.unpack(">HH", opened[:4])
        if len(opened) < 4 + length:
            raise MessageError("a frame that is shorter than it says")
        return number, opened[4 : 4 + length]


async def _shake_hands(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, key: bytes | None, name: str, mac: str
) -> _Noise:
    hello = await _read_rest(reader, HANDSHAKE_LIMIT)
    writer.write(_framed(b"\x01" + name.encode() + b"\0" + mac.encode() + b"\0"))
    noise = NoiseConnection.from_name(PROTOCOL.encode())
    noise.set_as_responder()
    noise.set_psks(key or NO_KEY)
    noise.set_prologue(PROLOGUE + struct.pack(">H", len(hello)) + hello)
    noise.start_handshake()
    theirs = await _read_frame(reader, HANDSHAKE_LIMIT)
    try:
        noise.read_message(theirs[1:])
    except Exception as error:  # for a peer's bytes the library raises whatever its own libraries do
        writer.write(_framed(b"\x01" + WRONG_KEY.encode()))
        raise WrongKeyError("another key") from error
    writer.write(_framed(b"\0" + bytes(noise.write_message())))
    return _Noise(noise, trusted=key is not None)


def _framed(body: bytes) -> bytes:
    return struct.pack(">BH", NOISE, len(body)) + body


async def _read_frame(reader: asyncio.StreamReader, limit: int) -> bytes:
    if await reader.readexactly(1) != bytes([NOISE]):
        raise MessageError("a frame that is not encrypted")
    return await _read_rest(reader, limit)


async def _read_rest(reader: asyncio.StreamReader, limit: int) -> bytes:
    [length] = struct.unpack(">H", await reader.readexactly(2))
    if length > limit:
        raise MessageError("a frame that is too long")
    return await reader.readexactly(length)


def _varint(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


async def _read_varint(reader: asyncio.StreamReader) -> int:
    number = 0
    for shift in range(0, 28, 7):
        [byte] = await reader.readexactly(1)
        number |= (byte & 0x7F) << shift
        if not byte & 0x80:
            return number
    raise MessageError("a number that is too long")
