"""The web pages' part of an agent, on a stage of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

from agent.config.settings import AudioSettings
from agent.player.confine import Confinement
from agent.player.pool import PlayerPool
from agent.player.registry import ENGINES, EngineOptions, table_of
from agent.stage.x11 import X11Stage
from agent.types import VideoOutput


@asynccontextmanager
async def browsers_on(display: str, folder: Path) -> AsyncIterator[tuple[X11Stage, PlayerPool, Mapping[str, str]]]:
    """A stage on the display, and browsers that draw on it, with their files in `folder`."""
    spec = replace(next(spec for spec in ENGINES if spec.name == "chromium"), spare_needs=0)
    table = table_of([spec], {})
    options = EngineOptions(AudioSettings(output="none"), VideoOutput.AUTO, Confinement(folder=str(folder)), table)
    stage = X11Stage(display, "black")
    pool = PlayerPool(
        spec,
        command=spec.command(options),
        display=lambda: display,
        open_window=stage.open_window,
        adopt=stage.adopt,
    )
    await stage.start()
    await pool.start()
    try:
        yield stage, pool, table
    finally:
        await pool.stop()
        await stage.stop()
