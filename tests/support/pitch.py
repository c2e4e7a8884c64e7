"""The pure tones in a recording, window by window, by Goertzel's algorithm in plain Python."""

from __future__ import annotations

import math
from array import array
from collections.abc import Sequence
from dataclasses import dataclass

RATE = 16_000
"""Samples a second; enough for tones up to some kHz, and cheap."""

WINDOW_S = 0.05
"""Tones that are multiples of 1 / WINDOW_S = 20 Hz do not leak into each other."""

CANDIDATES = (440, 520, 660, 760, 880, 1000)
"""The tones that the clips use (`media_routes.PITCHES`)."""

AUDIBLE = 0.02
"""Part of full scale. The clips have 0.5; encoders leave less than 0.005 beside a tone."""


@dataclass(frozen=True, slots=True)
class Window:
    """50 ms of sound."""

    at: float
    """The time at which it begins."""
    levels: dict[int, float]
    """The amplitude of each candidate, as a part of full scale."""
    loudness: float
    """Root mean square of everything, as a part of full scale: sound that is none of the candidates shows here."""

    @property
    def heard(self) -> frozenset[int]:
        """The candidates that are audible. A tone that breaks off inside the window also shows as its neighbours."""
        return frozenset(hz for hz, level in self.levels.items() if level >= AUDIBLE)

    @property
    def silent(self) -> bool:
        return self.loudness < AUDIBLE / 2


def pitches(
    samples: array[int], rate: int, *, candidates: Sequence[int] = CANDIDATES, began: float = 0.0
) -> list[Window]:
    """The tone in each whole window of 16-bit mono `samples`; `began` is the time of the first."""
    length = round(rate * WINDOW_S)
    # A tone that begins or ends inside a window would smear over all candidates without a taper (Hann).
    taper = [0.5 - 0.5 * math.cos(2 * math.pi * i / length) for i in range(length)]
    windows = []
    for start in range(0, len(samples) - length + 1, length):
        part = samples[start : start + length]
        if not any(part):
            windows.append(Window(began + start / rate, dict.fromkeys(candidates, 0.0), 0.0))
            continue
        tapered = [sample * factor for sample, factor in zip(part, taper, strict=True)]
        levels = {hz: _amplitude(tapered, hz, rate) for hz in candidates}
        loudness = math.sqrt(sum(sample * sample for sample in part) / length) / 32768
        windows.append(Window(began + start / rate, levels, loudness))
    return windows


def _amplitude(tapered: Sequence[float], hz: int, rate: int) -> float:
    factor = 2 * math.cos(2 * math.pi * hz / rate)
    one = two = 0.0
    for sample in tapered:
        one, two = sample + factor * one - two, one
    power = one * one + two * two - factor * one * two
    return 4 * math.sqrt(max(0.0, power)) / len(tapered) / 32768  # 2 / N, and 2 for the taper
