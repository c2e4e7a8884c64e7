"""The language of the daemon and its player processes: one JSON object a line, over an inherited socket pair.

Not stdin and stdout, because native code writes there when it pleases. This module is imported by the player
processes too, so it stays light.
"""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass, field
from typing import Any

MAX_LINE_BYTES = 64 * 1024
"""The longest line either side accepts: a URL of 2,048 characters, escaped, with room to spare."""


@dataclass(frozen=True, slots=True)
class Ping:
    """A question whether the player is alive."""

    id: int


@dataclass(frozen=True, slots=True)
class Warm:
    """Play the pre-roll, silent, into window `xid`, so that the first real stream finds everything loaded."""

    xid: int


@dataclass(frozen=True, slots=True)
class Load:
    """Begin to play `url`, silent, into window `xid`."""

    url: str
    xid: int
    quality: str
    volume: float
    muted: bool
    position: float = 0.0
    refresh: float | None = None


@dataclass(frozen=True, slots=True)
class Pause:
    """Stand still, or go on."""

    on: bool


@dataclass(frozen=True, slots=True)
class Seek:
    """Go on at `position` seconds."""

    position: float


@dataclass(frozen=True, slots=True)
class Sound:
    """Take the sound, or let go of it and of the audio device. What is not to be `heard` yet takes it only where it may
    share the device."""

    on: bool
    heard: bool = True


@dataclass(frozen=True, slots=True)
class SetVolume:
    """Change volume (0.0-1.0) and mute."""

    level: float
    muted: bool


@dataclass(frozen=True, slots=True)
class Hello:
    """First words of a player process: the media library is loaded."""

    engine: str
    version: str
    features: dict[str, bool | str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Warmed:
    """The pre-roll is over; `ok` tells whether it was shown."""

    ok: bool


@dataclass(frozen=True, slots=True)
class Pong:
    """The answer to a ping."""

    id: int


@dataclass(frozen=True, slots=True)
class Done:
    """The confirmation of a command that changes what plays."""


@dataclass(frozen=True, slots=True)
class OpenedReport:
    """A picture is about to be drawn, or audio without video is ready to be heard."""

    media_type: str
    has_audio: bool


@dataclass(frozen=True, slots=True)
class ProgressReport:
    """The position; sent at least every 0.5 s while media is loaded."""

    pictures: int
    lost: int
    audio_buffers: int
    clock: float | None
    position: float | None
    duration: float | None
    stream_type: str | None
    hardware_decoding: str | None
    sound_lost: bool = False


@dataclass(frozen=True, slots=True)
class Playlist:
    """The media is a list of addresses, in order; nothing of it was followed."""

    entries: list[str]


@dataclass(frozen=True, slots=True)
class Finished:
    """The media came to its end."""


@dataclass(frozen=True, slots=True)
class Failed:
    """The media cannot be played, or broke. `kind` is the type of media that it turned out to be when another engine
    is there for that; `is_full` as in Failure."""

    code: str
    message: str
    kind: str | None = None
    is_full: bool = False


Command = Ping | Warm | Load | Pause | Seek | Sound | SetVolume
Report = Hello | Warmed | Pong | Done | OpenedReport | ProgressReport | Playlist | Finished | Failed

_COMMANDS: dict[str, type[Command]] = {c.__name__: c for c in (Ping, Warm, Load, Pause, Seek, Sound, SetVolume)}
_REPORTS: dict[str, type[Report]] = {
    r.__name__: r for r in (Hello, Warmed, Pong, Done, OpenedReport, ProgressReport, Playlist, Finished, Failed)
}


def encode(message: Command | Report) -> bytes:
    """One line, its newline included."""
    fields: dict[str, Any] = {f.name: getattr(message, f.name) for f in dataclasses.fields(message)}
    return json.dumps({"is": type(message).__name__, **fields}).encode() + b"\n"


def decode_command(line: bytes) -> Command:
    """The command in a line. Raises ValueError if there is none."""
    command: Command = _decode(line, _COMMANDS)
    return command


def decode_report(line: bytes) -> Report:
    """The report in a line. Raises ValueError if there is none."""
    report: Report = _decode(line, _REPORTS)
    return report


def _decode(line: bytes, kinds: dict[str, type[Any]]) -> Any:
    message = json.loads(line)
    if not isinstance(message, dict) or (kind := kinds.get(message.pop("is", ""))) is None:
        raise ValueError(f"not a message: {line[:80]!r}")
    try:
        return kind(**message)
    except TypeError as e:
        raise ValueError(str(e)) from e
