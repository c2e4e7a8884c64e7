"""Web pages in windows that are smaller than the screen, in the real browser."""

from __future__ import annotations

import asyncio
import math
from pathlib import Path

import pytest

from agent.player.base import KillReason, Media, Player
from agent.player.chromium.command import is_installed
from agent.player.pool import PlayerPool
from agent.stage.base import Layer, Place
from agent.stage.x11 import X11Stage
from agent.types import Quality
from tests.support.browsers import browsers_on
from tests.support.colours import PALETTE
from tests.support.screen import Screen
from tests.support.tools import until
from tests.support.web_pages import WebPages
from tests.support.xserver import XServer

pytestmark = pytest.mark.skipif(
    not is_installed(), reason="NOT TRIED: no Chromium here; scripts/setup.sh test installs it"
)

SHOWN_S = 20.0
"""A browser that is started first has painted after 2 s on a machine that does nothing else."""

BEAT = 9 * 9
"""Pixels in the corner of each page that are black and white in turn."""

PLACES = {
    "red": (Place(width=0.5), Layer.STREAM),
    "green": (Place(0.5, 0.0, 0.5, 0.5), Layer.STREAM),
    "blue": (Place(0.5, 0.5, 0.5, 0.5), Layer.STREAM),
    "cyan": (Place(0.75, 0.75, 0.25, 0.25), Layer.OVERLAY),
}


async def show(stage: X11Stage, pool: PlayerPool, url: str, place: Place, layer: Layer) -> Player:
    window = await stage.open_window(layer=layer, place=place)
    player = await pool.take()
    await player.load(Media(url, Quality.AUTO, 1.0, False), window.xid)
    await player.opened()
    await window.first_pixel(pictures=lambda: player.progress.pictures)
    await window.show()
    return player


async def test_pages_fill_their_places_beside_one_another(xserver: XServer, screen: Screen, tmp_path: Path) -> None:
    """Each to its edges, and in no other's place; one on the layer above covers only its own."""
    whole = math.prod(screen.size())
    parts = {"red": whole // 2, "green": whole // 4, "blue": whole // 4 - whole // 16, "cyan": whole // 16}
    expected = {(pixels - BEAT, PALETTE[colour]) for colour, pixels in parts.items()}
    with WebPages() as pages:
        async with asyncio.timeout(5 * SHOWN_S), browsers_on(xserver.display, tmp_path) as (stage, pool, _):
            players = [
                await show(stage, pool, pages.url(f"/plain/{colour}"), place, layer)
                for colour, (place, layer) in PLACES.items()
            ]
            await until(
                lambda: expected <= set(screen.grab().getcolors() or ()),
                timeout_s=SHOWN_S,
                what="each fills its place",
            )
            for player in players:
                await player.kill(KillReason.ENDED)
