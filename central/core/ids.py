"""Ids that sort by the moment they were made, and the cursors of lists that are sorted by them."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from datetime import datetime
from typing import Final
from uuid import UUID

from uuid_utils import uuid7

from central.core.errors import InvalidRequestError

ID_PATTERN: Final = r"^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$"

_ID = re.compile(ID_PATTERN)


def new_id() -> str:
    """A UUIDv7 (RFC 9562), which sorts by the time of its making."""
    return str(uuid7())


def id_of(name: str, began_at: datetime) -> str:
    """The id of something that has this name and began at that moment: always the same, and sorted like the others."""
    number = int(began_at.timestamp() * 1000) << 80 | int.from_bytes(hashlib.sha256(name.encode()).digest()[:10])
    for field, (bits, place) in ((7, (4, 76)), (2, (2, 62))):  # version and variant
        number = number & ~((1 << bits) - 1 << place) | field << place
    return str(UUID(int=number))


def is_id(text: str) -> bool:
    return _ID.fullmatch(text) is not None


def to_cursor(position: str) -> str:
    """An opaque cursor that means: go on behind `position`."""
    return base64.urlsafe_b64encode(position.encode()).decode().rstrip("=")


def from_cursor(cursor: str | None) -> str | None:
    """The position in a cursor. Raises InvalidRequestError for an invalid one."""
    if cursor is None:
        return None
    try:
        return base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True).decode("ascii")
    except (binascii.Error, ValueError) as error:
        raise bad_cursor() from error


def bad_cursor() -> InvalidRequestError:
    return InvalidRequestError.of("cursor", "must be the next_cursor of an earlier answer of this call")
