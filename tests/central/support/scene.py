"""The scene of a race: a box, a publisher and what belongs to them, made anew for each round."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from central.core.db.base import Base
from central.core.ids import new_id
from central.core.secrets import TokenKind, digest, new_code, new_token
from central.devices.tables import Device, DeviceState, EnrolmentToken, Event
from central.locks import LOCK_ORDER
from central.media.tables import Broadcaster, Claim, StreamKey
from central.streams.tables import Stream
from tests.central.support.service import Box, Central

C1, C2 = "c1", "c2"
"""The connection of the publisher, and that of another, or of the same when it has come back."""

_NUMBERS = itertools.count()


@dataclass
class Scene:
    """The things of one round, as the calls of that round need them."""

    made_by: Central
    needs: frozenset[str]
    """The things that the calls of the round need to find: a `box` or a `publisher` with its key; `shown`, a stream of
    the box; `lost`, a box of long ago; `claim`, a publisher that was let in; `published`, one that is on; `away`, one
    that was."""
    number: int = field(default_factory=lambda: next(_NUMBERS))
    broadcaster: str = field(default_factory=new_id)
    key: str = field(default_factory=new_id)
    key_token: str = field(default_factory=lambda: new_token(TokenKind.STREAM_KEY))
    device: str = field(default_factory=new_id)
    device_token: str = field(default_factory=lambda: new_token(TokenKind.DEVICE))
    enrolment: str = field(default_factory=new_id)
    enrolment_token: str = field(default_factory=lambda: new_token(TokenKind.ENROLMENT))
    proposed: str = field(default_factory=lambda: new_token(TokenKind.DEVICE))
    shown: str = field(default_factory=new_id)
    """The stream of the box."""
    published: str = field(default_factory=new_id)
    event: dict[str, Any] = field(default_factory=dict)

    @property
    def path(self) -> str:
        return f"race/{self.number}"

    async def make(self) -> None:
        """Everything there is before the calls."""
        now = self.made_by.clock()
        rows = [
            *(self._of_the_box(now) if "box" in self.needs else ()),
            *(self._of_the_publisher(now) if "publisher" in self.needs else ()),
        ]

        rows.sort(key=lambda row: list(LOCK_ORDER).index(row.__tablename__))  # what others refer to comes first

        def insert(session: Session) -> None:
            for row in rows:
                session.add(row)
                session.flush()

        await self.made_by.services.database.write(lambda session: session.run_sync(insert))
        self.event = self.box(self.made_by).event()

    def _of_the_box(self, now: datetime) -> list[Base]:
        made = now - timedelta(days=2) if "lost" in self.needs else now
        expires = now + timedelta(hours=1)
        token, box = digest(self.enrolment_token), digest(self.device_token)
        rows: list[Base] = [
            EnrolmentToken(id=self.enrolment, token_hash=token, uses_left=1, created_at=now, expires_at=expires),
            Device(id=self.device, name="box", token_hash=box, created_at=made, meta={}),
        ]
        if "shown" in self.needs:
            rows.append(self._stream(self.shown, now, source="device", device_id=self.device, url="http://nas/a"))
        return rows

    def _of_the_publisher(self, now: datetime) -> list[Base]:
        key, soon = digest(self.key_token), now + timedelta(seconds=1)
        rows: list[Base] = [
            Broadcaster(id=self.broadcaster, name=f"b {self.number}", created_at=now, meta={}),
            StreamKey(id=self.key, broadcaster_id=self.broadcaster, name="k", key_hash=key, created_at=now),
        ]
        if "published" in self.needs:
            rows += [self._claim(C1, None), self._published(C1)]
        elif "claim" in self.needs:
            rows.append(self._claim(C1, now + timedelta(seconds=10)))
        elif "away" in self.needs:
            away = {"interrupted_at": now, "grace_until": soon, "end_reason": "unpublished"}
            rows += [self._claim("", soon), self._published(None, **away)]
        return rows

    async def found(self) -> Found:
        """The state of the scene now."""
        async with self.made_by.services.database.read() as session:
            return await session.run_sync(self._found)

    def _found(self, session: Session) -> Found:
        def all_of(part: str, table: Any, *which: Any) -> Sequence[Any]:
            return session.scalars(select(table).where(*which)).all() if part in self.needs else []

        names = [f"{word} {self.number}" for word in ("b", "changed", "new")]
        tokens = [digest(self.device_token), digest(self.proposed)]
        devices = all_of("box", Device, Device.token_hash.in_(tokens))
        return Found(
            device=next((each for each in devices if each.id == self.device), None),
            enrolled=[each for each in devices if each.id != self.device],
            states=all_of("box", DeviceState, DeviceState.device_id == self.device),
            events=all_of("box", Event, Event.device_id == self.device),
            uses_left=[each.uses_left for each in all_of("box", EnrolmentToken, EnrolmentToken.id == self.enrolment)],
            broadcasters=all_of("publisher", Broadcaster, Broadcaster.name.in_(names)),
            keys=all_of("publisher", StreamKey, StreamKey.broadcaster_id == self.broadcaster),
            claims=all_of("publisher", Claim, (Claim.path == self.path) | (Claim.stream_key_id == self.key)),
            streams=[
                *all_of("publisher", Stream, Stream.path == self.path),
                *all_of("box", Stream, Stream.device_id == self.device),
            ],
        )

    def _claim(self, connection: str, leased_until: datetime | None) -> Claim:
        return Claim(
            stream_key_id=self.key,
            connection_id=connection,
            path=self.path,
            protocol="rtsp",
            claimed_at=self.made_by.clock() - timedelta(seconds=60),
            leased_until=leased_until,
        )

    def _published(self, connection: str | None, **values: Any) -> Stream:
        began = self.made_by.clock() - timedelta(seconds=60)
        fixed = {"stream_key_id": self.key, "path": self.path, "connection_type": "rtspSession", "updated_at": began}
        return self._stream(self.published, began, source="publisher", connection_id=connection, **(fixed | values))

    def _stream(self, stream_id: str, began: datetime, **values: Any) -> Stream:
        fixed: dict[str, Any] = {"status": "active", "started_at": began, "meta": {}}
        return Stream(id=stream_id, code=new_code(), **(fixed | values))

    def box(self, central: Central) -> Box:
        return Box(central.session, self.device_token, id=self.device)


@dataclass(frozen=True)
class Found:
    """The rows of a scene."""

    device: Device | None
    enrolled: list[Device]
    states: Sequence[DeviceState]
    events: Sequence[Event]
    uses_left: list[int]
    """The uses that the enrolment token has left."""
    broadcasters: Sequence[Broadcaster]
    """The broadcaster of the scene, and those that its calls made."""
    keys: Sequence[StreamKey]
    """The keys of the broadcaster of the scene."""
    claims: Sequence[Claim]
    streams: Sequence[Stream]

    def named(self, name: str) -> int:
        """The number of broadcasters with that name."""
        return sum(each.name == name for each in self.broadcasters)

    def on(self, connection: str | None = None) -> list[Stream]:
        """The published streams that are active, by that connection if one is named."""
        on = [each for each in self.streams if each.status == "active" and each.source == "publisher"]
        return [each for each in on if connection is None or each.connection_id == connection]

    def shown(self) -> list[Stream]:
        return [each for each in self.streams if each.status == "active" and each.source == "device"]

    def stream(self, stream_id: str) -> Stream:
        return next(each for each in self.streams if each.id == stream_id)

    def holds(self, connection: str) -> bool:
        return any(claim.connection_id == connection for claim in self.claims)
