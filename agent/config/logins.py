"""`[[login]]`: how web pages are logged in."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Final, Self

from pydantic import AfterValidator, Field, model_validator

from agent.config.settings import Text
from agent.errors import ConfigError
from agent.media.origins import check_login_origin, origin_of
from cast_util.settings import AbsolutePath, Section

LOGINS_LIMIT: Final = 32
"""Each request of a page is compared with all of them."""

SECRET_LIMIT_BYTES: Final = 16 * 1024
"""The size of a file: tokens have some hundred bytes, the values that pages keep in local storage a few thousand."""

_WORD: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,64}")
"""The characters that HTTP allows in the name of a header (RFC 9110, 5.6.2) or of a cookie (RFC 6265, 4.1.1)."""
AUTHORIZATION: Final = "Authorization"
"""The header of a token that names no other."""
_OF_THE_BROWSER: Final = frozenset(
    {"connection", "content-length", "cookie", "host", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade"}
)
"""Headers that a browser lets nobody set."""


class LoginKind(StrEnum):
    """The way a page is logged in."""

    HOME_ASSISTANT = "home-assistant"
    """Its front-end asks for the token, as it asks Home Assistant's own apps."""
    HEADER = "header"
    BASIC = "basic"
    COOKIE = "cookie"
    LOCAL_STORAGE = "local-storage"


_NAMED: Final = {LoginKind.COOKIE, LoginKind.LOCAL_STORAGE}
_MAY_BE_NAMED: Final = {*_NAMED, LoginKind.HEADER}
_ON_THE_WIRE: Final = {LoginKind.COOKIE, LoginKind.HEADER, LoginKind.HOME_ASSISTANT}


class LoginSettings(Section):
    """The log-in for the pages of one server."""

    origin: Annotated[str, AfterValidator(check_login_origin)] = Field(
        description="the beginning of an address, without a path: https://grafana.example.org, http://panel.lan:3000"
    )
    kind: LoginKind = Field(description=", ".join(f'"{kind}"' for kind in LoginKind))
    name: Text | None = Field(default=None, description="the name of the header, cookie or key of the local storage")
    user: Text | None = Field(default=None, description="a user name")
    secret: str | None = Field(
        default=None, min_length=1, max_length=SECRET_LIMIT_BYTES, repr=False, description="a token or a password"
    )
    secret_file: AbsolutePath | None = Field(default=None, description="the absolute path of a file")

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.secret is not None and self.secret_file is not None:
            raise ValueError("has both secret and secret_file: keep one of them")
        if self.secret is None and self.secret_file is None:
            raise ValueError("needs either secret or secret_file")
        if (self.user is not None) != (self.kind is LoginKind.BASIC):
            raise ValueError('needs a user if its kind is "basic", and has none otherwise')
        if self.name is None and self.kind in _NAMED:
            raise ValueError(f'needs a name if its kind is "{self.kind}"')
        if self.name is not None and self.kind not in _MAY_BE_NAMED:
            raise ValueError(f'has no name if its kind is "{self.kind}"')
        if self.name is not None and self.kind in _ON_THE_WIRE and not _WORD.fullmatch(self.name):
            raise ValueError(f"has a name that HTTP does not allow for a {self.kind}")
        if self.name is not None and self.kind is LoginKind.HEADER and self.name.lower() in _OF_THE_BROWSER:
            raise ValueError("has the name of a header that only the browser sets")
        return self

    @property
    def place(self) -> str:
        """The name under which its secret is handed over; of a header in the form in which all writings are one."""
        return (self.name or AUTHORIZATION).lower() if self.kind is LoginKind.HEADER else self.name or ""

    def read_secret(self) -> str:
        """The secret, from its file where it has one: blocks then. Raises ConfigError with a sentence that says what to
        do and does not hold the secret."""
        secret = self.secret if self.secret_file is None else self._from_file()
        if not secret:
            raise ConfigError(f"The file {self.secret_file} with the secret for {self.origin} is empty.")
        if self.kind in _ON_THE_WIRE and not (secret.isascii() and secret.isprintable()):
            raise ConfigError(f"The secret for {self.origin} holds characters that HTTP does not allow: copy it again.")
        return secret

    def _from_file(self) -> str:
        assert self.secret_file is not None
        try:
            with self.secret_file.open("rb") as file:
                content = file.read(SECRET_LIMIT_BYTES + 1)
            if len(content) > SECRET_LIMIT_BYTES:
                raise ConfigError(f"The file {self.secret_file} is too large for a secret (over {SECRET_LIMIT_BYTES}).")
            return content.decode().strip()
        except UnicodeDecodeError:
            raise ConfigError(f"The file {self.secret_file} is not text in UTF-8.") from None
        except OSError as error:
            raise ConfigError(
                f"The file {self.secret_file} with the secret for {self.origin} cannot be read ({error.strerror}): "
                "check its name, and that the user who runs cast-agent may read it."
            ) from error


def _each_once(logins: tuple[LoginSettings, ...]) -> tuple[LoginSettings, ...]:
    if len(logins) > LOGINS_LIMIT:
        raise ValueError(f"these are too many, more than {LOGINS_LIMIT}")
    if len({(login.origin, login.kind, login.place) for login in logins}) < len(logins):
        raise ValueError("one origin has two of the same kind and name")
    return logins


Logins = Annotated[tuple[LoginSettings, ...], AfterValidator(_each_once)]


@dataclass(frozen=True, slots=True)
class BoundLogin:
    """An entry, and the origin that its pages have in a player."""

    entry: LoginSettings
    origin: str


def bound(logins: Sequence[LoginSettings], url: str, located: str) -> tuple[BoundLogin, ...]:
    """All of them for the page at `url`, which is opened at the address `located`: players may not know its name."""
    before, now = origin_of(url), origin_of(located)
    return tuple(BoundLogin(login, now if login.origin == before else login.origin) for login in logins)


def described(logins: Sequence[LoginSettings]) -> tuple[str, ...]:
    """The purpose of each log-in, for people, without its secret."""
    return tuple(" ".join(filter(None, (login.origin, login.kind, login.name, login.user))) for login in logins)
