"""Settings: a TOML file, overridden by the environment, validated as a whole before anything starts."""

from __future__ import annotations

import base64
import binascii
import difflib
import json
import os
import socket
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Literal, get_args, get_origin

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from agent.errors import ConfigError
from agent.types import DEFAULT_PORT, Quality
from agent.urls import NETWORK_SCHEMES, check_central_url, check_webhook_url

ENV_PREFIX = "CAST_AGENT_"
"""Begins the name of every setting in the environment, `CAST_AGENT_<SECTION>__<KEY>`; unknown ones are refused."""

KEY_VARIABLE = "CAST_AGENT_KEY"
"""Of the environment, and no setting: the key with which the commands call an agent."""

SYSTEM_CONFIG = Path("/etc/cast-agent/config.toml")
"""Used under systemd when no file is named."""

SYSTEM_STATE = Path("/var/lib/cast-agent")
"""The state directory that systemd gives the service."""


def _no_bool(value: object) -> object:
    if isinstance(value, bool):  # pydantic would take true as 1
        raise ValueError("should be a number, not true or false")
    return value


def _absolute(path: Path) -> Path:
    if not path.is_absolute() or "\0" in str(path):
        raise ValueError("should be an absolute path, one that begins with /")
    return path


def _display_name(name: str) -> str:
    # DNS-SD instance names are at most 63 bytes (RFC 6763, 4.1.1).
    if not name.isprintable() or not 1 <= len(name.encode(errors="replace")) <= 63:
        raise ValueError("should be 1 to 63 bytes of printable text")
    return name


def _network_scheme(scheme: str) -> str:
    scheme = scheme.lower().removesuffix("://")
    if scheme == "file":
        raise ValueError("file is not listed here: files are allowed by player.media_folders")
    if scheme not in NETWORK_SCHEMES:
        raise ValueError("not a scheme that is known here")
    return scheme


def _engine_scheme(scheme: str) -> str:
    return "file" if scheme.lower() == "file" else _network_scheme(scheme)


def _with_defaults(engines: Mapping[str, Engine]) -> Mapping[str, Engine]:
    # libVLC plays no RTSP as Debian builds it (#981439), and does not say what is wrong with a certificate of rtmps.
    return {"rtsp": "mpv", "rtsps": "mpv", "rtmps": "mpv", **engines}


def _webhook_secret(secret: str) -> str:
    try:
        key = base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    except binascii.Error:
        key = b""
    if not secret.startswith("whsec_") or not 24 <= len(key) <= 64:
        raise ValueError("is none of the form that Standard Webhooks have")
    return secret


def _each_once(webhooks: tuple[WebhookSettings, ...]) -> tuple[WebhookSettings, ...]:
    if len({webhook.url for webhook in webhooks}) < len(webhooks):
        raise ValueError("one url stands there twice; name all its events in one [[webhook]]")
    if len(webhooks) > WEBHOOKS_LIMIT:
        raise ValueError(f"these are too many, more than {WEBHOOKS_LIMIT}")
    return webhooks


WEBHOOKS_LIMIT: Final = 16
"""Each has a connection and a place in the outbox of its own."""

Engine = Literal["vlc", "mpv"]
EventName = Literal[
    "agent_started",
    "session_started",
    "first_frame",
    "session_waiting",
    "session_failing",
    "session_resumed",
    "session_ended",
    "events_dropped",
    "outbox_set_aside",
]
"""What happens on a box, as `agent.reporting.wire` has it."""
EngineScheme = Annotated[str, AfterValidator(_engine_scheme)]
Seconds = Annotated[float, BeforeValidator(_no_bool), Field(ge=1, le=120, allow_inf_nan=False)]
Port = Annotated[int, BeforeValidator(_no_bool), Field(ge=0, le=65535)]
AbsolutePath = Annotated[Path, AfterValidator(_absolute)]
HostName = Annotated[str, Field(pattern=r"^[0-9A-Za-z._:-]{1,253}$")]
InterfaceName = Annotated[str, Field(pattern=r"^[^/\s\x00]{1,15}$")]  # as the kernel has it (IFNAMSIZ)
Text = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]+$")]


