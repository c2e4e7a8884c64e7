"""The claims of keys and paths: requests that are answered together, and the reasons against each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy.exc import IntegrityError

from central.core.errors import PublishRefusedError
from central.core.types import ErrorCode
from central.media import repository
from central.media.repository import Holder, KeyState


@dataclass(frozen=True, slots=True)
class PublishRequest:
    """A request to publish to a path, with a key."""

    key: str
    path: str
    connection_id: str | None
    """None: it is only asked whether the key is good, as WebRTC does before there is a session."""
    protocol: str


class Round:
    """Requests that are answered together."""

    def __init__(self, holders: Sequence[Holder], *, now: datetime, lease_s: float) -> None:
        """`holders` are those of all keys and paths that are asked for."""
        self._of_path = {holder.path: holder for holder in holders}
        self._of_key = {holder.stream_key_id: holder for holder in holders}
        self._now = now
        self._until = now + timedelta(seconds=lease_s)
        self._wanted: dict[str, tuple[dict[str, Any], list[int]]] = {}
        """The row to claim for each key, and the numbers of the requests whose answer depends on it."""
        self._paths: set[str] = set()
        self.lapsed: set[str] = set()
        """Paths whose holder has had its time."""
        self.answers: list[BaseException | None] = []
        """The answers in the order of the requests; None for one that is let in."""

    @property
    def rows(self) -> list[dict[str, Any]]:
        """The rows to claim, in the order of their paths, so that instances never deadlock."""
        return sorted((row for row, _ in self._wanted.values()), key=lambda row: str(row["path"]))

    def look_at(self, request: PublishRequest, key: KeyState | None) -> None:
        against = _against(key, self._of_key.get(key.id) if key else None, request, self._now)
        if against is None and key is not None and request.connection_id is not None:
            against = self._want(request, key.id, request.connection_id)
        self.answers.append(against)

    def got(self, claimed: Sequence[bool | Exception]) -> None:
        """Take what became of each of `rows`: claimed or not, or the error of the database."""
        for row, outcome in zip(self.rows, claimed, strict=True):
            if outcome is not True:
                # Another instance took the path between our look and our claim.
                error = _path_in_use() if isinstance(outcome, IntegrityError) else outcome or _key_in_use()
                for number in self._wanted[row["stream_key_id"]][1]:
                    self.answers[number] = error

    def _want(self, request: PublishRequest, key_id: str, connection_id: str) -> PublishRefusedError | None:
        number = len(self.answers)
        if key_id in self._wanted:
            row, numbers = self._wanted[key_id]
            if (row["connection_id"], row["path"]) != (connection_id, request.path):
                return _key_in_use()
            numbers.append(number)
            return None
        holder = self._of_path.get(request.path)
        if holder is not None and holder.stream_key_id != key_id:
            if not _is_over(holder, self._now):
                return _path_in_use()
            self.lapsed.add(request.path)
        if request.path in self._paths:
            return _path_in_use()
        self._paths.add(request.path)
        row = {
            "stream_key_id": key_id,
            "connection_id": connection_id,
            "path": request.path,
            "protocol": request.protocol,
            "claimed_at": self._now,
            "leased_until": self._until,
        }
        self._wanted[key_id] = (row, [number])
        return None


def _against(
    key: KeyState | None, holder: Holder | None, request: PublishRequest, now: datetime
) -> PublishRefusedError | None:
    """The obstacle to this request, as far as one look shows: at its key, and at the holder of that key."""
    if key is None:
        return PublishRefusedError(ErrorCode.KEY_UNKNOWN, "This stream key is not known.")
    if key.revoked_at is not None:
        return PublishRefusedError(ErrorCode.KEY_REVOKED, "This stream key has been revoked.")
    if key.expires_at is not None and key.expires_at <= now:
        return PublishRefusedError(ErrorCode.KEY_EXPIRED, "This stream key has expired.")
    if key.path is not None and key.path != request.path:
        return PublishRefusedError(ErrorCode.PATH_NOT_ALLOWED, f"This stream key is for the path {key.path} only.")
    if holder is None or _is_over(holder, now) or request.connection_id is None:
        return None
    mine = holder.connection_id == request.connection_id and holder.path == request.path
    return None if mine or holder.connection_id == repository.NOBODY else _key_in_use()


def _is_over(holder: Holder, now: datetime) -> bool:
    return holder.leased_until is not None and holder.leased_until < now


def _key_in_use() -> PublishRefusedError:
    return PublishRefusedError(ErrorCode.KEY_IN_USE, "Another connection publishes with this stream key already.")


def _path_in_use() -> PublishRefusedError:
    return PublishRefusedError(ErrorCode.PATH_IN_USE, "Another connection publishes to this path already.")
