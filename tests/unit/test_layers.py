"""The rooms of ARCHITECTURE.md: imports point downward only, and some libraries stay in one room."""

from __future__ import annotations

import ast
import functools
from graphlib import TopologicalSorter
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

FLOORS: list[set[str]] = [
    {"page_options", "raw_picture"},
    {"types", "health"},
    {"errors", "snapshot"},
    {"util"},
    {"media"},
    {"config"},
    {"host"},
    {"events", "stage", "player"},
    {"access", "casting"},
    {"library"},
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
    "httpx": {"player/web.py", "player/pillow/fetch.py", "player/camera/http_source.py"},
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


@functools.cache
def nodes_of(path: Path) -> tuple[ast.AST, ...]:
    return tuple(ast.walk(ast.parse(path.read_text())))


@functools.cache
def imports_of(path: Path) -> frozenset[str]:
    found: set[str] = set()
    for node in nodes_of(path):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are written in full"
            module = node.module or ""
            is_package = (ROOT / module.replace(".", "/")).is_dir()
            found |= {f"{module}.{alias.name}" for alias in node.names} if is_package else {module}
    return frozenset(found)


def test_imports_point_downward() -> None:
    """A room imports only what is below it."""
    for path in MODULES:
        room = room_of(path)
        if room == "__init__":
            continue
        for name in imports_of(path):
            if not name.startswith("agent."):
                continue
            other = name.split(".")[1]
            if other in (room, "__version__"):
                continue
            allowed = floor_of(other) < floor_of(room)
            assert allowed, f"{room} may not import {other}"


def test_libraries_stay_in_their_room() -> None:
    """Only one room knows a library such as libVLC or X."""
    for path in MODULES:
        inside = str(path.relative_to(ROOT / "agent"))
        for name in imports_of(path):
            places = ONLY_IN.get(name.split(".")[0])
            assert places is None or any(inside.startswith(place) for place in places), f"{inside} imports {name}"


def test_only_reporting_calls_out() -> None:
    """The API takes the server of aiohttp, and reporting the client; so do the events of DLNA, which are calls."""
    for path in MODULES:
        taken = {
            alias.name
            for node in nodes_of(path)
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("aiohttp")
            for alias in node.names
        }
        in_reporting = room_of(path) == "reporting" or path.parts[-2:] == ("dlna", "events.py")
        assert in_reporting or not any(name.startswith(("Client", "TCPConnector")) for name in taken), path
        assert not in_reporting or "web" not in taken, path


SHORT_TASKS = {
    "casting/runner.py",  # one session; whatever it raises ends the session with a reason
    "discovery/browser.py",  # a command's
    "discovery/local_names.py",  # one look
    "casting/last_frame.py",
    "casting/still.py",  # one picture
    "frontends/esphome/server.py",  # one command of a client
    "casting/start_waiters.py",
    "player/ffmpeg/relay.py",  # one connection of a camera
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
"""The places that begin tasks which end by themselves, or whose end others wait for."""


def test_long_lived_tasks_are_supervised() -> None:
    """A task that runs for as long as the agent is started by the Supervisor: it must not die unnoticed."""
    for path in MODULES:
        starts = {
            node.attr
            for node in nodes_of(path)
            if isinstance(node, ast.Attribute) and node.attr in ("create_task", "ensure_future")
        }
        inside = str(path.relative_to(ROOT / "agent"))
        assert not starts or inside in SHORT_TASKS, f"{path}: start it with Supervisor.start"


def test_a_player_process_stays_light() -> None:
    """A player process imports nothing of the daemon but the words, the pauses and its own engine."""
    allowed = ("vlc", "ipc", "channel", "confine", "machine", "reasons")
    for path in (ROOT / "agent" / "player" / "vlc").glob("*.py"):
        for name in imports_of(path):
            if name.startswith("agent."):
                rooms = (*(f"agent.player.{room}" for room in allowed), "agent.types")
                assert name.startswith(rooms)


def test_engines_know_nothing_of_each_other() -> None:
    """Code that two engines need is beside them; only the registry knows them all."""
    engines = {"vlc", "mpv", "pillow", "chromium"}
    for path in MODULES:
        parts = path.relative_to(ROOT / "agent").parts
        own = parts[1] if parts[0] == "player" and parts[1] in engines else None
        known = {name.split(".")[2] for name in imports_of(path) if name.startswith("agent.player.")} & engines
        assert known <= {own} or parts == ("player", "registry.py"), f"{path} imports {known}"


LINES_LIMIT = 300
FUNCTION_LIMIT = 60
PARAMETERS_LIMIT = 7
OURS = sorted(
    path
    for package in ("agent", "cast_http", "cast_util", "cast_wire", "central")
    for path in (ROOT / package).rglob("*.py")
    if "versions" not in path.parts
)


def test_no_modules_import_each_other_in_a_circle() -> None:
    """Imports inside functions count, too."""
    names = {".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path for path in OURS}
    graph = {
        name: {each if each in names else each.rpartition(".")[0] for each in imports_of(path)} & names.keys() - {name}
        for name, path in names.items()
    }
    assert sum(map(len, graph.values())) > len(names)
    TopologicalSorter(graph).prepare()  # raises CycleError, which names the circle


def test_modules_functions_and_constructors_are_short() -> None:
    """One that grows beyond this is more than one."""
    for path in OURS:
        assert len(path.read_text().splitlines()) <= LINES_LIMIT, path
        for node in nodes_of(path):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                place = f"{path}: {node.name}, line {node.lineno}"
                assert (node.end_lineno or 0) - node.lineno < FUNCTION_LIMIT, place
                parameters = [*node.args.args[1:], *node.args.kwonlyargs]
                assert node.name != "__init__" or len(parameters) <= PARAMETERS_LIMIT, place
