"""The settings that a reload takes over, and those that it cannot."""

from __future__ import annotations

import os
import re
import threading
from pathlib import Path
from typing import Any, Final

import pytest

from agent import daemon
from agent.config.loader import LOADER, Settings
from agent.config.reload import RELOADABLE, Current
from agent.config.settings import ApiSettings, DeviceSettings, LogSettings, PlayerSettings
from agent.types import Quality
from agent.util import threads as threads_module

ROOT: Final = Path(__file__).parents[3]


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in os.environ:
        if name.upper().startswith("CAST_AGENT_"):
            monkeypatch.delenv(name)


def test_what_can_be_changed_is_in_force_and_the_rest_is_named() -> None:
    """Keys that only count at a start keep their value, and are named again at each reload until then."""
    first = Settings(device=DeviceSettings(name="Old"), api=ApiSettings(port=1000))
    wanted = Settings(
        device=DeviceSettings(name="New"),
        api=ApiSettings(port=2000, auth="none", allowed_hosts=("tv.example",)),
        player=PlayerSettings(quality=Quality.HD, start_timeout=3),
        log=LogSettings(level="debug"),
    )
    current = Current(first, lambda: wanted)
    done = current.take(wanted)
    assert set(done.changed) == {
        "api.auth",
        "api.allowed_hosts",
        "player.quality",
        "player.start_timeout",
        "log.level",
    }
    assert set(done.needs_restart) == {"device.name", "api.port"}
    now = current.settings
    assert (now.api.auth, now.api.allowed_hosts, now.api.port) == ("none", ("tv.example",), 1000)
    assert (now.player.quality, now.player.start_timeout, now.log.level) == (Quality.HD, 3, "debug")
    assert now.device.name == "Old"
    again = current.take(wanted)
    assert (again.changed, again.needs_restart) == ((), done.needs_restart)
    assert set(current.take(first).changed) == set(done.changed)
    assert current.settings == first


def test_every_reloadable_key_exists() -> None:
    """A key that was renamed would otherwise silently need a restart."""
    keys = {f"{section}.{key}" for section, content in Settings() for key, _ in content}
    assert keys | {section for section in Settings.model_fields if LOADER.is_repeated(section)} > RELOADABLE


def test_the_example_names_what_a_reload_takes_over() -> None:
    """At its top: each section, with the keys of those that are not repeated."""
    top = (ROOT / "config.example.toml").read_text().replace("\n#", "")
    sentence = re.search(r"it takes over (.*?);", top)
    assert sentence is not None
    named = re.findall(r"\[+(\w+)\]+((?: [a-z_]+,?)*)", sentence[1])
    keys = {(section, key) for section, words in named for key in re.findall(r"\w+", words) if key != "and"}
    repeated = {(section, "") for section, _ in named if LOADER.is_repeated(section)}
    assert {".".join(filter(None, each)) for each in keys | repeated} == RELOADABLE


async def test_a_system_without_threads_keeps_the_settings_from_before(monkeypatch: pytest.MonkeyPatch) -> None:
    """The current stream goes on: nobody asked for an end."""

    def no_thread(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    before = Settings()
    current = Current(before, lambda: Settings(device=DeviceSettings(name="Hall")))
    monkeypatch.setattr(threads_module, "_idle", [])
    monkeypatch.setattr(threading.Thread, "start", no_thread)
    nothing_told: Any = None
    await daemon._reload(current, nothing_told)
    assert current.settings is before
