"""Messages for the faces of the agent beside HTTP that are broken anywhere: at random, the same for the same seed."""

from __future__ import annotations

import asyncio
import random
import struct
from collections.abc import Mapping

from aiohttp import ClientSession

from agent.frontends.esphome.messages import KINDS
from tests.support.esphome import HOST, Secret, framed

GOOD_CALL = (
    b'<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body><u:SetVolume xmlns:u="urn:x">'
    b"<InstanceID>0</InstanceID><Channel>Master</Channel><DesiredVolume>30</DesiredVolume></u:SetVolume>"
    b"</s:Body></s:Envelope>"
)
"""A request of a DLNA controller, before it is broken."""

PATHS = ("/RenderingControl/control", "/AVTransport/control", "/AVTransport/event", "/description.xml", "/x")
METHODS = ("POST", "POST", "POST", "GET", "SUBSCRIBE", "UNSUBSCRIBE", "BREW")

DLNA_STATUSES = {200, 400, 403, 404, 405, 412, 500}
"""With which broken calls may be answered: 500 is how SOAP says that a call was wrong."""


async def send_esphome(port: int, source: random.Random, key: bytes | None) -> int:
    """One connection with one kind of garbage, up to 100 messages; how many those were. With a `key` they are encrypted
    in one of four."""
    reader, writer = await asyncio.open_connection(HOST, port)
    try:
        kind = source.randrange(4 if key is not None else 3)
        if kind < 3:
            writer.write(_before_the_key(source, kind))
            return 1
        assert key is not None
        return await _encrypted(await Secret.agreed(reader, writer, key), source)
    except (asyncio.IncompleteReadError, ConnectionError):  # the agent has had enough of it
        return 1
    finally:
        writer.close()


def _before_the_key(source: random.Random, kind: int) -> bytes:
    if kind == 0:
        return source.randbytes(source.randrange(200))
    if kind == 1:
        return b"\x01\0\0" + framed(b"\0" + source.randbytes(source.choice((0, 31, 32, 48, 49, 200))))
    number, body = source.choice((*KINDS, source.randrange(65536))), source.randbytes(source.randrange(50))
    return bytes([0, len(body), number & 0x7F]) + body


async def _encrypted(secret: Secret, source: random.Random) -> int:
    secret.send(1)
    for sent in range(1, 100):
        number, body = source.choice((*KINDS, source.randrange(65536))), source.randbytes(source.randrange(50))
        match source.randrange(60):
            case 0:
                secret.seal(source.randbytes(source.randrange(8)))
                return sent
            case 1:
                secret.seal(struct.pack(">HH", number, 60000) + body)
                return sent
            case 2:
                secret.writer.write(framed(body))
                return sent
            case _:
                secret.send(number, b"" if source.random() < 0.95 else body)
    return 100


async def call_dlna(http: ClientSession, base: str, dice: random.Random) -> int:
    """One call whose body and headers are broken; the status of its answer."""
    body = bytearray(GOOD_CALL)
    for _ in range(dice.randint(0, 8)):
        body[dice.randrange(len(body))] = dice.randrange(256)
    headers: Mapping[str, str] = {
        "SOAPACTION": "urn:schemas-upnp-org:service:RenderingControl:1#SetVolume",
        **{
            name: "".join(chr(dice.randrange(33, 127)) for _ in range(dice.randint(0, 40)))
            for name in ("SOAPACTION", "CALLBACK", "TIMEOUT", "SID", "NT")
            if dice.random() < 0.3
        },
    }
    method, path = dice.choice(METHODS), dice.choice(PATHS)
    async with http.request(method, base + path, data=bytes(body), headers=headers) as answer:
        await answer.read()
        return answer.status


async def send_no_http(port: int, dice: random.Random) -> None:
    """One connection with bytes that are no HTTP, until the other side closes it."""
    reader, writer = await asyncio.open_connection(HOST, port)
    try:
        writer.write(dice.randbytes(dice.randint(1, 2000)) + b"\r\n\r\n")
        writer.write_eof()
        async with asyncio.timeout(5):
            await reader.read()
    except ConnectionError:  # closed before all was read
        return
    finally:
        writer.close()
