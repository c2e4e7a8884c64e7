"""`cast-agent esphome`, and what `setup` does for Home Assistant: real files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from agent.cli import main
from agent.frontends.esphome.identity import EspHomeIdentity, IdentityFile
from agent.frontends.esphome.key import KEY_FILE, WINDOW_S, KeyFile, KeyRing, encoded
from tests.unit.cli.environment import only_settings_of_the_test

Output = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    only_settings_of_the_test(monkeypatch, tmp_path)
    monkeypatch.setenv("CAST_AGENT_API__HOST", "192.0.2.5")


def ring(folder: Path) -> KeyRing:
    """The keys of a daemon that was started without opening the window."""
    return KeyRing(folder)


def test_the_key_is_shown_and_made_once(tmp_path: Path, capsys: Output) -> None:
    """It goes to standard output alone, so that a script can take it."""
    assert main(["esphome", "key"]) == 0
    said = capsys.readouterr()
    key = ring(tmp_path).key
    assert key is not None
    assert said.out == encoded(key) + "\n"
    assert "It was made now" in said.err
    assert main(["esphome", "key", "--json"]) == 0
    said = capsys.readouterr()
    assert json.loads(said.out) == {"key": encoded(key)}
    assert "It was made now" not in said.err


def test_pairing_opens_the_window_of_a_box_without_a_key(tmp_path: Path, capsys: Output) -> None:
    assert ring(tmp_path).window_s == 0
    assert main(["esphome", "pair"]) == 0
    assert 0 < ring(tmp_path).window_s <= WINDOW_S
    assert "15 minutes" in capsys.readouterr().err
    KeyFile(tmp_path).make()
    assert main(["esphome", "pair"]) == 1
    assert "cast-agent esphome reset" in capsys.readouterr().err
    assert ring(tmp_path).window_s == 0


def test_a_reset_lets_the_box_be_added_anew(tmp_path: Path, capsys: Output) -> None:
    """The key is gone and the window is open; the node name changes only on request, the address never."""
    file = KeyFile(tmp_path)
    file.make()
    assert main(["esphome", "reset", "--name", "Upper hall"]) == 1
    assert "has not run yet" in capsys.readouterr().err
    file.make()
    before = EspHomeIdentity("001122334455", "hall")
    IdentityFile(tmp_path).keep(before)
    assert main(["esphome", "reset"]) == 0
    assert "the clients that had it are disconnected" in capsys.readouterr().err
    assert file.read() is None
    assert ring(tmp_path).window_s > 0
    assert IdentityFile(tmp_path).load(device_id="x", device_name="x") == before

    assert main(["esphome", "reset", "--name", "Upper hall"]) == 0
    said = capsys.readouterr().err
    assert "There was no key" in said
    assert "upper-hall" in said
    assert IdentityFile(tmp_path).load(device_id="x", device_name="x") == EspHomeIdentity("001122334455", "upper-hall")


def test_what_is_switched_off_says_how_to_switch_it_on(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: Output
) -> None:
    monkeypatch.setenv("CAST_AGENT_ESPHOME__ENABLED", "false")
    assert main(["esphome", "key"]) == 1
    assert "enabled = true under [esphome]" in capsys.readouterr().err
    assert not (tmp_path / KEY_FILE).exists()


def test_a_damaged_key_names_its_file(tmp_path: Path, capsys: Output) -> None:
    """A reset repairs it."""
    (tmp_path / KEY_FILE).write_text("nonsense")
    assert main(["esphome", "key"]) == 1
    assert str(tmp_path / KEY_FILE) in capsys.readouterr().err
    assert main(["esphome", "reset"]) == 0
    assert main(["esphome", "key"]) == 0


def test_setup_names_the_box_and_opens_the_window(tmp_path: Path, capsys: Output) -> None:
    """Neither changes once Home Assistant knows the box."""
    config = ["--no-key", "--config", str(tmp_path / "config.toml")]
    IdentityFile(tmp_path).keep(EspHomeIdentity("001122334455", "raspberrypi-334455"))  # of the first start
    assert main(["setup", "--name", "Living room", *config]) == 0
    assert ring(tmp_path).window_s > 0
    assert "15 minutes" in capsys.readouterr().err
    named = EspHomeIdentity("001122334455", "living-room")
    assert IdentityFile(tmp_path).load(device_id="x", device_name="x") == named

    KeyFile(tmp_path).make()
    assert main(["setup", "--name", "Kitchen", *config]) == 0
    assert "15 minutes" not in capsys.readouterr().err
    assert IdentityFile(tmp_path).load(device_id="x", device_name="x") == named


def test_setup_goes_on_where_home_assistant_cannot_be_let_in(tmp_path: Path, capsys: Output) -> None:
    """The text to paste is there all the same."""
    (tmp_path / KEY_FILE).write_text("nonsense")
    assert main(["setup", "--no-key", "--config", str(tmp_path / "config.toml")]) == 0
    said = capsys.readouterr()
    assert "rest_command" in said.out
    assert "Home Assistant cannot add the box by itself" in said.err
