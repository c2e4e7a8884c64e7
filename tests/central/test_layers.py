"""The rooms of central: imports point downward only, and nothing comes from the agent."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.unit.test_layers import ROOT, imports_of

FLOORS: list[set[str]] = [
    {"types"},
    {"errors", "secrets", "output"},
    {"settings"},
    {"config", "ids", "batch", "urls"},
    {"log", "wording"},
    {"db"},
    {"repositories"},
    {"services"},
    {"mediamtx"},
    {"api"},
    {"daemon"},
    {"cli"},
]
"""From the ground up: a room may import from floors below its own, and from itself."""

ONLY_IN = {
    "aiohttp": {"api/", "mediamtx.py", "daemon.py"},
    "sqlalchemy": {"db/", "repositories/", "services/"},
    "alembic": {"db/"},
    "pydantic": {"config.py", "settings.py", "api/", "services/device_events.py", "wording.py"},
    "prometheus_client": {"api/"},
}
SQL_IN_SERVICES = {"sqlalchemy.exc.IntegrityError", "sqlalchemy.exc", "sqlalchemy.ext.asyncio"}
"""A service knows that a constraint was hurt, and hands sessions on; it says no SQL."""

LINES_LIMIT = 300

MODULES = sorted(path for path in (ROOT / "central").rglob("*.py") if "versions" not in path.parts)


def room_of(path: Path) -> str:
    return path.relative_to(ROOT / "central").parts[0].removesuffix(".py")


def floor_of(room: str) -> int:
    return next(number for number, rooms in enumerate(FLOORS) if room in rooms)


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(ROOT)))
def test_imports_point_downward(path: Path) -> None:
    """A room imports only what is below it, and nothing of the agent: what both sides speak is `cast_wire`."""
    room = room_of(path)
    if room == "__init__":
        return
    for name in imports_of(path):
        assert not name.startswith("agent"), f"{path} imports {name}"
        if name.startswith("central.") and (other := name.split(".")[1]) != room:
            assert floor_of(other) < floor_of(room), f"{room} may not import {other}"


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(ROOT)))
def test_libraries_stay_in_their_room(path: Path) -> None:
    """Services know no HTTP, routes no SQL."""
    inside = str(path.relative_to(ROOT / "central"))
    for name in imports_of(path):
        places = ONLY_IN.get(name.split(".")[0])
        assert places is None or any(inside.startswith(place) for place in places), f"{inside} imports {name}"
        if inside.startswith("services/") and name.startswith("sqlalchemy"):
            assert name in SQL_IN_SERVICES, f"{inside} imports {name}"


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(ROOT)))
def test_modules_are_short(path: Path) -> None:
    """A module that grows beyond this is more than one."""
    assert len(path.read_text().splitlines()) <= LINES_LIMIT


@pytest.mark.parametrize("path", sorted((ROOT / "cast_http").glob("*.py")), ids=lambda p: p.name)
def test_the_http_base_knows_neither_side(path: Path) -> None:
    """It imports itself and libraries; what is only about fields, of which errors are made, imports no library."""
    names = {name.split(".")[0] for name in imports_of(path)}
    assert not names & {"agent", "central", "cast_wire"}
    assert path.name != "fields.py" or names == {"__future__", "dataclasses"}


def test_the_wire_is_light() -> None:
    """Whoever imports it gets pydantic and nothing else of weight: the agent does not load a database for it."""
    code = "import sys, cast_wire.models; print(*sorted(sys.modules))"
    loaded = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, cwd=ROOT).stdout
    names = set(loaded.split())
    assert not names & {"aiohttp", "sqlalchemy", "central", "structlog", "vlc", "agent.daemon"}
    assert "agent" not in names
