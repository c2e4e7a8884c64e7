"""The boxes as other features need them: the secret of each, and what it decodes."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from cast_wire.engines import Engine
from central.core.batch import Batcher
from central.core.db.engine import Database
from central.core.types import Decodes, KnownBox
from central.devices import repository


class KnownBoxes:
    """Those that are not revoked. Those that are asked for at the same time are looked up together."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._asked: Batcher[str, KnownBox | None] = Batcher("known-boxes", self._look_up)

    async def find(self, device_id: str) -> KnownBox | None:
        """The box with this id; None once it is revoked."""
        return await self._asked.submit(device_id)

    async def decoders(self) -> Collection[Decodes]:
        """What they decode, each that differs once; none without any box."""
        async with self._database.read() as session:
            return [_as_set(text) for text in await repository.decoders(session)]

    async def _look_up(self, ids: Sequence[str]) -> Sequence[KnownBox | None]:
        async with self._database.read() as session:
            found = await repository.known(session, set(ids))
        boxes = {device_id: KnownBox(secret, _as_set(decodes)) for device_id, secret, decodes in found}
        return [boxes.get(device_id) for device_id in ids]


def as_text(engines: Collection[Engine] | None) -> str | None:
    """What these engines decode together, as it is kept; None if they do not tell all of it."""
    if engines is None or any(engine.codecs is None for engine in engines):
        return None
    return " ".join(sorted({codec for engine in engines for codec in engine.codecs or ()}))


def _as_set(text: str | None) -> Decodes:
    return None if text is None else frozenset(text.split())
