"""The box at one moment, as states are made of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from agent.casting.presets import Preset
from agent.casting.saved import Volume
from agent.health import ReportingStatus
from agent.media.redaction import redact
from agent.snapshot import SessionSnapshot, TrackerSnapshot

OPTIONS_LIMIT: Final = 200
OPTION_LENGTH: Final = 64
"""Presets that can be selected, and the characters of each name: all of four bytes, they still fit into one message."""


@dataclass(frozen=True, slots=True)
class Option:
    """A preset that can be selected."""

    preset_id: str
    plays: tuple[str | None, ...]
    """The address without its credentials, the code and the id of the stream, and that of the video; None for each that
    it does not have."""

    @classmethod
    def of(cls, preset: Preset) -> Option | None:
        """None for a preset that cannot be played."""
        form = preset.form
        if form is None:
            return None
        url = None if form.url is None else redact(form.url)
        return cls(preset.id, (url, form.code, form.stream_id, form.video_id))

    def is_on(self, session: SessionSnapshot) -> bool:
        """Return True if the session plays the same as this preset."""
        pairs = zip(self.plays, (session.url, session.code, session.stream_id, session.video_id), strict=True)
        return all(wanted in (None, there) for wanted, there in pairs)


def options_of(presets: Sequence[Preset]) -> dict[str, Option]:
    """The presets that can be played, by unique names. Of two with the same title, the second has its id appended."""
    options: dict[str, Option] = {}
    for preset in presets:
        option = Option.of(preset)
        if option is not None and len(options) < OPTIONS_LIMIT:
            title = preset.title[:OPTION_LENGTH]
            name = title if title not in options else f"{title} ({preset.id})"[-OPTION_LENGTH:]
            options.setdefault(name, option)
    return options


@dataclass(frozen=True, slots=True)
class Seen:
    """All that entities show."""

    snapshot: TrackerSnapshot
    volume: Volume
    reporting: ReportingStatus
    problems: Sequence[str] = ()
    """The problems of the box, in sentences; none when a start would work."""
    options: Mapping[str, Option] = field(default_factory=dict)
    """The presets by the names under which they are selected."""
    screen_is_on: bool | None = None
    """None where the screen cannot be switched."""
    refusal: str | None = None
    """The reason why the latest command failed, of those that could not be answered; None once something was started
    since."""

    @property
    def current(self) -> SessionSnapshot | None:
        """The session that has the screen, or else the one that is being prepared."""
        return self.snapshot.on_screen or self.snapshot.stream

    @property
    def error(self) -> str | None:
        """The last error, until another session has ended."""
        failures = (session.error for session in (self.snapshot.stream, self.snapshot.last) if session is not None)
        return self.refusal or next((failure.message for failure in failures if failure is not None), None)

    @property
    def selected(self) -> str | None:
        """The name of the preset that is on."""
        session = self.snapshot.on_screen
        if session is None:
            return None
        return next((name for name, option in self.options.items() if option.is_on(session)), None)
