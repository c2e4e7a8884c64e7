"""The messages of ESPHome's native API and their numbers, as aioesphomeapi has them."""

from __future__ import annotations

import importlib
import importlib.util
import sys
import zlib
from types import ModuleType
from typing import Any, Final

from google.protobuf.message import DecodeError, Message


def _generated() -> tuple[Any, Any]:
    """The generated modules of aioesphomeapi alone: the package imports a whole client, 5 MB and 0.2 s more."""
    package = "_esphome_api"
    if package not in sys.modules:
        found = importlib.util.find_spec("aioesphomeapi")
        assert found is not None, "it is a dependency"
        alone = ModuleType(package)
        alone.__path__ = list(found.submodule_search_locations or ())
        sys.modules[package] = alone
    return importlib.import_module(f"{package}.api_pb2"), importlib.import_module(f"{package}.api_options_pb2")


api, _options = _generated()


class MessageError(Exception):
    """The peer does not speak this protocol, or not within its limits."""


def number_of(message: Message | type[Message]) -> int:
    """The number that a frame carries for this kind of message."""
    return int(message.DESCRIPTOR.GetOptions().Extensions[_options.id])


def key_of(platform: str, name: str) -> int:
    """The number of an entity or an action: unique, and the same in every run."""
    return zlib.crc32(f"{platform}.{name}".encode())


def parse(number: int, body: bytes) -> Message | None:
    """The message; None for a kind that clients do not send, or that is newer than this. Raises MessageError."""
    kind = KINDS.get(number)
    if kind is None:
        return None
    message = kind()
    try:
        message.ParseFromString(body)
    except DecodeError as error:
        raise MessageError("a message that cannot be read") from error
    return message


def _sent_by_clients() -> dict[int, type[Message]]:
    kinds: list[type[Message]] = [getattr(api, name) for name in api.DESCRIPTOR.message_types_by_name]
    return {
        number: kind
        for kind in kinds
        if (number := number_of(kind))
        and kind.DESCRIPTOR.GetOptions().Extensions[_options.source] != _options.SOURCE_SERVER
    }


KINDS: Final = _sent_by_clients()
"""The messages by their number."""
