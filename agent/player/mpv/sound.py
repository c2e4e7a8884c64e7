"""The audio output of mpv: mpv drops the track when its device is lost or cannot be opened, and looks for no other."""

from __future__ import annotations

from enum import Enum, auto

SOUND_PAUSE_S = 4.0
"""The interval between two attempts to be heard, for as long as a film lasts: a sound server may start at any time.
Each attempt takes mpv some milliseconds."""


class Output(Enum):
    """The state of the audio output."""

    NONE = auto()
    """None was ever open. A box without a device is silent; it has lost nothing."""
    OPEN = auto()
    CLOSED = auto()
    """One was open before, and none is missed yet."""
    LOST = auto()
    """One was open before, and has been missed for SOUND_PAUSE_S."""


class LostSound:
    """A detector for lost sound."""

    def __init__(self) -> None:
        self._output = Output.NONE
        self._missing_since: float | None = None
        """The monotonic time of the last attempt, or from which on an output is missed; None while none is."""

    @property
    def is_lost(self) -> bool:
        """Return True if the sound was heard before and should be heard now, but is not."""
        return self._output is Output.LOST

    def output_changed(self, is_open: bool) -> None:
        """Take in that mpv has opened an output, or has none."""
        if is_open:
            self._enter(Output.OPEN)
        elif self._output is Output.OPEN:
            self._enter(Output.CLOSED)

    def is_due(self, now: float, *, expected: bool) -> bool:
        """Return True if the track should be chosen again, at the monotonic time `now`. `expected`: it should be
        heard."""
        if not expected or self._output is Output.OPEN:
            self._missing_since = None
            if self._output is Output.LOST:
                self._enter(Output.CLOSED)
            return False
        if self._missing_since is None:
            self._missing_since = now
        if now - self._missing_since < SOUND_PAUSE_S:
            return False
        self._missing_since = now
        if self._output is Output.CLOSED:
            self._enter(Output.LOST)
        return True

    def _enter(self, output: Output) -> None:
        self._output = output
