"""The admission of viewers to published streams, and of operators to MediaMTX."""

from __future__ import annotations

from collections.abc import Sequence

from central.core.access.service import Access
from central.core.errors import UnauthorizedError
from central.core.limits import MissLimit
from central.core.secrets import as_code, same
from central.core.types import Caller, Role
from central.media.publishing import Publishing
from central.media.settings import MediaMtxSettings


class Viewing:
    """Lets viewers in: all, or those with credentials."""

    def __init__(self, access: Access, publishing: Publishing, settings: MediaMtxSettings) -> None:
        self._access = access
        self._publishing = publishing
        self._settings = settings
        self._misses = MissLimit()

    async def admit(self, path: str, shown: Sequence[str], *, address: str) -> None:
        """Raise UnauthorizedError unless views are open, or the viewer has an admin key, a device token or the join
        code of the stream. Raise TooManyRequestsError if this address has guessed wrong too often."""
        if self._settings.reads == "open":
            return
        for text in shown:
            if await self._is(text, Role.ADMIN, Role.DEVICE):
                return
        for code in filter(None, map(as_code, shown)):
            self._misses.check(address)
            if await self._publishing.may_read(path, code):
                return
            self._misses.missed(address)
        raise UnauthorizedError("To view this show its join code, a device token or an admin key, as the password.")

    async def admit_operator(self, shown: Sequence[str]) -> None:
        """Raise UnauthorizedError unless the caller has an admin key or the shared secret."""
        for text in shown:
            if self._settings.secret is not None and same(text, self._settings.secret):
                return
            if await self._is(text, Role.ADMIN):
                return
        raise UnauthorizedError("This needs an admin key or the shared secret, as the password.")

    async def _is(self, text: str, *roles: Role) -> bool:
        try:
            caller: Caller = await self._access.identify(text)
        except UnauthorizedError:
            return False
        return caller.role in roles
