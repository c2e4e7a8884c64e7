"""`cast-agent key` as a person or a script runs it."""

from __future__ import annotations

import asyncio
import json
import os
import re
from collections.abc import AsyncIterator
from io import StringIO
from pathlib import Path

import pytest

from agent.access.keys import KeyFile
from agent.cli import main
from agent.config import loader as config
from agent.config.loader import settings_beside
from agent.config.settings import ApiSettings, LogSettings
from agent.host import log
from tests.support.api import Served, served

Output = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in os.environ:
        if name.upper().startswith("CAST_AGENT_") or name in ("INVOCATION_ID", "STATE_DIRECTORY"):
            monkeypatch.delenv(name)


@pytest.fixture(autouse=True)
def _log_elsewhere() -> None:
    log.configure(LogSettings(), stream=StringIO())  # that of the API which is served in this process


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Served]:
    async with served(folder=tmp_path) as api:
        yield api


def write_config(folder: Path, *, port: int = 1, auth: str = "keys", state: Path | None = None) -> str:
    file = folder / "config.toml"
    file.write_text(f'[api]\nport = {port}\nauth = "{auth}"\n[state]\ndir = "{state or folder}"\n')
    return str(file)


async def key(*arguments: str) -> int:
    """Run it in a thread, so that an API served here can answer it."""
    return await asyncio.to_thread(main, ["key", *arguments])


async def test_add_shows_the_key_alone_to_a_script(api: Served, tmp_path: Path, capsys: Output) -> None:
    """Standard output has the key, standard error what it is, how to send it and that the agent knows it."""
    configured = write_config(tmp_path, port=api.port)
    assert await key("add", "ha", "--config", configured) == 0
    out, err = capsys.readouterr()
    assert re.fullmatch(r"cak_[\w-]{43}\n", out)
    assert "Authorization: Bearer" in err
    assert "knows it already" in err
    assert out.strip() not in err
    async with api.client.get("/status", headers={"X-API-Key": out.strip()}) as answer:
        assert answer.status == 200
    assert KeyFile(tmp_path).read()[0].last_used_at is None  # looking whether it works is no use
    assert await key("add", "second", "--json", "--config", configured) == 0
    out, err = capsys.readouterr()
    assert json.loads(out)["name"] == "second"
    assert "knows it already" in err


@pytest.mark.parametrize("had_keys", [False, True])
async def test_add_tells_when_the_agent_looks_elsewhere(
    api: Served, tmp_path: Path, capsys: Output, had_keys: bool
) -> None:
    """A key that was made where the agent on this machine does not look helps nobody, and that is said."""
    if had_keys:
        KeyFile(tmp_path).add("theirs")
    configured = write_config(tmp_path, port=api.port, state=tmp_path / "elsewhere")
    assert await key("add", "ha", "--config", configured) == 0
    assert "--config FILE" in capsys.readouterr().err


async def test_add_tells_when_nobody_needs_a_key(tmp_path: Path, capsys: Output) -> None:
    """With auth "none" a key closes nothing."""
    async with served(folder=tmp_path, settings=ApiSettings(auth="none")) as api:
        assert await key("add", "a", "--config", write_config(tmp_path, port=api.port)) == 0
        assert 'set auth = "keys"' in capsys.readouterr().err


async def test_add_without_an_agent(tmp_path: Path, capsys: Output) -> None:
    """The key is made all the same."""
    assert await key("add", "ha", "--config", write_config(tmp_path)) == 0
    assert "No agent answers" in capsys.readouterr().err


async def test_a_kept_key_is_that_of_this_machines_commands(api: Served, tmp_path: Path, capsys: Output) -> None:
    """With --keep the commands on this machine need no more to be let in, until the key is revoked; others' keys
    leave it alone, and it is sent to no other agent."""
    configured = write_config(tmp_path, port=api.port)
    status = ["status", "--config", configured]
    assert await key("add", "other", "--config", configured) == 0
    assert await asyncio.to_thread(main, status) == 77
    assert await key("add", "here", "--keep", "--config", configured) == 0
    assert (tmp_path / "cli-key").stat().st_mode & 0o777 == 0o600
    assert await asyncio.to_thread(main, status) == 0
    assert await asyncio.to_thread(main, [*status, "--on", f"127.0.0.1:{api.port}"]) == 77
    assert await key("revoke", "other", "--config", configured) == 0
    assert await asyncio.to_thread(main, status) == 0
    assert await key("add", "third", "--config", configured) == 0
    assert await key("revoke", "here", "--config", configured) == 0
    assert not (tmp_path / "cli-key").exists()
    assert await asyncio.to_thread(main, status) == 77
    assert "--keep" in capsys.readouterr().err


async def test_list(tmp_path: Path, capsys: Output) -> None:
    """Names and times for people, and the same for scripts, without a hash; none at all says what that means."""
    configured = write_config(tmp_path)
    assert await key("list", "--config", configured) == 0
    out, err = capsys.readouterr()
    assert (out, "cast-agent key add NAME" in err) == ("", True)
    KeyFile(tmp_path).add("home-assistant")
    KeyFile(tmp_path).add("tv")
    assert await key("list", "--config", configured) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("NAME")
    assert re.fullmatch(r"home-assistant +\d{4}-\d\d-\d\d \d\d:\d\d +never", lines[1])
    assert await key("list", "--json", "--config", configured) == 0
    listed = json.loads(capsys.readouterr().out)
    assert [entry["name"] for entry in listed] == ["home-assistant", "tv"]
    assert set(listed[0]) == {"name", "created_at", "last_used_at"}


async def test_revoke(tmp_path: Path, capsys: Output) -> None:
    """The last one leads back to protected mode; one that is not there is exit code 1."""
    configured = write_config(tmp_path)
    for name in ("a", "b"):
        KeyFile(tmp_path).add(name)
    assert await key("revoke", "a", "--config", configured) == 0
    assert "protected mode" not in capsys.readouterr().err
    assert await key("revoke", "b", "--config", configured) == 0
    assert "protected mode" in capsys.readouterr().err
    assert await key("revoke", "b", "--config", configured) == 1
    assert "There is no key 'b'" in capsys.readouterr().err


def test_whose_keys_they_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a file they are those of the installed agent, for who may change them; for others those of an agent of
    their own; with a file, those of the agent that reads it."""
    service, own = tmp_path / "service", tmp_path / "own"
    installed, named = tmp_path / "installed.toml", tmp_path / "named.toml"
    named.write_text("")
    allowed = {service, installed}
    monkeypatch.setattr(config, "SYSTEM_STATE", service)
    monkeypatch.setattr(config, "SYSTEM_CONFIG", installed)
    monkeypatch.setattr(os, "access", lambda path, mode: path in allowed and path.exists())
    monkeypatch.setenv("XDG_STATE_HOME", str(own))

    def folder(path: Path | None = None) -> Path:
        return settings_beside(path).state.directory()

    assert folder() == own / "cast-agent"  # nothing is installed
    service.mkdir()
    assert folder() == service
    assert folder(named) == own / "cast-agent"
    installed.write_text('[state]\ndir = "/srv/state"\n')
    assert folder() == Path("/srv/state")
    allowed.clear()
    assert folder() == own / "cast-agent"
    named.write_text('[state]\ndir = "/srv/named"\n')
    assert folder(named) == Path("/srv/named")
