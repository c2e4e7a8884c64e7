"""`cast-agent setup` as a person with a new box runs it."""

from __future__ import annotations

import argparse
import asyncio
import grp
import os
import re
import stat
from io import StringIO
from ipaddress import IPv4Network, ip_address
from pathlib import Path

import pytest

from agent.access.key_ring import KeyRing
from agent.access.keys import KeyFile
from agent.cli import dlna, kept_key, main, setup
from agent.cli.home_assistant import Box, package
from agent.cli.target import agent_of
from agent.config import loader as config
from agent.config.loader import load_settings
from agent.discovery.interfaces import Interface
from tests.support.api import served

Output = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def _one_network(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in os.environ:
        if name.upper().startswith("CAST_AGENT_") or name in ("INVOCATION_ID", "STATE_DIRECTORY"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    network = Interface("eth0", (ip_address("192.168.1.20"),), (IPv4Network("192.168.1.0/24"),))
    for module in (setup, dlna):
        monkeypatch.setattr(module, "lan_interfaces", lambda _: (network,))


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


async def test_the_commands_on_the_box_have_a_key_afterwards(tmp_path: Path, capsys: Output) -> None:
    """Once callers need a key, `status` on the box itself still needs no more; who may read the key is who may make
    keys."""
    folder = tmp_path / "state" / "cast-agent"
    folder.mkdir(parents=True)
    async with served(folder=folder) as api:
        file = tmp_path / "config.toml"
        file.write_text(f"[api]\nport = {api.port}\n")
        assert await asyncio.to_thread(main, ["setup", "--config", str(file)]) == 0
        out, err = capsys.readouterr()
        kept = (folder / "cli-key").read_text().strip()
        assert kept not in out + err
        assert stat.S_IMODE((folder / "cli-key").stat().st_mode) == 0o600
        assert await asyncio.to_thread(main, ["status", "--config", str(file)]) == 0
        assert await asyncio.to_thread(main, ["setup", "--key-name", "other", "--config", str(file)]) == 0
    assert (folder / "cli-key").read_text().strip() == kept
    assert [key.name for key in KeyFile(folder).read()] == ["home-assistant", "here", "other"]


def test_the_administrators_of_the_box_may_read_its_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On an installed box it is kept a second time, for root and the group sudo alone: `status` needs no sudo then. It
    goes when the key is revoked."""
    etc, state = tmp_path / "etc", tmp_path / "state" / "cast-agent"
    etc.mkdir()
    monkeypatch.setattr(config, "SYSTEM_CONFIG", etc / "config.toml")
    monkeypatch.setattr(setup, "SYSTEM_CONFIG", etc / "config.toml")
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(os, "fchown", lambda *_: None)  # for who runs the tests without being root
    monkeypatch.setattr(kept_key, "ADMINS", grp.getgrgid(os.getgid()).gr_name)
    (etc / "config.toml").write_text(f'[state]\ndir = "{state}"\n')
    assert main(["setup"]) == 0
    assert (etc / "cli-key").read_text() == (state / "cli-key").read_text()
    assert stat.S_IMODE((etc / "cli-key").stat().st_mode) == 0o640
    (state / "cli-key").unlink()  # as for who may not look into the state directory
    agent = agent_of(argparse.Namespace(on=None, key_file=None, config=None))
    assert agent.key == (etc / "cli-key").read_text().strip()
    assert main(["key", "revoke", "here"]) == 0
    assert not (etc / "cli-key").exists()


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
    assert [key.name for key in KeyFile(tmp_path / "state" / "cast-agent").read()] == ["home-assistant", "here"]


def test_of_a_configuration_that_is_there_only_the_name_is_changed(tmp_path: Path, capsys: Output) -> None:
    example = (Path(__file__).parents[3] / "config.example.toml").read_text()
    file = tmp_path / "config.toml"
    file.write_text(example)
    assert main(["setup", "--name", "Küche", "--config", str(file)]) == 0
    assert load_settings(file).device.name == "Küche"
    assert [line for line in file.read_text().splitlines() if line not in example.splitlines()] == ['name = "Küche"']
    for bad in ("", "x" * 100):
        before = file.read_text()
        assert main(["setup", "--name", bad, "--config", str(file)]) == 78
        assert file.read_text() == before


@pytest.mark.parametrize(
    ("who", "enabled", "allow"),
    [
        ("off", False, ()),
        ("lan", True, ("192.168.1.0/24",)),
        ("192.168.1.30, 10.0.0.0/8", True, ("192.168.1.30/32", "10.0.0.0/8")),
    ],
)
def test_dlna_is_for_who_is_named(tmp_path: Path, who: str, enabled: bool, allow: tuple[str, ...]) -> None:
    file = tmp_path / "config.toml"
    assert main(["setup", "--no-key", "--dlna", who, "--config", str(file)]) == 0
    made = load_settings(file).dlna
    assert (made.enabled, made.allow) == (enabled, allow)


def test_who_is_no_address_may_not_call(tmp_path: Path, capsys: Output) -> None:
    file = tmp_path / "config.toml"
    assert main(["setup", "--dlna", "everybody", "--config", str(file)]) == 78
    assert "neither an IP address nor a network" in capsys.readouterr().err
    assert not load_settings(file).dlna.enabled


def test_a_person_is_asked_once_about_dlna(tmp_path: Path, capsys: Output, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only a person is asked: a script that has no answer would wait for ever."""
    file = tmp_path / "config.toml"
    command = ["setup", "--no-key", "--config", str(file)]

    def asked(answer: str, *, is_terminal: bool = True) -> bool:
        terminal = StringIO(answer)
        monkeypatch.setattr(terminal, "isatty", lambda: is_terminal)
        monkeypatch.setattr("sys.stdin", terminal)
        assert main(command) == 0
        return "DLNA has no keys" in capsys.readouterr().err

    assert not asked("lan\n", is_terminal=False)
    assert asked("")  # the end of the input
    assert "dlna" not in load_settings(file).model_fields_set
    assert asked("lan\n")
    assert load_settings(file).dlna.allow == ("192.168.1.0/24",)
    assert not asked("\n")


def test_nobody_restarts_the_agent_for_what_is_so_already(tmp_path: Path, capsys: Output) -> None:
    """To have DLNA off is written down, so that nobody is asked again, and changes nothing."""
    command = ["setup", "--no-key", "--config", str(tmp_path / "config.toml"), "--dlna"]
    assert main([*command, "off"]) == 0
    assert "restarted" not in capsys.readouterr().err
    assert "dlna" in load_settings(tmp_path / "config.toml").model_fields_set
    assert main([*command, "lan"]) == 0
    assert "[dlna] enabled" in capsys.readouterr().err


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
    for module in (setup, dlna):
        monkeypatch.setattr(module, "lan_interfaces", lambda _: ())
    assert main(["setup", "--config", str(tmp_path / "config.toml")]) == 0
    out, err = capsys.readouterr()
    assert "http://ADDRESS-OF-THE-BOX:8090/start" in out
    assert "in no network" in err
    assert main(["setup", "--no-key", "--dlna", "lan", "--config", str(tmp_path / "config.toml")]) == 1
    assert "--dlna 192.168.1.0/24" in capsys.readouterr().err
