"""The rooms of central: imports point downward only, and nothing comes from the agent."""

from __future__ import annotations

import json
import subprocess
import sys

from tests.unit.test_layers import ROOT, imports_of

CORE: list[set[str]] = [
    {"types"},
    {"errors", "secrets"},
    {"ids", "batch", "settings", "limits", "threads", "cache", "wakes"},
    {"pages", "shared", "redis_cache", "rabbit_wakes"},
    {"log", "wording", "fields"},
    {"models", "replies", "uploads", "db"},
    {"operations"},
    {"access", "forgetting", "workers"},
    {"feature"},
    {"http"},
]
"""The floors of `core`, from the ground up: a room may import from floors below its own, and from itself."""

FEATURES: dict[str, set[str]] = {
    "streams": set(),
    "devices": {"streams"},
    "media": {"streams"},
    "library": set(),
    "live": {"library", "media", "streams"},
    "analytics": {"library"},
    "page": set(),
}
"""Each feature, and which others it may import beside `core`."""

ABOVE = (
    *("locks", "settings", "config", "servers", "system", "description", "daemon", "worker"),
    *("progress", "archive", "backup", "restore", "cli"),
)
"""The modules that know the features, from the ground up."""

ONLY_IN = {
    "aiobotocore": {"library/s3.py"},
    "aiohttp": {"core/http/", "library/s3.py", "media/mediamtx.py", "daemon.py"},
    "aiohttp_sse": {"core/http/"},
    "alembic": {"core/db/"},
    "aio_pika": {"core/rabbit_wakes.py"},
    "botocore": {"library/s3.py"},
    "prometheus_client": {"core/http/"},
    "redis": {"core/redis_cache.py"},
}
SQL_IN_SERVICES = {"sqlalchemy.exc.IntegrityError", "sqlalchemy.exc", "sqlalchemy.ext.asyncio"}
"""A service knows that a constraint was hurt, and hands sessions on; it says no SQL."""

MODULES = sorted(path for path in (ROOT / "central").rglob("*.py") if "versions" not in path.parts)


def parts_of(name: str) -> list[str]:
    """The rooms of a module of ours, from the outermost on."""
    return name.split(".")[1:]


def floor_of(room: str, floors: list[set[str]]) -> int:
    return next(number for number, rooms in enumerate(floors) if room in rooms)


def may_import(importer: list[str], other: list[str]) -> bool:
    """`importer` and `other` are as `parts_of` has them."""
    room, wanted = importer[0], other[0]
    if room == "core":
        if wanted != "core":
            return False
        inner, outer = importer[1], other[1]
        return inner == outer or floor_of(outer, CORE) < floor_of(inner, CORE)
    if room in FEATURES:
        return wanted in {"core", room} | FEATURES[room]
    if wanted in ABOVE:
        return ABOVE.index(wanted) < ABOVE.index(room)
    return True


def test_imports_point_downward() -> None:
    """Core imports no feature, a feature core and those that it declares, and none of them anything of the agent."""
    for path in MODULES:
        importer = list(path.relative_to(ROOT / "central").with_suffix("").parts)
        if path.name == "__init__.py":
            assert not imports_of(path) - {"__future__"}, path
            continue
        for name in imports_of(path):
            assert not name.startswith("agent"), f"{path} imports {name}"
            if name.startswith("central."):
                assert may_import(importer, parts_of(name)), f"{path} may not import {name}"


def test_every_folder_has_a_place() -> None:
    """A new feature says which others it needs."""
    folders = {path.name for path in (ROOT / "central").iterdir() if path.is_dir() and path.name != "__pycache__"}
    assert folders == FEATURES.keys() | {"core"}


def test_libraries_stay_in_their_room() -> None:
    """Services know no HTTP, calls no SQL."""
    for path in MODULES:
        inside = str(path.relative_to(ROOT / "central"))
        says_sql = path.name.endswith("repository.py") or path.name == "tables.py" or inside.startswith("core/db/")
        for name in imports_of(path):
            places = ONLY_IN.get(name.split(".")[0])
            assert places is None or any(inside.startswith(place) for place in places), f"{inside} imports {name}"
            if name.startswith("sqlalchemy") and not says_sql:
                assert name in SQL_IN_SERVICES, f"{inside} imports {name}"
                assert not path.name.endswith("calls.py"), f"{inside} imports {name}"


def test_the_http_base_knows_neither_side() -> None:
    """It imports itself and libraries; what is only about fields, of which errors are made, imports no library."""
    for path in sorted((ROOT / "cast_http").glob("*.py")):
        names = {name.split(".")[0] for name in imports_of(path)}
        assert not names & {"agent", "central", "cast_wire"}, path
        assert path.name != "fields.py" or names == {"__future__", "dataclasses"}, path


def test_what_both_programs_need_knows_neither() -> None:
    """Nor anything of HTTP, or of what they say to each other; the settings alone are pydantic's."""
    for path in sorted((ROOT / "cast_util").glob("*.py")):
        names = {name.split(".")[0] for name in imports_of(path)}
        assert not names & {"agent", "central", "cast_http", "cast_wire", "aiohttp", "sqlalchemy"}, path
        assert {"pydantic", "pydantic_settings"} & names == (
            {"pydantic", "pydantic_settings"} if path.name == "settings.py" else set()
        ), path


def test_the_wire_is_light() -> None:
    """Whoever imports it gets pydantic and nothing else of weight: the agent does not load a database for it."""
    code = "import sys, cast_wire.models; print(*sorted(sys.modules))"
    loaded = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, cwd=ROOT).stdout
    names = set(loaded.split())
    assert not names & {"aiohttp", "sqlalchemy", "central", "structlog", "vlc", "agent.daemon"}
    assert "agent" not in names


def test_central_starts_without_what_the_agent_needs() -> None:
    """It is installed on servers, which have no screen and no player."""
    missing = ("vlc", "xcffib", "zeroconf", "agent")
    code = f"import sys; sys.modules.update(dict.fromkeys({missing})); from central.cli import main; main(['openapi'])"
    made = subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT, capture_output=True)
    assert json.loads(made.stdout)["paths"]
