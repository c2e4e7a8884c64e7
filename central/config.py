"""Settings: a TOML file, overridden by the environment, validated as a whole before anything starts."""

from __future__ import annotations

import difflib
import ipaddress
import json
import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Literal
from urllib.parse import parse_qsl, urlencode, urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from central.errors import ConfigError

ENV_PREFIX: Final = "CAST_CENTRAL_"
"""Begins the name of every setting in the environment, `CAST_CENTRAL_<SECTION>__<KEY>`; unknown ones are refused."""

ALIASES: Final = {
    "DATABASE_URL": ("database", "url"),
    "API_SECRET": ("api", "secret"),
    "API_PORT": ("api", "port"),
    "MEDIAMTX_API_URL": ("mediamtx", "api_url"),
    "MEDIAMTX_PUBLIC_URL": ("mediamtx", "public_url"),
    "MEDIAMTX_SECRET": ("mediamtx", "secret"),
}
"""The usual names, which hosting environments set; ours win over them, and both over the file."""

DEPRECATED: Final = {"API_SECRET": ("mediamtx", "secret")}
"""What names meant before 0.2: it still holds where nothing else sets that."""

SYSTEM_CONFIG: Final = Path("/etc/cast-central/config.toml")
"""Used under systemd when no file is named."""

SYSTEM_STATE: Final = Path("/var/lib/cast-central")
"""Where systemd has the service keep its state (StateDirectory=cast-central)."""

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


