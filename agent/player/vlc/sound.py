"""Where a player's sound goes, and how loud it is: libVLC's audio output, made at the moment it is needed."""

from __future__ import annotations

from typing import Any

_NO_LOUDSPEAKER = frozenset({"adummy", "amem", "afile"})
"""Outputs of libVLC that play into nothing, a program or a file."""


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
        self._made = False
        self._level, self._muted = 1.0, False
        self.wanted = output != "none"
        """Whether anything is to be heard at all."""
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

    def make(self) -> None:
        """Make the output if there is none yet; the next audio track that is chosen opens its device.

        Where none can be made libVLC plays without sound. It is made once only: libVLC destroys the one before,
        and does not ask whether it is in use.
        """
        if not self._made:
            self._made = any(self._works(name) for name in self._names)
            if self._made and self._device:
                self._player.audio_output_device_set(None, self._device)
        self._apply()

    def _works(self, name: str) -> bool:
        return bool(self._player.audio_output_set(name) == 0 and self._player.audio_get_volume() >= 0)

    def _apply(self) -> None:
        # Always both, also the defaults: sound servers remember the last volume and mute of an application, and
        # what is set before the device opens is what it opens with.
        self._player.audio_set_volume(round(self._level * 100))
        self._player.audio_set_mute(self._muted)


def _listed(instance: Any) -> list[str]:
    """Audio outputs of this libVLC, the one that it prefers first."""
    names = []
    entry = instance.audio_output_list_get()
    while entry:
        names.append(entry.contents.name.decode())
        entry = entry.contents.next
    return names
