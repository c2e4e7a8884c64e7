"""The settings that all features share: every key, its allowed values, and its default."""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Final, Literal
from urllib.parse import parse_qsl, urlencode, urlsplit

from pydantic import AfterValidator, Field

from cast_util.folders import state_folder
from cast_util.settings import AbsolutePath, HostName, Port, Section
from central.core.errors import ConfigError

_DRIVERS: Final = {
    "postgres": "postgresql+asyncpg",
    "postgresql": "postgresql+asyncpg",
    "postgresql+asyncpg": "postgresql+asyncpg",
    "sqlite": "sqlite+aiosqlite",
    "sqlite+aiosqlite": "sqlite+aiosqlite",
}


def _database_url(url: str) -> str:
    scheme, separator, rest = url.partition("://")
    driver = _DRIVERS.get(scheme.lower())
    if driver is None or not separator:
        raise ValueError("should begin with postgresql:// or sqlite:///")
    if driver.startswith("sqlite") and (not rest.startswith("/") or rest.strip("/") in ("", ":memory:")):
        raise ValueError("should name a file, such as sqlite:////var/lib/cast-central/central.db")
    rest, _, query = rest.partition("?")
    # The driver has a name of its own for what everybody else calls sslmode.
    asked = [("ssl" if name == "sslmode" else name, value) for name, value in parse_qsl(query)]
    if {name for name, _ in asked} - ({"ssl", "host", "port"} if driver.startswith("postgresql") else set()):
        raise ValueError("should have nothing behind a ? but sslmode, or host and port of a socket")
    return f"{driver}://{rest}" + (f"?{urlencode(asked)}" if asked else "")


def _server_url(url: str, *schemes: str, example: str) -> str:
    try:
        parts = urlsplit(url)
        is_one = parts.scheme in schemes and parts.hostname and parts.port != 0
    except ValueError:  # the port; its text would be that of the whole address
        is_one = False
    if not is_one:
        raise ValueError(f"should be like {example}; in the password write @ : / ? # and % as %40 %3A %2F %3F %23 %25")
    return url


def _redis_url(url: str) -> str:
    return _server_url(url, "redis", "rediss", example="redis://host:6379/0")


def _amqp_url(url: str) -> str:
    return _server_url(url, "amqp", "amqps", example="amqp://user:password@host:5672/")


def _http_url(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        raise ValueError("should begin with http:// or https:// and a host, and hold no ? and no #")
    _ = parts.port  # raises ValueError when it is none
    return url.rstrip("/")


def _public_url(url: str) -> str:
    if urlsplit(_http_url(url)).username is not None:
        raise ValueError("should hold no user name and no password: everybody sees it")
    return url.rstrip("/")


def _network(text: str) -> str:
    try:
        return str(ipaddress.ip_network(text, strict=False))
    except ValueError as error:
        raise ValueError("should be an IP address, or a network such as 10.0.0.0/8") from error


Networks = tuple[Annotated[str, AfterValidator(_network)], ...]
HttpUrl = Annotated[str, AfterValidator(_http_url)]
PublicUrl = Annotated[str, AfterValidator(_public_url)]
Secret = Annotated[str, Field(min_length=16, max_length=200, pattern=r"^[\x21-\x7e]+$")]


class ApiSettings(Section):
    """The address of the HTTP server, and its callers."""

    host: HostName = Field(default="0.0.0.0", description="an IP address or a host name of this machine")
    port: Port = Field(default=8080, description="a whole number from 0 (any free port) to 65535")
    trusted_proxies: Networks = Field(default=(), description="a list of IP addresses or networks")
    """Proxies whose X-Forwarded-For is believed."""
    secret: Secret | None = Field(default=None, description="16 to 200 printable ASCII characters without blanks")
    """Opens everything, as an admin key does."""


class StateSettings(Section):
    """The folder of the SQLite database."""

    dir: AbsolutePath | None = Field(default=None, description="an absolute path")

    def directory(self, environ: Mapping[str, str] = os.environ) -> Path:
        """`dir`, or else where systemd or the XDG rules put it. Raises ConfigError when there is no home."""
        if self.dir is not None:
            return self.dir
        try:
            return state_folder("cast-central", environ)
        except RuntimeError as error:
            raise ConfigError(
                "This user has no home directory to keep the database in. Set dir in the section [state] to a "
                "directory that cast-central may write to, such as /var/lib/cast-central."
            ) from error


class DatabaseSettings(Section):
    """The database. Without a URL it is SQLite in the state directory."""

    url: Annotated[str, AfterValidator(_database_url)] | None = Field(
        default=None, description="postgresql://user:password@host/name, or sqlite:////path/to/file"
    )
    pool: int = Field(default=5, ge=2, le=100, description="a whole number from 2 to 100")


class CacheSettings(Section):
    """Redis, which spares the database some of the work for statistics."""

    url: Annotated[str, AfterValidator(_redis_url)] | None = Field(
        default=None, description="redis://user:password@host:6379/0, or rediss:// for TLS"
    )
    prefix: str = Field(default="cast-central", pattern=r"^[a-z0-9-]{1,40}$", description="up to 40 of a-z, 0-9 and -")
    """Begins all names in Redis: others with another database need another one."""


class BrokerSettings(Section):
    """RabbitMQ, which wakes the workers of all programs at once."""

    url: Annotated[str, AfterValidator(_amqp_url)] | None = Field(
        default=None, description="amqp://user:password@host:5672/, or amqps:// for TLS"
    )


class RetentionSettings(Section):
    """Settings for how long records are kept."""

    # A box keeps what it could not send for 7 days; events that are forgotten sooner could come in twice.
    events: float = Field(default=30, ge=8, le=3650, description="days, from 8 to 3650")
    streams: float = Field(default=90, ge=1, le=3650, description="days, from 1 to 3650")
    """Days that streams are kept after their end."""
    statistics: float = Field(default=730, ge=31, le=36_500, description="days, from 31 to 36500")
    """Days that the views of videos are kept."""


class LogSettings(Section):
    """The level and the format of the log."""

    format: Literal["auto", "json", "console"] = Field(default="auto", description='"auto", "json" or "console"')
    level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description='"debug", "info", "warning" or "error"'
    )
