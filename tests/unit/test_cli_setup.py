"""`cast-agent setup` as a person with a new box runs it."""

from __future__ import annotations

import os
import re
import stat
from ipaddress import ip_address
from pathlib import Path

import pytest

from agent.cli import main, setup
from agent.cli.home_assistant import Box, package
from agent.config import load_settings
from agent.discovery.interfaces import Interface
from agent.keys import KeyFile, KeyRing

Output = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def _one_network(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in os.environ:
        if name.upper().startswith("CAST_AGENT_") or name in ("INVOCATION_ID", "STATE_DIRECTORY"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setattr(setup, "lan_interfaces", lambda _: (Interface("eth0", (ip_address("192.168.1.20"),)),))


def test_a_new_box_gets_a_configuration_a_key_and_a_package(tmp_path: Path, capsys: Output) -> None:
    file = tmp_path / "etc" / "config.toml"
    assert main(["setup", "--name", "Living room", "--config", str(file)]) == 0
    assert load_settings(file).device.name == "Living room"
    assert stat.S_IMODE(file.stat().st_mode) == 0o644
    out, err = capsys.readouterr()
    assert out.endswith(package(Box("Living room", "http://192.168.1.20:8090")))
    found = re.search(r'^living_room_cast_authorization: "Bearer (cak_[\w-]{43})"$', out, re.MULTILINE)
    assert found is not None
    assert found[1] not in err + file.read_text()
    ring = KeyRing(KeyFile(tmp_path / "state" / "cast-agent"))
    ring.look()
    known = ring.find(found[1])
    assert known is not None
    assert known.name == "home-assistant"


def test_run_again_it_changes_nothing_and_says_how_to_go_on(tmp_path: Path, capsys: Output) -> None:
    file = tmp_path / "config.toml"
    file.write_text('[device]\nname = "Hall"\n[api]\nport = 9000\n')
    assert main(["setup", "--config", str(file)]) == 0
    before = capsys.readouterr().out
    assert "http://192.168.1.20:9000/start" in before
    assert main(["setup", "--config", str(file)]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert "--no-key" in err
    assert "--key-name" in err
    assert main(["setup", "--no-key", "--config", str(file)]) == 0
    assert capsys.readouterr().out == before[before.index("# Into packages") :]
    assert len(KeyFile(tmp_path / "state" / "cast-agent").read()) == 1


def test_of_a_configuration_that_is_there_only_the_name_is_changed(tmp_path: Path, capsys: Output) -> None:
    example = (Path(__file__).parents[2] / "config.example.toml").read_text()
    file = tmp_path / "config.toml"
    file.write_text(example)
    assert main(["setup", "--name", "Küche", "--config", str(file)]) == 0
    assert load_settings(file).device.name == "Küche"
    assert [line for line in file.read_text().splitlines() if line not in example.splitlines()] == ['name = "Küche"']
    for bad in ("", "x" * 100):
        before = file.read_text()
        assert main(["setup", "--name", bad, "--config", str(file)]) == 78
        assert file.read_text() == before


def test_a_box_that_lets_everybody_in_needs_no_key(tmp_path: Path, capsys: Output) -> None:
    file = tmp_path / "config.toml"
    file.write_text('[device]\nname = "Hall"\n[api]\nauth = "none"\n')
    assert main(["setup", "--config", str(file)]) == 0
    out = capsys.readouterr().out
    assert "secret" not in out
    assert KeyFile(tmp_path / "state" / "cast-agent").read() == ()


def test_where_it_cannot_write_it_says_so(tmp_path: Path, capsys: Output) -> None:
    (tmp_path / "file").touch()
    assert main(["setup", "--config", str(tmp_path / "file" / "config.toml")]) == 66
    assert "cannot be written" in capsys.readouterr().err


def test_a_box_without_a_network_says_what_to_fill_in(
    tmp_path: Path, capsys: Output, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(setup, "lan_interfaces", lambda _: ())
    assert main(["setup", "--config", str(tmp_path / "config.toml")]) == 0
    out, err = capsys.readouterr()
    assert "http://ADDRESS-OF-THE-BOX:8090/start" in out
    assert "in no network" in err
