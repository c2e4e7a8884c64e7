"""Who is who: admin keys, enrolment tokens, and whose token a token is."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from itertools import groupby

from sqlalchemy.exc import IntegrityError

from central.batch import Batcher
from central.db.engine import Database
from central.db.tables import AdminKey
from central.errors import NameInUseError, UnauthorizedError
from central.repositories import access
from central.secrets import TokenKind, digest, kind_of, new_token, same
from central.services.pages import Clock, utc_now
from central.types import Caller, Role


class Access:
    """Makes and revokes what opens doors, and tells who shows it."""

    def __init__(self, database: Database, *, secret: str | None = None, now: Clock = utc_now) -> None:
        """`secret` opens what an admin key opens."""
        self._database = database
        self._secret = secret
        self._now = now
        self._asked: Batcher[tuple[TokenKind, str], Caller] = Batcher("callers", self._look_up)

    async def identify(self, token: str) -> Caller:
        """Whose token this is. Raises UnauthorizedError when it is nobody's, or not any more."""
        if self._secret is not None and same(token, self._secret):
            return Caller(Role.ADMIN, name="api.secret")
        kind = kind_of(token)
        if kind is None or kind is TokenKind.STREAM_KEY:
            raise _unknown()
        return await self._asked.submit((kind, digest(token)))

    async def add_key(self, name: str) -> str:
        """A new admin key, told this once. Raises NameInUseError."""
        token = new_token(TokenKind.ADMIN)
        try:
            await self._database.write(
                lambda session: access.add_key(session, name=name, key_hash=digest(token), now=self._now())
            )
        except IntegrityError as error:
            raise NameInUseError(f"There is a key {name!r} already. Choose another name, or revoke it.") from error
        return token

    async def keys(self) -> Sequence[AdminKey]:
        async with self._database.read() as session:
            return await access.keys(session)

    async def has_key(self) -> bool:
        """Whether there is an admin key, or a secret, that opens anything."""
        return self._secret is not None or any(key.revoked_at is None for key in await self.keys())

    async def revoke_key(self, name: str) -> bool:
        """From now on the key opens nothing; False when there is no active one of that name."""
        return await self._database.write(lambda session: access.revoke_key(session, name, now=self._now()))

    async def add_enrolment(self, *, uses: int, valid_for: timedelta) -> str:
        """A new enrolment token for so many boxes, told this once."""
        token, now = new_token(TokenKind.ENROLMENT), self._now()
        await self._database.write(
            lambda session: access.add_enrolment(
                session, token_hash=digest(token), uses=uses, now=now, expires_at=now + valid_for
            )
        )
        return token

    async def revoke_enrolments(self) -> int:
        """No enrolment token that was made so far lets anybody in any more; how many could have. Boxes stay."""
        return await self._database.write(lambda session: access.revoke_enrolments(session, now=self._now()))

    async def _look_up(self, asked: Sequence[tuple[TokenKind, str]]) -> Sequence[Caller | BaseException]:
        found: dict[str, Caller] = {}
        async with self._database.read() as session:
            for kind, pairs in groupby(sorted(set(asked)), key=lambda pair: pair[0]):
                hashes = [key_hash for _, key_hash in pairs]
                found |= await access.callers(session, kind, hashes, now=self._now())
        return [found.get(key_hash) or _unknown() for _, key_hash in asked]


def _unknown() -> UnauthorizedError:
    return UnauthorizedError("This key or token is not known here, or it has been revoked or has run out.")
