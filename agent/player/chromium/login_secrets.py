"""The secrets of `[[login]]`, read anew for each page: they may have been renewed since the last one."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from agent.config.logins import AUTHORIZATION, BoundLogin, LoginKind
from agent.errors import ConfigError
from agent.util.threads import in_thread

READ_WITHIN_S = 2.0
"""The longest wait for some files of a few hundred bytes: a disk that takes longer does not answer."""


@dataclass(frozen=True, slots=True)
class Login:
    """One entry, ready for use."""

    kind: LoginKind
    origin: str
    """The origin of its pages, as this box reaches them."""
    entry: str
    """The origin as the configuration has it."""
    name: str = ""
    user: str = ""
    secret: str = field(default="", repr=False)
    problem: str = ""
    """The reason why there is no secret: a sentence that says what to do."""

    @property
    def header(self) -> tuple[str, str]:
        """The name and the value of a header; a bare token in `Authorization` is a bearer token."""
        name = self.name or AUTHORIZATION
        is_bare = name.lower() == AUTHORIZATION.lower() and " " not in self.secret
        return name, f"Bearer {self.secret}" if is_bare else self.secret


async def read_logins(entries: Sequence[BoundLogin]) -> tuple[Login, ...]:
    """Read all entries, also those whose secret cannot be read: a page may not need it."""
    if not entries:
        return ()
    try:
        async with asyncio.timeout(READ_WITHIN_S):
            return await in_thread(lambda: tuple(map(_login, entries)), name="secrets")
    except TimeoutError:
        problem = f"The files with the secrets could not be read within {READ_WITHIN_S:.0f} s: check their disk."
        return tuple(Login(each.entry.kind, each.origin, each.entry.origin, problem=problem) for each in entries)


def socket_headers(logins: Sequence[Login]) -> list[dict[str, str]]:
    """The headers for `Companion.add_headers`: each for the websockets of its origin, which only pages of the same host
    may open with it."""
    headers = [login for login in logins if login.kind is LoginKind.HEADER and not login.problem]
    return [
        {
            "host": urlsplit(login.origin).hostname or "",
            "filter": f"|ws{login.origin.removeprefix('http')}/",
            "name": login.header[0],
            "value": login.header[1],
        }
        for login in headers
    ]


def _login(login: BoundLogin) -> Login:
    secret, problem, entry = "", "", login.entry
    try:
        secret = entry.read_secret()
    except ConfigError as error:
        problem = str(error)
    return Login(entry.kind, login.origin, entry.origin, entry.name or "", entry.user or "", secret, problem)
