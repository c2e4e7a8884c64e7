"""The output and the volume of a player's sound: libVLC's audio output, made at the moment it is needed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from cast_util.backoff import Backoff

_NO_LOUDSPEAKER = frozenset({"adummy", "amem", "afile"})
"""Outputs of libVLC that play into nothing, a program or a file."""

_SHARED = frozenset({"pulse"})
"""Outputs whose device is never one player's alone. With ALSA that depends on the configuration."""

SILENT_S = 1.5
"""libVLC counts sound and pictures four times a second; a track that is chosen late sets in after 1 s at most."""

PAUSES = Backoff(2.0, cap_s=8.0)
"""The pauses between two attempts to be heard again. The last one goes on for as long as the film does: a sound server
may come at any time, and to ask for it takes 2 ms."""


class Audio(NamedTuple):
    """The settings of the sound: an output and a device as in the configuration, and languages, the best one first."""

    output: str
    device: str | None
    languages: Sequence[str]


class LostSound:
    """A detector for lost sound: its output was lost, or could not be made."""

    def __init__(self) -> None:
        self.opened = False
        """True if the device was opened since the last attempt."""
        self.complaints = 0
        """Errors that the output has reported. PulseAudio's does for each piece once its server has gone, and libVLC
        counts those as played all the same."""
        self._played = self._complaints = self._thrown_away = self._pictures = 0
        self._heard_at = self._next_at = 0.0
        self._attempts = 0

    @property
    def is_lost(self) -> bool:
        """Return True if the sound was sought and has not been heard since."""
        return self._attempts > 0

    def is_due(self, stats: Any, now: float, *, expected: bool) -> bool:
        """Return True if an attempt is due by libVLC's counts: pictures advance, no sound is played, and the sound that
        arrives is refused, discarded or has no device. A track that holds no sound for a while is not lost."""
        pictures_stand = stats.displayed_pictures == self._pictures
        self._pictures = stats.displayed_pictures
        refused, self._complaints = self.complaints != self._complaints, self.complaints
        played, self._played = stats.played_abuffers != self._played, stats.played_abuffers
        if not expected or (played and not refused):
            self._thrown_away, self._heard_at = stats.lost_abuffers, now
            if expected:
                self._attempts = 0
            return False
        thrown_away = stats.lost_abuffers != self._thrown_away
        if pictures_stand or now - self._heard_at < SILENT_S or now < self._next_at:
            return False
        if self.opened and not thrown_away and not refused:
            return False
        self._attempts += 1
        self._next_at = now + PAUSES.after(self._attempts)
        self._thrown_away, self.opened = stats.lost_abuffers, False
        return True


class SoundOutput:
    """The audio output of one media player of libVLC.

    libVLC makes an output with its media player and throws it away in `stop()`, with the volume, the mute and the
    device that were set: so one that lived through a pre-roll has none, and forgets what it is told. It is made
    again here right before the device is opened. That also finds a sound server that was started, or started anew,
    after the player was. Takes 2 ms with PulseAudio.
    """

    def __init__(self, instance: Any, player: Any, *, output: str, device: str | None) -> None:
        self._player = player
        self._device = device
        self._name = ""
        """The output that was made; empty before, or if none can be."""
        self._level, self._muted = 1.0, False
        self.heard = True
        """False if it is to be muted whatever its volume is, because another player is heard; it is from `make` on."""
        self.wanted = output != "none"
        """True if anything is to be heard at all."""
        if not self.wanted:
            self._names = []  # the instance has been told
        elif output == "auto":
            self._names = [name for name in _listed(instance) if name not in _NO_LOUDSPEAKER]
        else:
            self._names = [output]

    def set_volume(self, level: float, muted: bool) -> None:
        """0.0-1.0; also for an output that is made later."""
        self._level, self._muted = level, muted
        self._apply()

    @property
    def is_shared(self) -> bool:
        """Return True if others may play into the device at the same time."""
        return self._name in _SHARED

    def make(self, *, anew: bool = False) -> bool:
        """Make the output if there is none yet; the next audio track that is chosen opens its device. Whether there is
        one now.

        Where none can be made libVLC plays without sound. `anew` only while no audio track is chosen: libVLC destroys
        the one before, and does not ask whether it is in use.
        """
        if anew or not self._name:
            self._name = next((name for name in self._names if self._works(name)), "")
            if self._name and self._device:
                self._player.audio_output_device_set(None, self._device)
        self._apply()
        return bool(self._name)

    def _works(self, name: str) -> bool:
        return bool(self._player.audio_output_set(name) == 0 and self._player.audio_get_volume() >= 0)

    def _apply(self) -> None:
        # Always both, also the defaults: sound servers remember the last volume and mute of an application, and
        # what is set before the device opens is what it opens with.
        self._player.audio_set_volume(round(self._level * 100))
        self._player.audio_set_mute(self._muted or not self.heard)


def _listed(instance: Any) -> list[str]:
    """The audio outputs of this libVLC, the preferred one first."""
    names = []
    entry = instance.audio_output_list_get()
    while entry:
        names.append(entry.contents.name.decode())
        entry = entry.contents.next
    return names
