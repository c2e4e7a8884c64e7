"""The identity of callers: admin keys, and the owners of tokens."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from types import MappingProxyType
from typing import Final

from sqlalchemy.exc import IntegrityError

from central.core.access import repository
from central.core.access.repository import Callers
from central.core.access.tables import AdminKey
from central.core.batch import Batcher
from central.core.db.engine import Database
from central.core.errors import ForbiddenError, NameInUseError, UnauthorizedError
from central.core.pages import Clock, utc_now
from central.core.secrets import TokenKind, digest, kind_of, new_token, same
from central.core.types import API_HOLDER, Caller, Role

KINDS: Final[Mapping[Role, TokenKind]] = {Role.ADMIN: TokenKind.ADMIN, Role.UPLOADER: TokenKind.UPLOAD}
"""The kind of token of each role."""


class Access:
    """Makes and revokes what opens doors, and tells who shows it."""

    def __init__(
        self,
        database: Database,
        tokens: Mapping[TokenKind, Callers] = MappingProxyType({}),
        *,
        secret: str | None = None,
        now: Clock = utc_now,
    ) -> None:
        """`tokens` are the kinds that let callers in beside the keys of people and programs. `secret` opens what an
        admin key opens."""
        self._database = database
        self._tokens = {**dict.fromkeys(KINDS.values(), repository.holders), **tokens}
        self._secret = secret
        self._now = now
        self._asked: Batcher[tuple[TokenKind, str], Caller] = Batcher("callers", self._look_up)

    async def identify(self, token: str) -> Caller:
        """The caller to whom this token belongs. Raises UnauthorizedError if it belongs to nobody, or is no longer
        valid."""
        if self._secret is not None and same(token, self._secret):
            return Caller(Role.ADMIN, name=API_HOLDER)
        kind = kind_of(token)
        if kind not in self._tokens:
            raise _unknown()
        return await self._asked.submit((kind, digest(token)))

    async def add_key(self, name: str, role: Role = Role.ADMIN) -> str:
        """A new key of an admin or an uploader, told this once. Raises NameInUseError."""
        token = new_token(KINDS[role])
        try:
            await self._database.write(
                lambda session: repository.add_key(
                    session, name=name, role=role, key_hash=digest(token), now=self._now()
                )
            )
        except IntegrityError as error:
            raise NameInUseError(f"There is a key {name!r} already. Choose another name, or revoke it.") from error
        return token

    async def keys(self) -> Sequence[AdminKey]:
        async with self._database.read() as session:
            return await repository.keys(session)

    async def has_key(self) -> bool:
        """Return True if an active admin key or a secret exists."""
        return self._secret is not None or any(
            key.revoked_at is None and key.role == Role.ADMIN for key in await self.keys()
        )

    async def revoke_key(self, name: str) -> bool:
        """Revoke the active key of this name, from the next call on. Return False if there is none."""
        return await self._database.write(lambda session: repository.revoke_key(session, name, now=self._now()))

    async def _look_up(self, asked: Sequence[tuple[TokenKind, str]]) -> Sequence[Caller | BaseException]:
        found: dict[str, Caller] = {}
        async with self._database.read() as session:
            for kind, pairs in groupby(sorted(set(asked)), key=lambda pair: pair[0]):
                hashes = [key_hash for _, key_hash in pairs]
                found |= await self._tokens[kind](session, hashes, self._now())
        return [found.get(key_hash) or _unknown() for _, key_hash in asked]


def reach(caller: Caller, device_id: str | None) -> None:
    """Raise ForbiddenError unless the caller may access this box. An admin may access any box, a box only itself."""
    if not caller.is_admin and (caller.role is not Role.DEVICE or caller.id != device_id):
        raise ForbiddenError("A device token reaches its own device only. This needs an admin key.")


def _unknown() -> UnauthorizedError:
    return UnauthorizedError("This key or token is unknown, revoked or expired.")
