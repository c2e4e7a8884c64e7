"""The check of presets: whether each can be played, as far as its fields tell."""

from __future__ import annotations

import asyncio

from agent.casting.presets import Preset, Presets
from agent.config.loader import Settings
from agent.doctor.bounds import CHECK_TIMEOUT_S
from agent.doctor.findings import Finding, Level
from agent.media.policy import MediaChecks
from agent.media.urls import MediaPolicy
from agent.persistence.entry_file import PRESETS_FILE, EntryFile

_NAME = "presets"


async def presets(settings: Settings) -> list[Finding]:
    """A line for each that cannot be played, or one when all can; none when there are none."""
    checks = MediaChecks(MediaPolicy(settings.player.allowed_schemes, settings.player.media_folders))
    configured = [preset.model_dump(exclude_unset=True) for preset in settings.preset]
    own = Presets(EntryFile(settings.state.directory() / PRESETS_FILE), configured=lambda: configured, policy=checks)
    try:
        async with asyncio.timeout(CHECK_TIMEOUT_S):
            await own.look()
            known = await own.all()
    except TimeoutError:
        return [Finding(Level.WARN, _NAME, f"The saved ones could not be read within {CHECK_TIMEOUT_S:.0f} s.")]
    found = [_broken(preset) for preset in known.presets if preset.problem is not None]
    if known.problem is not None:
        found.append(Finding(Level.WARN, _NAME, known.problem))
    if found or not known.presets:
        return found
    count = len(known.presets)
    return [Finding(Level.OK, _NAME, "The preset can be played." if count == 1 else f"All {count} can be played.")]


def _broken(preset: Preset) -> Finding:
    return Finding(Level.WARN, _NAME, f"{preset.id} cannot be played: {preset.problem}", f"Correct it {preset.where}.")