class _Section(BaseModel):
    """The descriptions say what is allowed; error messages quote them."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class DeviceSettings(_Section):
    """Who this box is."""

    id: str | None = Field(
        default=None,
        pattern=r"^[A-Za-z0-9._-]{1,64}$",
        description="1 to 64 letters, digits, dots, dashes, underscores",
    )
    name: Annotated[str, AfterValidator(_display_name)] = Field(
        default_factory=lambda: socket.gethostname()[:63] or "cast-agent",
        description="a name for people, 1 to 63 bytes long",
    )


class ApiSettings(_Section):
    """Where the HTTP server listens and whom it answers."""

    host: HostName = Field(default="0.0.0.0", description="an IP address or a host name of this machine")
    port: Port = Field(default=DEFAULT_PORT, description="a whole number from 0 (any free port) to 65535")
    auth: Literal["keys", "none"] = Field(default="keys", description='"keys" or "none"')
    allowed_hosts: tuple[HostName, ...] = Field(default=(), description="a list of host names without http:// and path")


class DisplaySettings(_Section):
    """The screen."""

    display: str | None = Field(
        default=None,
        pattern=r"^[0-9A-Za-z._/-]{0,100}:[0-9]{1,5}(\.[0-9]{1,3})?$",
        description='the name of an X display, such as ":0"',
    )
    idle: Literal["black", "desktop"] = Field(default="black", description='"black" or "desktop"')


class AudioSettings(_Section):
    """Where the sound goes."""

    output: Literal["auto", "pulse", "alsa", "none"] = Field(
        default="auto", description='"auto", "pulse", "alsa" or "none"'
    )
    device: Text | None = Field(default=None, description="the name of a device, as pactl or aplay lists it")


class PlayerSettings(_Section):
    """How things are played, and what may be."""

    quality: Quality = Field(default=Quality.AUTO, description='"auto", "1080p", "720p" or "low-latency"')
    start_timeout: Seconds = Field(default=15.0, description="seconds, from 1 to 120")
    stall_timeout: Seconds = Field(default=5.0, description="seconds, from 1 to 120")
    media_folders: tuple[AbsolutePath, ...] = Field(default=(), description="a list of absolute paths")
    allowed_schemes: tuple[Annotated[str, AfterValidator(_network_scheme)], ...] = Field(
        default=NETWORK_SCHEMES, description="a list of some of " + ", ".join(NETWORK_SCHEMES)
    )
    engines: Annotated[Mapping[EngineScheme, Engine], AfterValidator(_with_defaults)] = Field(
        default_factory=lambda: _with_defaults({}), description='a table of schemes, each with "vlc" or "mpv"'
    )


class StreamSettings(_Section):
    """`[stream]`: what comes back by itself."""

    restore: bool = Field(default=True, description="true or false")
    retry: bool = Field(default=True, description="true or false")


class DiscoverySettings(_Section):
    """How the box is found on the LAN."""

    enabled: bool = Field(default=True, description="true or false")
    interfaces: tuple[InterfaceName, ...] = Field(default=(), description='a list of interfaces, such as ["eth0"]')


class CentralSettings(_Section):
    """The central API that this box reports to; none: nobody."""

    url: Annotated[str, AfterValidator(check_central_url)] | None = Field(
        default=None, description="an address such as https://central.example.org, or http:// in your own network"
    )
    token: str | None = Field(
        default=None,
        pattern=r"^et_[A-Za-z0-9_-]{43}$",
        repr=False,
        description="an enrolment token as `cast-central enrol` prints it, et_ and 43 characters",
    )
    heartbeat: Annotated[float, BeforeValidator(_no_bool)] = Field(
        default=60.0, ge=1, le=3600, allow_inf_nan=False, description="seconds, from 1 to 3600"
    )


class WebhookSettings(_Section):
    """One who is told what happens on this box, by HTTP."""

    url: Annotated[str, AfterValidator(check_webhook_url)] = Field(
        repr=False, description="an address such as http://homeassistant.local:8123/api/webhook/..., or https://"
    )
    secret: Annotated[str, AfterValidator(_webhook_secret)] | None = Field(
        default=None, repr=False, description="whsec_ and 24 to 64 bytes in base64, the same as the receiver has"
    )
    events: Annotated[tuple[EventName, ...], Field(min_length=1)] | None = Field(
        default=None, description="a list of at least one of " + ", ".join(get_args(EventName))
    )


class StateSettings(_Section):
    """What is kept across restarts."""

    dir: AbsolutePath | None = Field(default=None, description="an absolute path")

    def directory(self, environ: Mapping[str, str] = os.environ) -> Path:
        """`dir`, or else where systemd or the XDG rules put it. Raises ConfigError when there is no home."""
        if self.dir is not None:
            return self.dir
        if by_systemd := environ.get("STATE_DIRECTORY"):
            return Path(by_systemd.split(":")[0])  # systemd lists several with colons
        xdg = Path(environ.get("XDG_STATE_HOME", ""))
        if xdg.is_absolute():  # the XDG specification has relative ones ignored
            return xdg / "cast-agent"
        try:
            return Path.home() / ".local" / "state" / "cast-agent"
        except RuntimeError as error:
            raise ConfigError(
                "This user has no home directory to keep state in. Set dir in the section [state] to a "
                "directory that cast-agent may write to, such as /var/lib/cast-agent."
            ) from error

    def runtime_directory(self, environ: Mapping[str, str] = os.environ) -> Path:
        """In memory, where systemd or the XDG rules have such a place; else `directory()`, whose disk may be slow."""
        if by_systemd := environ.get("RUNTIME_DIRECTORY"):
            return Path(by_systemd.split(":")[0])
        xdg = Path(environ.get("XDG_RUNTIME_DIR", ""))
        return xdg / "cast-agent" if xdg.is_absolute() else self.directory(environ)


class LogSettings(_Section):
    """How much is logged, and in which form."""

    format: Literal["auto", "json", "console"] = Field(default="auto", description='"auto", "json" or "console"')
    level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description='"debug", "info", "warning" or "error"'
    )


class Settings(BaseSettings):
    """All settings. Made by hand it takes the environment into account too, as `load_settings` does."""

    model_config = SettingsConfigDict(frozen=True, extra="forbid")

    device: DeviceSettings = Field(default_factory=DeviceSettings)
    api: ApiSettings = Field(default_factory=ApiSettings)
    display: DisplaySettings = Field(default_factory=DisplaySettings)
    audio: AudioSettings = Field(default_factory=AudioSettings)
    player: PlayerSettings = Field(default_factory=PlayerSettings)
    stream: StreamSettings = Field(default_factory=StreamSettings)
    discovery: DiscoverySettings = Field(default_factory=DiscoverySettings)
    central: CentralSettings = Field(default_factory=CentralSettings)
    webhook: Annotated[tuple[WebhookSettings, ...], AfterValidator(_each_once)] = Field(
        default=(), description=f"up to {WEBHOOKS_LIMIT} tables, each with url, secret and events"
    )
    state: StateSettings = Field(default_factory=StateSettings)
    log: LogSettings = Field(default_factory=LogSettings)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The environment first, then what the file said. Earlier ones win."""
        return (_Environment(settings_cls), init_settings)


