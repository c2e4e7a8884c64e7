"""Settings: a TOML file, overridden by the environment, validated as a whole before anything starts."""

from __future__ import annotations

import difflib
import json
import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args, get_origin

from pydantic import Field, ValidationError
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from agent.config.faces import DlnaSettings, EspHomeSettings
from agent.config.logins import LOGINS_LIMIT, Logins
from agent.config.settings import (
    WEBHOOKS_LIMIT,
    ApiSettings,
    AudioSettings,
    CentralSettings,
    DeviceSettings,
    DiscoverySettings,
    DisplaySettings,
    LogSettings,
    PlayerSettings,
    Presets,
    Section,
    StateSettings,
    StreamSettings,
    Webhooks,
)
from agent.config.web import WebSettings
from agent.errors import ConfigError

ENV_PREFIX = "CAST_AGENT_"
"""Begins the name of every setting in the environment, `CAST_AGENT_<SECTION>__<KEY>`; unknown ones are refused."""

KEY_VARIABLE = "CAST_AGENT_KEY"
"""Of the environment, and no setting: the key with which the commands call an agent."""

SYSTEM_CONFIG = Path("/etc/cast-agent/config.toml")
"""Used under systemd when no file is named."""

SYSTEM_STATE = Path("/var/lib/cast-agent")
"""The state directory that systemd gives the service."""


class Settings(BaseSettings):
    """All settings. Made by hand it takes the environment into account too, as `load_settings` does."""

    model_config = SettingsConfigDict(frozen=True, extra="forbid")

    device: DeviceSettings = Field(default_factory=DeviceSettings)
    api: ApiSettings = Field(default_factory=ApiSettings)
    display: DisplaySettings = Field(default_factory=DisplaySettings)
    audio: AudioSettings = Field(default_factory=AudioSettings)
    player: PlayerSettings = Field(default_factory=PlayerSettings)
    web: WebSettings = Field(default_factory=WebSettings)
    stream: StreamSettings = Field(default_factory=StreamSettings)
    discovery: DiscoverySettings = Field(default_factory=DiscoverySettings)
    esphome: EspHomeSettings = Field(default_factory=EspHomeSettings)
    dlna: DlnaSettings = Field(default_factory=DlnaSettings)
    central: CentralSettings = Field(default_factory=CentralSettings)
    webhook: Webhooks = Field(
        default=(), description=f"up to {WEBHOOKS_LIMIT} tables, each with url, secret and events"
    )
    login: Logins = Field(
        default=(), description=f"up to {LOGINS_LIMIT} tables, each with origin, kind, and secret or secret_file"
    )
    preset: Presets = Field(default=(), description="tables, each with id and the fields of a start")
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


def installed_config() -> Path | None:
    """The file of the agent that is installed on this machine, for commands that are about it; None where there is none
    or where this user may not read it."""
    return SYSTEM_CONFIG if os.access(SYSTEM_CONFIG, os.R_OK) else None


def admins_folder(path: Path | None = None) -> Path | None:
    """Where the installed agent's key is kept for this machine's administrators; None for the agent of another
    configuration, and for who is not root and may not write there."""
    folder = SYSTEM_CONFIG.parent
    return folder if path in (None, SYSTEM_CONFIG) and os.geteuid() == 0 and folder.is_dir() else None


def settings_beside(path: Path | None = None) -> Settings:
    """The settings of the agent on this machine, for a command that works on its state, with `state.dir` filled in.

    Without a path that is the installed agent, for those who may write to its state; for anybody else one that they
    run themselves. Raises ConfigError.
    """
    installed = path is None and not os.environ.get("STATE_DIRECTORY")
    settings = load_settings(path or installed_config())
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
    assert issubclass(model, Section)
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
        return _EXAMPLES[section]
    default = _keys(section)[key].get_default(call_default_factory=True, validated_data={})
    if isinstance(default, tuple):
        return '["one", "two"]'
    return json.dumps(dict(default)) if isinstance(default, Mapping) else ""


_EXAMPLES = {
    "webhook": '[{"url": "http://192.168.1.9/"}]',
    "login": '[{"origin": "http://panel.lan", "kind": "header", "secret_file": "/etc/cast-agent/panel-token"}]',
    "preset": '[{"id": "front-door", "url": "rtsp://camera.local/1"}]',
}


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
    if section == "preset":  # whatever is wrong with one is told where presets are listed
        return True
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
