"""Enrolment tokens, with which boxes come in."""

from __future__ import annotations

from datetime import timedelta

from central.core.db.engine import Database
from central.core.pages import Clock, utc_now
from central.core.secrets import TokenKind, digest, new_token
from central.devices import enrolment_repository


class Enrolments:
    """Makes and revokes them."""

    def __init__(self, database: Database, *, now: Clock = utc_now) -> None:
        self._database = database
        self._now = now

    async def add(self, *, uses: int, valid_for: timedelta) -> str:
        """A new enrolment token for so many boxes, told this once."""
        token, now = new_token(TokenKind.ENROLMENT), self._now()
        await self._database.write(
            lambda session: enrolment_repository.add_enrolment(
                session, token_hash=digest(token), uses=uses, now=now, expires_at=now + valid_for
            )
        )
        return token

    async def revoke(self) -> int:
        """Revoke all enrolment tokens. Returns the number of those that could still be used. Boxes stay registered."""
        return await self._database.write(
            lambda session: enrolment_repository.revoke_enrolments(session, now=self._now())
        )