def load_settings(path: Path | None = None, *, system_config: Path = SYSTEM_CONFIG) -> Settings:
    """The settings from the file at `path` and the environment.

    Without a path `system_config` is read when systemd started this process and it exists.
    Raises ConfigError: one text that lists every problem with its place, what is wrong and what is allowed.
    """
    problems: list[str] = []
    file = path
    if file is None and os.environ.get("INVOCATION_ID") and _exists(system_config):
        file = system_config
    sections = _read(file, problems) if file else {}
    for variable in sorted(_unknown_variables(os.environ)):
        close = difflib.get_close_matches(variable.upper(), _VARIABLES, n=1)
        hint = f"did you mean {close[0]}?" if close else f"all settings are {ENV_PREFIX}<SECTION>__<KEY>."
        problems.append(f"environment: {variable}: there is no such setting; {hint}")
    try:
        settings = Settings(**sections)
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False)
        # What was misspelled is told before what is missing or wrong.
        found.sort(key=lambda detail: detail["type"] != "extra_forbidden")
        problems += [_describe(detail, file) for detail in found]
    if problems:
        raise ConfigError("\n".join(["The configuration cannot be used:", *(f"  - {p}" for p in problems)]))
    return settings


def installed_config(system_config: Path = SYSTEM_CONFIG) -> Path | None:
    """The file of the agent that is installed on this machine, for commands that are about it; None where there is none
    or where this user may not read it."""
    return system_config if os.access(system_config, os.R_OK) else None


