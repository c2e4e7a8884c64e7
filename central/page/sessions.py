"""Logs browsers in with a key, and out."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

import structlog

from central.core.access.service import Access
from central.core.db.engine import Database
from central.core.errors import ForbiddenError, UnauthorizedError
from central.core.forgetting import forget
from central.core.limits import MissLimit
from central.core.pages import Clock, utc_now
from central.core.secrets import TokenKind, digest, kind_of, new_token
from central.core.types import Caller, Role
from central.page import repository
from central.page.tables import PageSession

VALID_FOR: Final = timedelta(days=30)
"""A month: who fills the library each week types a key once. A stolen cookie is of no use after that."""
LIMIT: Final = 20
"""The sessions of one key: the browsers of the people who share it. With one more the oldest ends."""

log = structlog.stdlib.get_logger(__name__)


class Sessions:
    """Makes and ends sessions. `central.core.access` tells whose they are."""

    def __init__(self, database: Database, access: Access, *, now: Clock = utc_now) -> None:
        self._database = database
        self._access = access
        self._now = now
        self._misses = MissLimit(what="keys")

    async def log_in(self, key: str, *, address: str) -> tuple[str, Caller]:
        """The token of a new session, told this once, and whose it is.

        Raises UnauthorizedError for an unknown key, ForbiddenError for a token of a box, and TooManyRequestsError if
        this address has sent too many wrong ones.
        """
        self._misses.check(address)
        try:
            if kind_of(key) is TokenKind.SESSION:
                raise UnauthorizedError("This is no key.")
            caller = await self._access.identify(key)
        except UnauthorizedError:
            self._misses.missed(address)
            raise
        if caller.role not in (Role.ADMIN, Role.UPLOADER):
            raise ForbiddenError("This is a token of a box. Logging in needs an admin key or an upload key.")
        token, now = new_token(TokenKind.SESSION), self._now()
        made = {"token_hash": digest(token), "key_hash": digest(key), "created_at": now, "expires_at": now + VALID_FOR}
        await self._database.write(lambda session: repository.add(session, PageSession(**made), limit=LIMIT))
        log.info("page_session_started", by=caller.name, key_id=caller.id or None)
        return token, caller

    async def log_out(self, caller: Caller) -> None:
        """End the session of this caller. A caller with a key of its own has none, and stays."""
        if caller.session:
            await self._database.write(lambda session: repository.remove(session, caller.session))
            log.info("page_session_ended", by=caller.name, key_id=caller.id or None)

    async def upkeep(self) -> None:
        """Delete the sessions that have expired. Raises DatabaseUnavailableError."""
        await forget(self._database, repository.forget, before=self._now())
