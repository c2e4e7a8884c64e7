"""Pairing links: good for one device, for five minutes, and only as long as the machine runs."""

from __future__ import annotations

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from agent.access.gate import Gate
from agent.access.keys import KeyFile, KeysError
from agent.access.pairing import SHOWN_FOR_S, VALID_S, Pairing
from agent.config.settings import ApiSettings
from agent.host import clock as clock_of_host


class Clock:
    """Seconds since the machine was switched on."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def pairing(tmp_path: Path, clock: Clock) -> Pairing:
    return Pairing(tmp_path, now=clock)


def test_a_link_is_good_once(pairing: Pairing, tmp_path: Path) -> None:
    """No other process can use it again either, and its token is not what lies on the disk."""
    token = pairing.offer()
    file = tmp_path / "pairing-links.json"
    assert token not in file.read_text()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert not pairing.take("cap_wrong")
    assert Pairing(tmp_path, now=pairing._now).take(token)
    assert not pairing.take(token)


def test_a_link_ends_after_five_minutes(pairing: Pairing, clock: Clock) -> None:
    early, late = pairing.offer(), pairing.offer()
    clock.now += VALID_S
    assert pairing.take(early)
    clock.now += 0.1
    assert not pairing.take(late)


def test_old_links_are_cleared_away(pairing: Pairing, clock: Clock, tmp_path: Path) -> None:
    for _ in range(3):
        pairing.offer()
    clock.now += VALID_S + 1
    pairing.offer()
    assert (tmp_path / "pairing-links.json").read_text().count("sha256") == 1


def test_a_link_ends_with_the_run_of_the_machine(
    pairing: Pairing, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The time since it was switched on begins anew then."""
    token = pairing.offer()
    other = tmp_path / "boot_id"
    other.write_text("another\n")
    monkeypatch.setattr(clock_of_host, "BOOT_ID", other)
    assert not pairing.take(token)


def test_a_damaged_file_names_the_command_that_there_is(pairing: Pairing, tmp_path: Path) -> None:
    (tmp_path / "pairing-links.json").write_text("{")
    with pytest.raises(KeysError, match=r"make all pairing links again with cast-agent pair\.$"):
        pairing.offer()


def test_of_many_at_once_one_is_first(pairing: Pairing) -> None:
    token = pairing.offer()
    with ThreadPoolExecutor(8) as threads:
        assert sum(threads.map(lambda _: pairing.take(token), range(8))) == 1


def test_the_screen_has_the_same_link_until_it_is_used_or_old(pairing: Pairing, clock: Clock) -> None:
    """One that was just scanned still works after the screen has gone on to the next."""
    first = pairing.screen_token()
    clock.now += VALID_S - SHOWN_FOR_S
    assert pairing.screen_token() == first
    clock.now += 1
    second = pairing.screen_token()
    assert second != first
    assert pairing.take_shown(first)
    assert not pairing.take_shown(first)
    assert pairing.screen_token() == second
    assert pairing.take_shown(second)
    third = pairing.screen_token()
    assert third != second
    clock.now += VALID_S + 0.1
    assert not pairing.take_shown(third)
    assert not pairing.take_shown("\udcff")


def test_the_screen_shows_a_link_only_where_keys_are_needed(tmp_path: Path) -> None:
    """In protected mode whoever passes by would close the box to the programs on it."""
    settings = [ApiSettings()]
    gate = Gate(KeyFile(tmp_path), settings=lambda: settings[0])
    assert gate.pairing_url("http://192.168.1.20:8090") is None
    KeyFile(tmp_path).add("ha")
    link = gate.pairing_url("http://192.168.1.20:8090")
    assert link is not None
    assert link.startswith("http://192.168.1.20:8090/pair#")
    settings[0] = ApiSettings(auth="none")
    assert gate.pairing_url("http://192.168.1.20:8090") is None
