"""The rooms of ARCHITECTURE.md: imports point downward only, and some libraries stay in one room."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

FLOORS: list[set[str]] = [
    {"page_options"},
    {"types", "health"},
    {"errors", "snapshot"},
    {"util"},
    {"media"},
    {"config"},
    {"host"},
    {"events", "stage", "player"},
    {"access", "casting"},
    {"persistence", "frontends", "discovery", "reporting"},
    {"builders", "doctor"},
    {"daemon"},
    {"cli"},
]
"""From the ground up: a folder may import from floors below its own, and from itself."""

ONLY_IN = {
    "vlc": {"player/vlc/worker.py"},
    "xcffib": {"stage/", "player/pillow/"},
    "PIL": {"stage/", "player/pillow/", "util/ximage.py"},
    "segno": {"stage/card.py", "cli/pair.py"},
    "resvg_py": {"player/pillow/"},
    "aiohttp": {"frontends/http/", "frontends/dlna/", "builders/", "daemon.py", "reporting/"},
    "httpx": {"player/pillow/fetch.py"},
    "sqlite3": {"reporting/"},
    "uuid_utils": {"events/"},
    "zeroconf": {"discovery/"},
    "defusedxml": {"frontends/dlna/xml.py"},
    "aioesphomeapi": set(),  # a whole client; its generated messages are imported alone
    "google": {"frontends/esphome/"},
    "noise": {"frontends/esphome/"},
    "ifaddr": {"discovery/"},
    "pydantic": {
        *("config/", "frontends/http/", "access/keys.py", "casting/forms.py", "persistence/", "reporting/", "events/"),
    },
}

MODULES = sorted((ROOT / "agent").rglob("*.py"))


def room_of(path: Path) -> str:
    return path.relative_to(ROOT / "agent").parts[0].removesuffix(".py")


def floor_of(room: str) -> int:
    return next(number for number, rooms in enumerate(FLOORS) if room in rooms)


def imports_of(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are written in full"
            module = node.module or ""
            is_package = (ROOT / module.replace(".", "/")).is_dir()
            found |= {f"{module}.{alias.name}" for alias in node.names} if is_package else {module}
    return found


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(ROOT)))
def test_imports_point_downward(path: Path) -> None:
    """A room imports only what is below it."""
    room = room_of(path)
    if room == "__init__":
        return
    for name in imports_of(path):
        if not name.startswith("agent."):
            continue
        other = name.split(".")[1]
        if other in (room, "__version__"):
            continue
        allowed = floor_of(other) < floor_of(room)
        assert allowed, f"{room} may not import {other}"


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(ROOT)))
def test_libraries_stay_in_their_room(path: Path) -> None:
    """Only one room knows a library such as libVLC or X."""
    inside = str(path.relative_to(ROOT / "agent"))
    for name in imports_of(path):
        places = ONLY_IN.get(name.split(".")[0])
        assert places is None or any(inside.startswith(place) for place in places), f"{inside} imports {name}"


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(ROOT)))
def test_only_reporting_calls_out(path: Path) -> None:
    """Of aiohttp the API takes the server, and reporting the client; so do the events of DLNA, which are calls."""
    taken = {
        alias.name
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("aiohttp")
        for alias in node.names
    }
    in_reporting = room_of(path) == "reporting" or path.parts[-2:] == ("dlna", "events.py")
    assert in_reporting or not any(name.startswith(("Client", "TCPConnector")) for name in taken)
    assert not in_reporting or "web" not in taken


SHORT_TASKS = {
    "casting/runner.py",  # one session; whatever it raises ends the session with a reason
    "discovery/browser.py",  # a command's
    "discovery/local_names.py",  # one look
    "casting/last_frame.py",
    "frontends/esphome/server.py",  # one command of a client
    "casting/start_waiters.py",
    "player/mpv/relay.py",  # one connection of a camera
    "player/child.py",  # one process, which is given up when what watches it fails
    "reporting/central/link.py",  # the last word
    "host/signals.py",
    "stage/snapshots.py",  # one picture
    "casting/loudness.py",  # one player
    "casting/preparation.py",  # one attempt
    "util/waiting.py",
    "persistence/saver.py",  # one reading of a file
    "media/names.py",  # one look
}
"""Where tasks are begun that end by themselves, or whose end others wait for."""


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(ROOT)))
def test_long_lived_tasks_are_supervised(path: Path) -> None:
    """What runs for as long as the agent does is started by the Supervisor: it must not die unnoticed."""
    starts = {
        node.attr
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute) and node.attr in ("create_task", "ensure_future")
    }
    inside = str(path.relative_to(ROOT / "agent"))
    assert not starts or inside in SHORT_TASKS, "start it with Supervisor.start"


def test_a_player_process_stays_light() -> None:
    """A player process imports nothing of the daemon but the words, the pauses and its own engine."""
    allowed = ("vlc", "ipc", "channel", "confine", "machine", "reasons")
    for path in (ROOT / "agent" / "player" / "vlc").glob("*.py"):
        for name in imports_of(path):
            if name.startswith("agent."):
                rooms = (*(f"agent.player.{room}" for room in allowed), "agent.types")
                assert name.startswith(rooms)


def test_engines_know_nothing_of_each_other() -> None:
    """What two of them need is beside them; only the registry knows them all."""
    engines = {"vlc", "mpv", "pillow", "chromium"}
    for path in MODULES:
        parts = path.relative_to(ROOT / "agent").parts
        own = parts[1] if parts[0] == "player" and parts[1] in engines else None
        known = {name.split(".")[2] for name in imports_of(path) if name.startswith("agent.player.")} & engines
        assert known <= {own} or parts == ("player", "registry.py"), f"{path} imports {known}"