def settings_beside(path: Path | None = None, *, system_config: Path = SYSTEM_CONFIG) -> Settings:
    """The settings of the agent on this machine, for a command that works on its state, with `state.dir` filled in.

    Without a path that is the installed agent, for those who may write to its state; for anybody else one that they
    run themselves. Raises ConfigError.
    """
    installed = path is None and not os.environ.get("STATE_DIRECTORY")
    settings = load_settings(path or installed_config(system_config))
    folder = settings.state.dir
    if folder is None:
        folder = SYSTEM_STATE if installed and os.access(SYSTEM_STATE, os.W_OK) else settings.state.directory()
    return settings.model_copy(update={"state": StateSettings(dir=folder)})


class _Environment(PydanticBaseSettingsSource):
    """The known variables; an empty one counts as unset."""

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        values: dict[str, Any] = {}
        for variable, (section, key) in _VARIABLES.items():
            if section == field_name and (text := os.environ.get(variable)):
                values[key] = _from_json(text) if _json_example(section, key) else text
        return values.get("", values or None), field_name, False

    def __call__(self) -> dict[str, Any]:
        values = {name: self.get_field_value(field, name)[0] for name, field in Settings.model_fields.items()}
        return {name: section for name, section in values.items() if section is not None}


def is_repeated(section: str) -> bool:
    """Whether there may be several sections of this name, as TOML's `[[section]]`."""
    return get_origin(Settings.model_fields[section].annotation) is tuple


def _keys(section: str) -> dict[str, FieldInfo]:
    annotation = Settings.model_fields[section].annotation
    model = get_args(annotation)[0] if is_repeated(section) else annotation
    assert isinstance(model, type)
    assert issubclass(model, _Section)
    return model.model_fields


def _variable(section: str, key: str) -> str:
    return f"{ENV_PREFIX}{section}__{key}".upper() if key else f"{ENV_PREFIX}{section}".upper()


_PLACES = [(section, key) for section in Settings.model_fields for key in _keys(section)]
_VARIABLES = {
    _variable(*place): place
    for place in dict.fromkeys((section, "" if is_repeated(section) else key) for section, key in _PLACES)
}
"""The section and the key that each sets; sections that may be repeated are set as a whole, without a key."""


def _unknown_variables(environ: Mapping[str, str]) -> set[str]:
    ours = {name for name, value in environ.items() if value and name.upper().startswith(ENV_PREFIX)}
    return ours - _VARIABLES.keys() - {KEY_VARIABLE}


def _json_example(section: str, key: str) -> str:
    """How a list or a table is written in the environment; empty for all else."""
    if is_repeated(section):
        return '[{"url": "http://192.168.1.9/"}]'
    default = _keys(section)[key].get_default(call_default_factory=True, validated_data={})
    if isinstance(default, tuple):
        return '["one", "two"]'
    return json.dumps(dict(default)) if isinstance(default, Mapping) else ""


