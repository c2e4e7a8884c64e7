"""The settings that are in force: those of the start, but for what a reload (SIGHUP) has changed since."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

from agent.config.loader import LOADER, Settings
from agent.config.logins import described

RELOADABLE: Final = frozenset(
    {
        "api.auth",
        "api.allowed_hosts",
        "player.quality",
        "player.start_timeout",
        "player.stall_timeout",
        "stream.retry",
        "stream.recent",
        "dlna.allow",
        "login",
        "web.input",
        "web.lan_guests",
        "web.renew_at",
        "preset",
        "webhook",
        "log.format",
        "log.level",
    }
)
"""The settings that are read each time, or handed over by a reload; all others are built into something at the
start."""


Shown = bool | float | str | tuple[str, ...]


def shown(settings: Settings) -> dict[str, Shown]:
    """The values that a reload can change and any caller may see, by `section.key`. Of the sections that may be
    repeated only the purpose of each `login`, because they hold secrets."""
    keys = sorted(key for key in RELOADABLE if not LOADER.is_repeated(key.partition(".")[0]))
    found = {key: getattr(getattr(settings, key.partition(".")[0]), key.partition(".")[2]) for key in keys}
    return found | {"login": described(settings.login)}


@dataclass(frozen=True, slots=True)
class Reloaded:
    """The outcome of a reload. Keys are `section.key`; a repeated section counts as one key."""

    changed: tuple[str, ...]
    needs_restart: tuple[str, ...]
    """The settings whose value in the file is not the one in force."""


class Current:
    """`settings` is replaced as a whole by `reload`; `load` reads them anew, and raises ConfigError."""

    def __init__(self, settings: Settings, load: Callable[[], Settings]) -> None:
        self._settings = settings
        self.load: Final = load

    @property
    def settings(self) -> Settings:
        return self._settings

    def take(self, wanted: Settings) -> Reloaded:
        """Put the changes in force that are possible at run time."""
        different = _different(self._settings, wanted)
        changed = tuple(key for key in different if key in RELOADABLE)
        self._settings = _with(self._settings, wanted, changed)
        return Reloaded(changed, tuple(key for key in different if key not in RELOADABLE))


def _different(old: Settings, new: Settings) -> list[str]:
    return [
        name
        for section in type(old).model_fields
        if (before := getattr(old, section)) != (after := getattr(new, section))
        for name in ([section] if LOADER.is_repeated(section) else _different_keys(section, before, after))
    ]


def _different_keys(section: str, before: Iterable[tuple[str, object]], after: object) -> list[str]:
    return [f"{section}.{key}" for key, value in before if value != getattr(after, key)]


def _with(old: Settings, new: Settings, keys: tuple[str, ...]) -> Settings:
    for section, _, key in (name.partition(".") for name in keys):
        part = getattr(new, section)
        if key:
            part = getattr(old, section).model_copy(update={key: getattr(part, key)})
        old = old.model_copy(update={section: part})
    return old
