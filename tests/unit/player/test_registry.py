"""The registry: another engine is one spec, which the pools, the doctor and /health read. Processes are scripted."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from agent.config.loader import Settings
from agent.config.settings import AudioSettings, PlayerSettings
from agent.doctor.engines import players as ask_players
from agent.doctor.findings import Level
from agent.errors import MediaError, PlayerUnavailableError
from agent.frontends.http.health import HealthAnswer
from agent.health import DisplayHealth
from agent.player.base import KillReason
from agent.player.confine import Confinement
from agent.player.engines import Engines
from agent.player.fallback import EngineChoice
from agent.player.ipc_client import WorkerPlayer
from agent.player.pool import PlayerPool
from agent.player.registry import ENGINES, MIB, EngineOptions, EngineSpec, Feature, table_of
from agent.snapshot import TrackerSnapshot
from agent.types import ErrorCode, MediaType, VideoOutput
from cast_util.health import Check
from tests.support.fakes import FakePlayers, FakeStage

PAGE = "http://panel.local/dashboard"


def scripted(engine: str) -> Callable[[EngineOptions], Callable[[], list[str]]]:
    return lambda _: lambda: [sys.executable, "-m", "tests.support.scripted_player", "behaves", "--engine", engine]


USUAL = tuple(
    replace(spec, client=WorkerPlayer, command=scripted(spec.name), is_installed=lambda: True, features={})
    for spec in ENGINES
    if spec.name != "chromium"
)
"""All but the one for pages."""
BROWSER = EngineSpec(
    name="chromium",
    title="Browser",
    client=WorkerPlayer,
    command=scripted("chromium"),
    advice="Check that the browser works.",
    install="Debian: apt install browser.",
    kinds=frozenset({MediaType.WEB}),
    schemes=frozenset({"http", "https"}),
    default_for=frozenset({MediaType.WEB}),
    features={"rtsp": Feature("drawing", "Pages are drawn fast.", "Pages are drawn slowly.", "Install a driver.")},
)


@asynccontextmanager
async def engines(*specs: EngineSpec) -> AsyncIterator[Engines]:
    table, stage = table_of(specs, {}), FakeStage(FakePlayers())
    options = EngineOptions(AudioSettings(), VideoOutput.AUTO, Confinement(folder="/nowhere", media_folders=()), table)
    made = Engines(
        [
            PlayerPool(spec, command=spec.command(options), display=lambda: ":1", open_window=stage.open_window)
            for spec in specs
        ],
        table=table,
    )
    await made.start()
    try:
        yield made
    finally:
        await made.stop()


def test_the_defaults_of_the_engines_are_those_of_the_configuration() -> None:
    """The configuration names them, for people to see; an engine that it does not know brings its own."""
    assert table_of(ENGINES, {}) == PlayerSettings().engines
    assert table_of((*ENGINES, BROWSER), {"rtsp": "vlc"})["rtsp"] == "vlc"
    assert table_of((*ENGINES, BROWSER), {"rtsp": "vlc"})["web"] == "chromium"


async def test_another_engine_is_asked_for_by_kind_of_media() -> None:
    """A web page is http, too: who asks for a page gets the engine for pages, and all else plays as before."""
    async with engines(*USUAL, BROWSER) as made:
        made.check(PAGE, kind=MediaType.WEB)
        page, stream = await EngineChoice(made, kind=MediaType.WEB).take(PAGE), await EngineChoice(made).take(PAGE)
        picture = await made.take("http://nas.local/a.jpg")
        assert (page.engine, stream.engine, picture.engine) == ("chromium", "vlc", "pillow")
        for player in (page, stream, picture):
            await player.kill(KillReason.ENDED)


async def test_an_engine_for_pages_is_not_tried_with_streams_nor_the_others_with_pages() -> None:
    """An address that vlc cannot play is tried by mpv, or shown by pillow; a page that fails has failed."""
    unknown = MediaError(ErrorCode.MEDIA_UNSUPPORTED, "This is no media.")
    picture = MediaError(ErrorCode.MEDIA_UNSUPPORTED, "This is a picture.", kind=MediaType.IMAGE)
    async with engines(*USUAL, BROWSER) as made:
        assert list(made.others(PAGE, unknown)) == ["mpv"]
        assert list(made.others(PAGE, picture)) == ["pillow", "mpv"]
        assert made.others(PAGE, unknown, kind=MediaType.WEB) == {}


async def test_pages_without_an_engine_for_them_are_refused() -> None:
    """A page for an engine that is not installed is refused, too, with what to install."""
    async with engines(*USUAL) as made:
        with pytest.raises(PlayerUnavailableError, match="No engine of this agent shows web pages"):
            made.check(PAGE, kind=MediaType.WEB)
    absent = replace(BROWSER, is_installed=lambda: False)
    for optional in (True, False):
        async with engines(*USUAL, replace(absent, is_optional=optional)) as made:
            assert ("apt install browser" in made.health.message) is not optional
    async with engines(*USUAL, absent) as made:
        with pytest.raises(PlayerUnavailableError) as refused:
            made.check(PAGE, kind=MediaType.WEB)
        assert str(refused.value) == (
            "Web pages are played by chromium. chromium is not installed (Debian: apt install browser)."
        )


async def test_health_groups_what_is_known_by_engine() -> None:
    """Each engine with what it plays and what it says of itself; the flat features stay for one release."""
    async with engines(*USUAL, BROWSER) as made:
        await (await made.take(PAGE, kind=MediaType.WEB)).kill(KillReason.ENDED)
        answer = HealthAnswer.of(
            TrackerSnapshot(), DisplayHealth(True), made.health, tasks=Check(), storage=Check(), cache=Check()
        ).model_dump()["checks"]["player"]
    assert list(answer["engines"]) == ["vlc", "pillow", "mpv", "chromium"]
    assert answer["engines"]["chromium"] == {
        "status": "ok",
        "message": "",
        "spare_ready": False,
        "version": "1.0",
        "plays": ("web",),
        "features": {"rtsp": False},
    }
    assert answer["engines"]["mpv"]["plays"] == ("rtmps", "rtsp", "rtsps")
    assert {"http", "file", "srt"} <= set(answer["engines"]["vlc"]["plays"])
    assert answer["engines"]["vlc"]["spare_ready"]
    assert {k: answer["features"][k] for k in ("vlc", "web", "chromium_rtsp")} == {
        "vlc": "1.0",
        "web": "chromium",
        "chromium_rtsp": False,
    }


async def test_the_doctor_asks_another_engine_too() -> None:
    """The doctor tells that the engine starts, which of its features are missing, and what to do about them."""
    found = {finding.name: finding for finding in await ask_players(Settings(), (*USUAL, BROWSER))}
    assert (found["chromium"].level, found["chromium"].found) == (Level.OK, "Browser 1.0 starts.")
    assert (found["drawing"].level, found["drawing"].advice) == (Level.WARN, "Install a driver.")
    absent = replace(BROWSER, is_installed=lambda: False)
    missing = {finding.name: finding for finding in await ask_players(Settings(), (*USUAL, absent))}["chromium"]
    assert missing.level is Level.WARN
    assert missing.found == "It is not installed. It is required for web pages."
    assert missing.advice == "Debian: apt install browser."
    optional = replace(absent, is_optional=True)
    unneeded = {finding.name: finding for finding in await ask_players(Settings(), (*USUAL, optional))}["chromium"]
    assert unneeded.level is Level.OK
    assert unneeded.found == "It is not installed. It is required for web pages only. Debian: apt install browser."


async def test_a_small_box_loads_pages_one_at_a_time() -> None:
    """/health says so; what is left decides anew each time."""
    left = 1400 * MIB
    installed = next(spec for spec in ENGINES if spec.name == "chromium")
    browser = replace(installed, client=WorkerPlayer, command=scripted("chromium"), is_installed=lambda: True)
    async with engines(*USUAL, replace(browser, memory=lambda: left)) as small:
        small.expect(PAGE, kind=MediaType.WEB)
        async with asyncio.timeout(5):
            while not (message := small.health.engines["chromium"].message):
                await asyncio.sleep(0.01)
        assert message.endswith("Web pages are loaded one at a time.")
        assert not small.has_room(PAGE, kind=MediaType.WEB)
        assert small.has_room("http://nas/film.mp4")
        left = 1600 * MIB
        assert small.has_room(PAGE, kind=MediaType.WEB)
