"""What can be set: every section and key, what is allowed, and what holds when nothing is set."""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Final, Literal
from urllib.parse import parse_qsl, urlencode, urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from central.errors import ConfigError

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


def _rtsp_url(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in ("rtsp", "rtsps") or not parts.hostname or parts.username is not None:
        raise ValueError("should begin with rtsp:// or rtsps:// and a host, without user name and password")
    return url.rstrip("/")


def _network(text: str) -> str:
    try:
        return str(ipaddress.ip_network(text, strict=False))
    except ValueError as error:
        raise ValueError("should be an IP address, or a network such as 10.0.0.0/8") from error


def _absolute(path: Path) -> Path:
    if not path.is_absolute() or "\0" in str(path):
        raise ValueError("should be an absolute path, one that begins with /")
    return path


Port = Annotated[int, Field(ge=0, le=65535)]
HostName = Annotated[str, Field(pattern=r"^[0-9A-Za-z._:-]{1,253}$")]
Networks = tuple[Annotated[str, AfterValidator(_network)], ...]
Secret = Annotated[str, Field(min_length=16, max_length=200, pattern=r"^[\x21-\x7e]+$")]
HttpUrl = Annotated[str, AfterValidator(_http_url)]
PublicUrl = Annotated[str, AfterValidator(_public_url)]


class Section(BaseModel):
    """The descriptions say what is allowed; error messages quote them."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class ApiSettings(Section):
    """Where the HTTP server listens."""

    host: HostName = Field(default="0.0.0.0", description="an IP address or a host name of this machine")
    port: Port = Field(default=8080, description="a whole number from 0 (any free port) to 65535")
    trusted_proxies: Networks = Field(default=(), description="a list of IP addresses or networks")
    """Whose X-Forwarded-For is believed."""
    secret: Secret | None = Field(default=None, description="16 to 200 printable ASCII characters without blanks")
    """Opens everything, as an admin key does."""


class StateSettings(Section):
    """Where the SQLite database is kept."""

    dir: Annotated[Path, AfterValidator(_absolute)] | None = Field(default=None, description="an absolute path")

    def directory(self, environ: Mapping[str, str] = os.environ) -> Path:
        """`dir`, or else where systemd or the XDG rules put it. Raises ConfigError when there is no home."""
        if self.dir is not None:
            return self.dir
        if by_systemd := environ.get("STATE_DIRECTORY"):
            return Path(by_systemd.split(":")[0])  # systemd lists several with colons
        xdg = Path(environ.get("XDG_STATE_HOME", ""))
        if xdg.is_absolute():  # the XDG specification has relative ones ignored
            return xdg / "cast-central"
        try:
            return Path.home() / ".local" / "state" / "cast-central"
        except RuntimeError as error:
            raise ConfigError(
                "This user has no home directory to keep the database in. Set dir in the section [state] to a "
                "directory that cast-central may write to, such as /var/lib/cast-central."
            ) from error


class DatabaseSettings(Section):
    """Which database; none: SQLite in the state directory."""

    url: Annotated[str, AfterValidator(_database_url)] | None = Field(
        default=None, description="postgresql://user:password@host/name, or sqlite:////path/to/file"
    )
    pool: int = Field(default=5, ge=2, le=100, description="a whole number from 2 to 100")


class MediaMtxSettings(Section):
    """The media server whose publishers are checked here."""

    api_url: HttpUrl | None = Field(default=None, description="the control API, such as http://127.0.0.1:9997")
    public_url: PublicUrl | None = Field(
        default=None, description="as viewers reach it, such as http://media.example.org"
    )
    hls_url: PublicUrl | None = Field(
        default=None, description="as viewers reach it, such as https://media.example.org/hls"
    )
    webrtc_url: PublicUrl | None = Field(
        default=None, description="as viewers reach it, such as https://media.example.org/webrtc"
    )
    rtsp_url: Annotated[str, AfterValidator(_rtsp_url)] | None = Field(
        default=None, description="as viewers reach it, such as rtsp://media.example.org:8554"
    )
    secret: Secret | None = Field(default=None, description="16 to 200 printable ASCII characters without blanks")
    addresses: Networks = Field(default=(), description="a list of IP addresses or networks")
    """May call /auth and /webhook without the secret; this machine may, too, as long as there is none."""
    reads: Literal["open", "checked"] = Field(default="open", description='"open" or "checked"')
    key_in_path: bool = Field(default=False, description="true or false")
    unclaimed: Literal["kick", "leave"] = Field(default="kick", description='"kick" or "leave"')
    """What happens to a publisher whom this server did not let in."""
    lease: float = Field(default=10.0, ge=1, le=120, description="seconds, from 1 to 120")
    """How long an accepted publisher may take until its stream is ready."""
    grace: float = Field(default=10.0, ge=0, le=3600, description="seconds, from 0 (none) to 3600")
    """How long a publisher may be away until its stream ends: what publishes comes back within seconds of a restart or
    a change of network (OBS Studio tries again after 2 s and 4 s), and viewers look at a still picture meanwhile."""
    reconcile: float = Field(default=1.0, ge=1, le=3600, description="seconds, from 1 to 3600")
    """How late it is noticed at most that a publisher is gone, where no hook tells: one that is back before that is
    refused once, because its key seems to be in use, and what publishes needs two seconds to be back."""


class DeviceSettings(Section):
    """The boxes."""

    heartbeat: float = Field(default=60.0, ge=1, le=3600, description="seconds, from 1 to 3600")
    lost: float = Field(default=24.0, ge=0.1, le=24 * 365, description="hours, from 0.1 to 8760")
    """How long a box may be away until its stream ends."""
    quota: float = Field(default=50.0, ge=8, le=1_000_000, description="MiB a day, from 8 to 1000000")
    """How much of one box is stored: its events and streams. What is over is refused until there is room again."""


class RetentionSettings(Section):
    """What is forgotten when."""

    # A box keeps what it could not send for 7 days; events that are forgotten sooner could come in twice.
    events: float = Field(default=30, ge=8, le=3650, description="days, from 8 to 3650")
    streams: float = Field(default=90, ge=1, le=3650, description="days, from 1 to 3650")
    """Of streams: after their end."""


class LogSettings(Section):
    """How much is logged, and in which form."""

    format: Literal["auto", "json", "console"] = Field(default="auto", description='"auto", "json" or "console"')
    level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description='"debug", "info", "warning" or "error"'
    )


class Settings(Section):
    """All settings."""

    api: ApiSettings = Field(default_factory=ApiSettings)
    database: DatabaseSettings = Field(default_factory=DatabaseSettings)
    state: StateSettings = Field(default_factory=StateSettings)
    mediamtx: MediaMtxSettings = Field(default_factory=MediaMtxSettings)
    devices: DeviceSettings = Field(default_factory=DeviceSettings)
    retention: RetentionSettings = Field(default_factory=RetentionSettings)
    log: LogSettings = Field(default_factory=LogSettings)

    def database_url(self) -> str:
        """Of the configured database, or of the SQLite file in the state directory."""
        return self.database.url or f"sqlite+aiosqlite:///{self.state.directory() / 'central.db'}"
