"""Settings: a TOML file, overridden by the environment, validated as a whole before anything starts."""

from __future__ import annotations

import difflib
import json
import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError

from central.core.errors import ConfigError
from central.core.settings import Section, StateSettings
from central.settings import Settings

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
    assert issubclass(annotation, Section)
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
