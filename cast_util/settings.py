"""Settings: a TOML file, overridden by the environment, validated as a whole before anything starts."""

from __future__ import annotations

import difflib
import json
import tomllib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Generic, TypeVar, get_args, get_origin

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

Place = tuple[str, str]
"""A section and a key; an empty key is the section as a whole."""


def no_bool(value: object) -> object:
    """Refuse true and false, which pydantic would take as 1 and 0. Raises ValueError."""
    if isinstance(value, bool):
        raise ValueError("should be a number, not true or false")
    return value


def _absolute(path: Path) -> Path:
    if not path.is_absolute() or "\0" in str(path):
        raise ValueError("should be an absolute path, one that begins with /")
    return path


Port = Annotated[int, BeforeValidator(no_bool), Field(ge=0, le=65535)]
AbsolutePath = Annotated[Path, AfterValidator(_absolute)]
HostName = Annotated[str, Field(pattern=r"^[0-9A-Za-z._:-]{1,253}$")]


class Section(BaseModel):
    """A section. The descriptions say what is allowed; error messages quote them."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Sections(BaseSettings):
    """All sections of a program."""

    model_config = SettingsConfigDict(frozen=True, extra="forbid")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The values that the Loader has read, and nothing else: it knows which variable or file to name when a value
        is wrong."""
        return (init_settings,)


SettingsT = TypeVar("SettingsT", bound=Sections)