class _Section(BaseModel):
    """The descriptions say what is allowed; error messages quote them."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class ApiSettings(_Section):
    """Where the HTTP server listens."""

    host: HostName = Field(default="0.0.0.0", description="an IP address or a host name of this machine")
    port: Port = Field(default=8080, description="a whole number from 0 (any free port) to 65535")
    trusted_proxies: Networks = Field(default=(), description="a list of IP addresses or networks")
    """Whose X-Forwarded-For is believed."""
    secret: Secret | None = Field(default=None, description="16 to 200 printable ASCII characters without blanks")
    """Opens everything, as an admin key does."""


class StateSettings(_Section):
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


class DatabaseSettings(_Section):
    """Which database; none: SQLite in the state directory."""

    url: Annotated[str, AfterValidator(_database_url)] | None = Field(
        default=None, description="postgresql://user:password@host/name, or sqlite:////path/to/file"
    )
    pool: int = Field(default=5, ge=2, le=100, description="a whole number from 2 to 100")


class MediaMtxSettings(_Section):
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


class DeviceSettings(_Section):
    """The boxes."""

    heartbeat: float = Field(default=60.0, ge=1, le=3600, description="seconds, from 1 to 3600")
    lost: float = Field(default=24.0, ge=0.1, le=24 * 365, description="hours, from 0.1 to 8760")
    """How long a box may be away until its stream ends."""
    quota: float = Field(default=50.0, ge=8, le=1_000_000, description="MiB a day, from 8 to 1000000")
    """How much of one box is stored: its events and streams. What is over is refused until there is room again."""


class RetentionSettings(_Section):
    """What is forgotten when."""

    # A box keeps what it could not send for 7 days; events that are forgotten sooner could come in twice.
    events: float = Field(default=30, ge=8, le=3650, description="days, from 8 to 3650")
    streams: float = Field(default=90, ge=1, le=3650, description="days, from 1 to 3650")
    """Of streams: after their end."""


class LogSettings(_Section):
    """How much is logged, and in which form."""

    format: Literal["auto", "json", "console"] = Field(default="auto", description='"auto", "json" or "console"')
    level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description='"debug", "info", "warning" or "error"'
    )


class Settings(_Section):
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


def load_settings(path: Path | None = None, *, environ: Mapping[str, str] = os.environ) -> Settings:
    """The settings from the file at `path` and the environment.

    Without a path SYSTEM_CONFIG is read when systemd started this process and it exists. Raises ConfigError: one text
    that lists every problem with its place, what is wrong and what is allowed.
    """
    file = path
    if file is None and environ.get("INVOCATION_ID") and SYSTEM_CONFIG.exists():
        file = SYSTEM_CONFIG
    problems: list[str] = []
    values = _from_file(file, problems) if file else {}
    places = {(section, key): f"{file}: {section}.{key}" for section in values for key in values[section]}
    for variable, (section, key), text in _from_environment(environ, problems):
        values.setdefault(section, {})[key] = text
        places[section, key] = f"environment: {variable}"
    for variable, (section, key) in DEPRECATED.items():
        if environ.get(variable) and key not in values.setdefault(section, {}):
            values[section][key] = environ[variable]
            places[section, key] = f"environment: {variable}"
    try:
        settings = Settings.model_validate(values)
    except ValidationError as error:
        for detail in error.errors(include_url=False, include_input=False):
            section, key = str(detail["loc"][0]), str(detail["loc"][1])
            # Of all but our own rules the description tells better than pydantic.
            ours = detail["type"] == "value_error"
            wrong = detail["msg"].removeprefix("Value error, ") if ours else "cannot be used"
            allowed = _keys(section)[key].description
            problems.append(f"{places.get((section, key), key)}: {wrong}; allowed: {allowed}.")
    if problems:
        raise ConfigError("\n".join(["The configuration cannot be used:", *(f"  - {p}" for p in problems)]))
    return settings


def settings_beside(
    path: Path | None = None,
    *,
    environ: Mapping[str, str] = os.environ,
    system_config: Path = SYSTEM_CONFIG,
    system_state: Path = SYSTEM_STATE,
) -> Settings:
    """The settings of the service on this machine, for a command that works on its database.

    Without a path those of the installed service, for those who may read its configuration and write to its state;
    for anybody else those of one that they run themselves. Raises ConfigError.
    """
    installed = path is None and not environ.get("STATE_DIRECTORY")
    settings = load_settings(path or (system_config if os.access(system_config, os.R_OK) else None), environ=environ)
    if installed and settings.state.dir is None and os.access(system_state, os.W_OK):
        return settings.model_copy(update={"state": StateSettings(dir=system_state)})
    return settings


def _keys(section: str) -> Mapping[str, Any]:
    annotation = Settings.model_fields[section].annotation
    assert isinstance(annotation, type)
    assert issubclass(annotation, _Section)
    return annotation.model_fields


_VARIABLES: Final = {
    f"{ENV_PREFIX}{section}__{key}".upper(): (section, key)
    for section in Settings.model_fields
    for key in _keys(section)
}


def _from_environment(environ: Mapping[str, str], problems: list[str]) -> list[tuple[str, tuple[str, str], object]]:
    """Variable, section and key, and value of each that is set: the usual names first, so that ours win."""
    known = {**ALIASES, **_VARIABLES}
    for variable in sorted(name for name, text in environ.items() if text and name.upper().startswith(ENV_PREFIX)):
        if variable not in known:
            close = difflib.get_close_matches(variable.upper(), _VARIABLES, n=1)
            hint = f"did you mean {close[0]}?" if close else f"all settings are {ENV_PREFIX}<SECTION>__<KEY>."
            problems.append(f"environment: {variable}: there is no such setting; {hint}")
    return [(name, place, _value(place, environ[name])) for name, place in known.items() if environ.get(name)]


def _value(place: tuple[str, str], text: str) -> object:
    """Lists are written as JSON; what is no JSON is refused as no list by the validation."""
    section, key = place
    if not isinstance(_keys(section)[key].default, tuple):
        return text
    try:
        return json.loads(text)
    except ValueError:
        return text


def _from_file(file: Path, problems: list[str]) -> dict[str, dict[str, Any]]:
    """The known sections and keys of the file; all else becomes problems."""
    try:
        # Editors on Windows begin a file with a byte order mark, which TOML does not know.
        document = tomllib.loads(file.read_text(encoding="utf-8-sig"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        problems.append(f"{file}: this is not valid TOML: {error}.")
        return {}
    except OSError as error:
        problems.append(f"{file}: the file cannot be read ({error.strerror}); check its name, and who may read it.")
        return {}
    known: dict[str, dict[str, Any]] = {}
    for section, content in document.items():
        if section not in Settings.model_fields:
            problems.append(f"{file}: {_unknown(section, list(Settings.model_fields))}")
        elif not isinstance(content, dict):
            problems.append(f"{file}: {section}: this is a section; write [{section}] and its keys below that.")
        else:
            known[section] = {key: value for key, value in content.items() if key in _keys(section)}
            siblings = [f"{section}.{key}" for key in _keys(section)]
            for key in content.keys() - known[section].keys():
                problems.append(f"{file}: {_unknown(f'{section}.{key}', siblings)}")
    return known


def _unknown(name: str, siblings: list[str]) -> str:
    close = difflib.get_close_matches(name, siblings, n=1)
    hint = f"did you mean {close[0]}?" if close else f"there are {', '.join(siblings)}."
    return f"{name}: there is no such setting; {hint}"