def _from_json(text: str) -> object:
    try:
        return json.loads(text)
    except ValueError:
        return text  # which is no list: the validation says so, beside everything else that is wrong


def _exists(file: Path) -> bool:
    try:
        return file.exists()
    except OSError:  # its directory may not be looked into: reading it says so
        return True


def _read(file: Path, problems: list[str]) -> dict[str, Any]:
    """The known sections and keys of the file; all else becomes problems."""
    try:
        # Editors on Windows begin a file with a byte order mark, which TOML does not know.
        document = tomllib.loads(file.read_text(encoding="utf-8-sig"))
    except tomllib.TOMLDecodeError as error:
        problems.append(f"{file}: this is not valid TOML: {error}.")
        return {}
    except UnicodeDecodeError:
        problems.append(f"{file}: this is not text in UTF-8; save it again as UTF-8.")
        return {}
    except OSError as error:
        problems.append(
            f"{file}: the file cannot be read ({error.strerror}); check its name, and that the user who runs "
            "cast-agent may read it."
        )
        return {}
    known: dict[str, Any] = {}
    for section, content in document.items():
        if section not in Settings.model_fields:
            problems.append(f"{file}: {_unknown(section, list(Settings.model_fields), section)}")
        elif not _has_the_shape_of(section, content):
            header = f"[[{section}]]" if is_repeated(section) else f"[{section}]"
            problems.append(f"{file}: {section}: this is a section; write {header} and its keys below that.")
        else:
            known[section] = content
    return known


def _has_the_shape_of(section: str, content: object) -> bool:
    if is_repeated(section):
        return isinstance(content, list) and all(isinstance(each, dict) for each in content)
    return isinstance(content, dict)


def _unknown(place: str, siblings: list[str], name: str, section: str = "") -> str:
    """Suggest a sibling of nearly that name, or else a key of that name that lives elsewhere."""
    what = "key" if section else "section or key"
    prefix = f"{section}." if section else ""
    elsewhere = [f"{other}.{key}" for other, key in _PLACES if key == name]
    close = elsewhere or [prefix + match for match in difflib.get_close_matches(name, siblings, n=1)]
    hint = f"did you mean {close[0]}?" if close else f"there are {', '.join(prefix + s for s in siblings)}."
    return f"{place}: there is no such {what}; {hint}"


def _describe(detail: Any, file: Path | None) -> str:
    section, *rest = detail["loc"]
    which = [f"{section} {rest.pop(0) + 1}"] if is_repeated(section) and rest else []
    key = rest.pop(0) if rest else ""
    variable = _variable(section, "" if is_repeated(section) else key)
    from_environment = bool(os.environ.get(variable))
    name = f"{section}.{key}" if key else section
    place = f"environment: {variable}" if from_environment else f"{file}"
    if detail["type"] == "extra_forbidden":
        where = f"{name} ({which[0]})" if which else name
        return f"{place}: {_unknown(where, list(_keys(section)), key, section)}"
    which += [f"entry {entry + 1}" if isinstance(entry, int) else str(entry) for entry in rest[:1]]
    allowed = (_keys(section)[key] if key else Settings.model_fields[section]).description
    if from_environment and (example := _json_example(section, key)):
        allowed = f"{allowed}, written as JSON like {example}"
    if not from_environment or (is_repeated(section) and key):
        place = f"{place}: {name}"
    place += f" ({', '.join(which)})" if which else ""
    return f"{place}: {_wrong(detail)}; allowed: {allowed}."


def _wrong(detail: Any) -> str:
    if detail["type"] in ("literal_error", "enum"):
        return "not a word that is known here"
    if detail["type"] == "tuple_type":
        return "should be a list"
    if detail["type"] in ("dict_type", "mapping_type", "model_type", "model_attributes_type"):
        return "should be a table"
    if detail["type"] == "missing":
        return "has to be there"
    if detail["type"] == "value_error":
        return str(detail["msg"]).removeprefix("Value error, ")
    return "cannot be used"  # the description says it better than pydantic