class Loader(Generic[SettingsT]):
    """Reads the settings of one program, of which `model` has a field for each section."""

    def __init__(
        self,
        model: type[SettingsT],
        *,
        program: str,
        error: Callable[[str], Exception],
        aliases: Mapping[str, Place] | None = None,
        fallbacks: Mapping[str, Place] | None = None,
        reserved: frozenset[str] = frozenset(),
    ) -> None:
        """Variables begin with `program` in capitals. `aliases` are other variables, over which those win; `fallbacks`
        are variables that hold where nothing else sets a key. `reserved` are variables that are no settings. `error`
        makes what is raised."""
        self.prefix: Final = program.upper().replace("-", "_") + "_"
        """Begins the name of every setting in the environment, `<PREFIX><SECTION>__<KEY>`; unknown ones are refused."""
        self._model = model
        self._program = program
        self._error = error
        self._fallbacks = fallbacks or {}
        self._reserved = reserved
        self._places = [(section, key) for section in model.model_fields for key in self._keys(section)]
        wholes = ((section, "" if self.is_repeated(section) else key) for section, key in self._places)
        self._own = {self._variable(*place): place for place in dict.fromkeys(wholes)}
        self._variables = {**(aliases or {}), **self._own}

    def load(self, path: Path | None, *, system: Path, environ: Mapping[str, str]) -> SettingsT:
        """The settings from the file at `path` and the environment.

        Without a path the file `system` is read if systemd started this process and there is one. Raises the error of
        the loader: one text that lists every problem with its place, what is wrong and what is allowed.
        """
        file = path
        if file is None and environ.get("INVOCATION_ID") and _exists(system):
            file = system
        problems: list[str] = []
        values = self._read(file, problems) if file else {}
        for name in [name for name in values if name.startswith("_")]:  # to pydantic-settings an option, not a section
            del values[name]
            problems.append(f"{file}: {self._unknown(name, list(self._model.model_fields), name)}")
        problems += self._unknown_variables(environ)
        named: dict[Place, str] = {}
        for variable, place, value in self._given(environ, values):
            _put(values, place, value)
            named[place] = variable
        try:
            settings = self._model.model_validate(values)
        except ValidationError as error:
            found = error.errors(include_url=False, include_input=False)
            # Misspelled names come before missing and wrong values.
            found.sort(key=lambda detail: detail["type"] != "extra_forbidden")
            problems += [self._describe(detail, file, named) for detail in found]
        if problems:
            raise self._error("\n".join(["The configuration cannot be used:", *(f"  - {p}" for p in problems)]))
        return settings

    def is_repeated(self, section: str) -> bool:
        """Return True if there may be several sections of this name, as TOML's `[[section]]`."""
        return get_origin(self._model.model_fields[section].annotation) is tuple

    def _keys(self, section: str) -> dict[str, FieldInfo]:
        annotation = self._model.model_fields[section].annotation
        model = get_args(annotation)[0] if self.is_repeated(section) else annotation
        assert isinstance(model, type)
        assert issubclass(model, Section)
        return model.model_fields

    def _variable(self, section: str, key: str) -> str:
        return f"{self.prefix}{section}__{key}".upper() if key else f"{self.prefix}{section}".upper()

    def _read(self, file: Path, problems: list[str]) -> dict[str, Any]:
        try:
            # Editors on Windows begin a file with a byte order mark, which TOML does not know.
            return tomllib.loads(file.read_text(encoding="utf-8-sig"))
        except tomllib.TOMLDecodeError as error:
            problems.append(f"{file}: this is not valid TOML: {error}.")
        except UnicodeDecodeError:
            problems.append(f"{file}: this is not text in UTF-8; save it again as UTF-8.")
        except OSError as error:
            problems.append(
                f"{file}: the file cannot be read ({error.strerror}); check its name, and that the user who runs "
                f"{self._program} may read it."
            )
        return {}

    def _given(self, environ: Mapping[str, str], values: Mapping[str, Any]) -> Iterator[tuple[str, Place, object]]:
        """The variables that are set, with what they set; those that win come last. An empty one counts as unset."""
        for variable, place in self._variables.items():
            if text := environ.get(variable):
                yield variable, place, _from_json(text) if self._json_example(*place) else text
        for variable, (section, key) in self._fallbacks.items():
            content = values.get(section)
            if (text := environ.get(variable)) and not (isinstance(content, Mapping) and key in content):
                yield variable, (section, key), text

    def _unknown_variables(self, environ: Mapping[str, str]) -> Iterator[str]:
        ours = {name for name, value in environ.items() if value and name.upper().startswith(self.prefix)}
        for variable in sorted(ours - self._own.keys() - self._reserved):
            close = difflib.get_close_matches(variable.upper(), self._own, n=1)
            hint = f"did you mean {close[0]}?" if close else f"all settings are {self.prefix}<SECTION>__<KEY>."
            yield f"environment: {variable}: there is no such setting; {hint}"

    def _json_example(self, section: str, key: str) -> str:
        """The notation of a list or a table in the environment; empty for all other values."""
        if self.is_repeated(section):
            return str((self._model.model_fields[section].examples or ["[]"])[0])
        default = self._keys(section)[key].get_default(call_default_factory=True, validated_data={})
        if isinstance(default, tuple):
            return '["one", "two"]'
        return json.dumps(dict(default)) if isinstance(default, Mapping) else ""

    def _unknown(self, place: str, siblings: list[str], name: str, section: str = "") -> str:
        """Suggest a sibling of nearly that name, or else a key of that name that lives elsewhere."""
        what = "key" if section else "section or key"
        prefix = f"{section}." if section else ""
        elsewhere = [f"{other}.{key}" for other, key in self._places if key == name]
        close = elsewhere or [prefix + match for match in difflib.get_close_matches(name, siblings, n=1)]
        hint = f"did you mean {close[0]}?" if close else f"there are {', '.join(prefix + s for s in siblings)}."
        return f"{place}: there is no such {what}; {hint}"

    def _describe(self, detail: Any, file: Path | None, named: Mapping[Place, str]) -> str:
        section, *rest = detail["loc"]
        fields = self._model.model_fields
        if section not in fields:
            return f"{file}: {self._unknown(section, list(fields), section)}"
        is_repeated = self.is_repeated(section)
        which = [f"{section} {rest.pop(0) + 1}"] if is_repeated and rest else []
        key = rest.pop(0) if rest else ""
        variable = named.get((section, "" if is_repeated else key))
        if not (variable or key or which) and detail["type"] in _NO_SECTION:
            header = f"[[{section}]]" if is_repeated else f"[{section}]"
            return f"{file}: {section}: this is a section; write {header} and its keys below that."
        name = f"{section}.{key}" if key else section
        place = f"environment: {variable}" if variable else f"{file}"
        if detail["type"] == "extra_forbidden":
            where = f"{name} ({which[0]})" if which else name
            return f"{place}: {self._unknown(where, list(self._keys(section)), key, section)}"
        which += [f"entry {entry + 1}" if isinstance(entry, int) else str(entry) for entry in rest[:1]]
        allowed = (self._keys(section)[key] if key else fields[section]).description
        if variable and (example := self._json_example(section, key)):
            allowed = f"{allowed}, written as JSON like {example}"
        if not variable or (is_repeated and key):
            place = f"{place}: {name}"
        place += f" ({', '.join(which)})" if which else ""
        return f"{place}: {_wrong(detail)}; allowed: {allowed}."


_NO_SECTION: Final = frozenset({"model_type", "model_attributes_type", "tuple_type"})
"""Pydantic's errors for a value in the place of a section."""


def _put(values: dict[str, Any], place: Place, value: object) -> None:
    section, key = place
    if not key:
        values[section] = value
        return
    content = values.setdefault(section, {})
    if isinstance(content, dict):  # what else stands there is refused
        before = content.get(key)
        # A variable sets only the keys of a table that it names.
        content[key] = {**before, **value} if isinstance(before, dict) and isinstance(value, dict) else value


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
