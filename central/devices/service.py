"""The boxes: how they come in, what they say, and whether they are there."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from cast_wire import models as wire
from central.core.access.service import reach
from central.core.batch import Batcher
from central.core.db.engine import Database
from central.core.db.rounds import Apply, write_round
from central.core.errors import DeviceNotFoundError, InvalidRequestError, UnauthorizedError
from central.core.ids import bad_cursor, from_cursor, new_id
from central.core.pages import Clock, Page, id_behind, page_of, utc_now
from central.core.secrets import TokenKind, digest, new_token
from central.core.types import Caller, Role
from central.devices import event_repository as events
from central.devices import repository
from central.devices.enrolment_repository import use_enrolment
from central.devices.events import Counter, Good, is_its_own, read_event, row_of, size_of
from central.devices.known_boxes import as_text
from central.devices.quota import Quota
from central.devices.repository import DeviceRecord
from central.devices.settings import DeviceSettings
from central.devices.tables import Device, Event
from central.streams import repository as streams
from central.streams.types import StreamEnd

_ACCEPTED: Final = wire.EventStatus.ACCEPTED

MISSED_HEARTBEATS: Final = 3
JITTER: Final = 1.1
"""A box spreads its heartbeats by 10 %."""


@dataclass(frozen=True, slots=True)
class Heard:
    """A box, and the events of one of its batches."""

    device_id: str
    events: tuple[wire.Event, ...]


class Devices:
    """The boxes. Methods with a `caller` raise ForbiddenError when it may not do that."""

    def __init__(
        self, database: Database, settings: DeviceSettings, quota: Quota, counter: Counter, *, now: Clock = utc_now
    ) -> None:
        """`counter` is told each event once."""
        self._database = database
        self._counter = counter
        self._settings = settings
        self._quota = quota
        self._now = now
        self._heard: Batcher[Heard, list[wire.EventResult]] = Batcher("events", self._keep)

    @property
    def heartbeat_s(self) -> float:
        return self._settings.heartbeat

    async def enrol(self, caller: Caller, enrolment: wire.Enrolment) -> tuple[Device, str]:
        """A new box and its token; or the one that has come in with the token that is proposed already, when its answer
        was lost. Raises UnauthorizedError when the enrolment token has been used up."""
        try:
            return await self._enrol(caller, enrolment)
        except (IntegrityError, UnauthorizedError):
            if enrolment.token is None:
                raise
        return await self._enrol(caller, enrolment)  # the first call may have been under way still

    async def _enrol(self, caller: Caller, enrolment: wire.Enrolment) -> tuple[Device, str]:
        now = self._now()

        async def work(session: AsyncSession) -> tuple[Device, str]:
            token = enrolment.token or new_token(TokenKind.DEVICE)
            if (there := await repository.with_token(session, digest(token))) is not None:
                if there.revoked_at is None and there.last_seen is None:
                    return there, token
                # A revoked box stays revoked, and one that has reported knew the answer: this is a copy of its card.
                token = new_token(TokenKind.DEVICE)
            if caller.role is Role.ENROLMENT and not await use_enrolment(session, caller.id, now=now):
                raise UnauthorizedError("This enrolment token has been used up. Make another: cast-central enrol.")
            device = _new_device(enrolment, token, now)
            session.add(device)
            return device, token

        return await self._database.write(work)

    async def page(self, *, online: bool | None, cursor: str | None, limit: int) -> Page[DeviceRecord]:
        """Boxes, the newest first; with `online` only those that are (or are not) online."""
        async with self._database.read() as session:
            found = await repository.records(
                session,
                online_at=None if online is None else self._now(),
                online=bool(online),
                after=id_behind(cursor),
                limit=limit + 1,
            )
        return page_of(found, limit, lambda record: record.device.id)

    async def get(self, caller: Caller, device_id: str) -> DeviceRecord:
        """The box with this id. Raises DeviceNotFoundError."""
        reach(caller, device_id)
        async with self._database.read() as session:
            found = await repository.records(session, ids=[device_id], limit=1)
        if not found:
            raise missing_device(device_id)
        return found[0]

    async def change(self, caller: Caller, device_id: str, values: dict[str, Any]) -> DeviceRecord:
        """Change the columns of a box. Raises DeviceNotFoundError."""
        reach(caller, device_id)
        changed = values | {"updated_at": self._now()}
        if values and not await self._database.write(lambda session: repository.change(session, device_id, changed)):
            raise missing_device(device_id)
        return await self.get(caller, device_id)

    async def revoke(self, device_id: str) -> None:
        """Its token opens nothing any more, and its stream ends. Raises DeviceNotFoundError."""
        now = self._now()

        async def work(session: AsyncSession) -> None:
            if not await repository.change(
                session, device_id, {"revoked_at": now, "online_until": now, "updated_at": now}
            ):
                raise missing_device(device_id)
            await streams.end(session, reason=StreamEnd.DEVICE_REVOKED, now=now, device_id=device_id)

        await self._database.write(work)

    async def put_state(self, caller: Caller, device_id: str, state: wire.State) -> wire.StateAnswer:
        """Store the state of the box, unless a later one has arrived before."""
        reach(caller, device_id)
        is_its_own(device_id, state)
        now = self._now()
        plain = state.model_dump(mode="json")
        if size_of(plain) > wire.STATE_LIMIT:
            raise InvalidRequestError(f"The state is too large: at most {wire.STATE_LIMIT // 1024} KiB are kept.")

        async def work(session: AsyncSession) -> bool:
            seen: dict[str, Any] = {"last_seen": now, "online_until": self._online_until(now)}
            if not await repository.change(session, device_id, seen):
                raise missing_device(device_id)
            boot = await repository.boot_number(session, device_id, state.boot_id, now=now)
            kept = await repository.put_state(session, device_id, boot=boot, seq=state.seq, state=plain, now=now)
            if kept:
                said: dict[str, Any] = {"agent_version": state.agent_version}
                if (decodes := as_text(state.engines)) is not None:
                    said["decodes"] = decodes
                if state.stopping:
                    said["online_until"] = now
                await repository.change(session, device_id, said)
            return kept

        kept = await self._database.write(work)
        return wire.StateAnswer(accepted=kept, next_interval_s=self.heartbeat_s, server_time=now)

    async def add_events(self, caller: Caller, device_id: str, items: Sequence[Any]) -> wire.EventsAnswer:
        """Keep the events, each once, whatever they look like: there is an answer for each item. Raises
        QuotaExceededError, and has kept none then."""
        reach(caller, device_id)
        read = [read_event(item, device_id) for item in items]
        good = [item for item in read if isinstance(item, Good)]
        unused = sum(item.size for item in good)
        self._quota.take(device_id, unused)
        try:
            kept = await self._heard.submit(Heard(device_id, tuple(item.event for item in good)))
            new = (item.size for item, result in zip(good, kept, strict=True) if result.status is _ACCEPTED)
            unused -= sum(new)
        finally:
            self._quota.give_back(device_id, unused)
        answers = iter(kept)
        results = tuple(next(answers) if isinstance(item, Good) else item for item in read)
        return wire.EventsAnswer(results=results, next_interval_s=self.heartbeat_s)

    async def events(
        self,
        caller: Caller,
        device_id: str,
        *,
        kind: str | None,
        session_id: str | None,
        cursor: str | None,
        limit: int,
    ) -> Page[Event]:
        """Events in the order of their arrival. Raises DeviceNotFoundError."""
        reach(caller, device_id)
        position = from_cursor(cursor) or "0"
        if not (position.isdecimal() and len(position) < 19):
            raise bad_cursor()
        async with self._database.read() as session:
            if not await repository.records(session, ids=[device_id], limit=1):
                raise missing_device(device_id)
            found = await events.page(
                session, device_id, kind=kind, session_id=session_id, after=int(position), limit=limit + 1
            )
        return page_of(found, limit, lambda event: str(event.number))

    async def count_online(self) -> int:
        async with self._database.read() as session:
            return await repository.count_online(session, now=self._now())

    def is_online(self, device: Device) -> bool:
        return device.online_until is not None and device.online_until > self._now()

    def _online_until(self, now: datetime) -> datetime:
        return now + timedelta(seconds=MISSED_HEARTBEATS * JITTER * self.heartbeat_s)

    async def _keep(self, heard: Sequence[Heard]) -> Sequence[list[wire.EventResult] | BaseException]:
        now = self._now()
        boxes = {item.device_id for item in heard}

        async def work(session: AsyncSession, apply: Apply) -> list[list[wire.EventResult] | BaseException]:
            there = await repository.touch(session, boxes, now=now, online_until=self._online_until(now))
            known = [item for item in heard if item.device_id in there]

            async def add(items: Sequence[Heard]) -> list[list[wire.EventResult]]:
                rows = [row_of(item.device_id, event, now) for item in items for event in item.events]
                new = await events.add(session, rows)
                results = [_results(item, new) for item in items]
                await self._counter.count(session, _accepted(zip(items, results, strict=True)), now)
                return results

            kept = iter(await apply(add, known))
            return [next(kept) if item.device_id in there else missing_device(item.device_id) for item in heard]

        results = await write_round(self._database, work)
        told = zip(heard, results, strict=True)
        await self._counter.counted(
            _accepted((item, answers) for item, answers in told if not isinstance(answers, BaseException))
        )
        return results


def _results(item: Heard, new: set[tuple[str, str]]) -> list[wire.EventResult]:
    results = []
    for event in item.events:
        key = (item.device_id, event.event_id)
        status = _ACCEPTED if key in new else wire.EventStatus.DUPLICATE
        new.discard(key)  # the same once more in this round is a duplicate
        results.append(wire.EventResult(event_id=event.event_id, status=status))
    return results


def _accepted(answered: Iterable[tuple[Heard, list[wire.EventResult]]]) -> list[wire.Event]:
    pairs = (zip(item.events, results, strict=True) for item, results in answered)
    return [event for pair in pairs for event, answer in pair if answer.status is _ACCEPTED]


def _new_device(enrolment: wire.Enrolment, token: str, now: datetime) -> Device:
    return Device(
        id=new_id(),
        name=enrolment.name,
        token_hash=digest(token),
        created_at=now,
        updated_at=now,
        revoked_at=None,
        last_seen=None,
        online_until=None,
        agent_version=enrolment.agent_version,
        meta=dict(enrolment.metadata),
    )


def missing_device(device_id: str) -> DeviceNotFoundError:
    return DeviceNotFoundError(f"There is no device {device_id}, or it has been revoked.")
