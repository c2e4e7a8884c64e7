"""The key of the ESPHome API: who may bring one, and what is done to who has another one."""

from __future__ import annotations

import asyncio
import stat
import threading
from io import StringIO
from pathlib import Path

import pytest
from aioesphomeapi.client import APIClient
from aioesphomeapi.core import APIConnectionError, InvalidEncryptionKeyAPIError, RequiresEncryptionAPIError
from aioesphomeapi.model import DisconnectReason

from agent.errors import StorageError
from agent.frontends.esphome.identity import IdentityFile
from agent.frontends.esphome.key import (
    KEY_FILE,
    WINDOW_FILE,
    WINDOW_S,
    KeyFile,
    KeyRing,
    decoded,
    encoded,
    open_window,
)
from agent.frontends.esphome.messages import api, number_of
from agent.host.clock import boot_id, since_boot
from tests.support.esphome import HOST, KEY, OTHER_KEY, SWITCH, ZERO_KEY, Face, face, state, text


def ours(logged: StringIO) -> list[str]:
    """The lines of the log that are the agent's, and not the client's."""
    return [line for line in logged.getvalue().splitlines() if '"logger": "agent.' in line]


async def test_the_first_one_who_comes_brings_the_key(tmp_path: Path, logged: StringIO) -> None:
    """Home Assistant's order: plaintext to see what this is, the zero key to bring a key, and then that key."""
    async with face(tmp_path, key=None) as served:
        async with served.client(None) as client:
            about = await client.device_info()
            assert about.api_encryption_provisionable
        async with served.client(ZERO_KEY) as client:
            assert await client.noise_encryption_set_key(text(OTHER_KEY).encode())
            connection = client._connection
            assert connection is not None
            await served.until(lambda: not connection.is_connected, "the connections of before end")
        async with served.client(text(OTHER_KEY)) as client:
            assert not (await client.device_info()).api_encryption_provisionable
        assert served.keys.read() == OTHER_KEY
        assert stat.S_IMODE(served.keys.path.stat().st_mode) == 0o600
        assert text(OTHER_KEY) not in "".join(ours(logged))


async def test_the_key_outlives_a_restart(tmp_path: Path) -> None:
    """Home Assistant is back with it, also when its connection was not closed, and nobody brings another one."""
    async with face(tmp_path, key=None) as served, served.client(ZERO_KEY) as client:
        assert await client.noise_encryption_set_key(text(KEY).encode())
    async with face(tmp_path, key=None) as served:
        async with served.client() as client:
            assert (await client.device_info()).name == "living-room"
        with pytest.raises(InvalidEncryptionKeyAPIError):
            await APIClient(HOST, served.port, None, noise_psk=ZERO_KEY).connect()


async def test_a_disk_that_hangs_after_the_key_holds_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The key is kept, so Home Assistant is told so; what else is written is not waited for without end."""
    hangs = threading.Event()
    monkeypatch.setattr("agent.frontends.esphome.server.IDENTITY_TIMEOUT_S", 0.05)
    monkeypatch.setattr(IdentityFile, "keep", lambda *_: hangs.wait(30))
    try:
        async with face(tmp_path, key=None) as served, served.client(ZERO_KEY) as client:
            assert await client.noise_encryption_set_key(text(KEY).encode())
            assert not hangs.is_set()
    finally:
        hangs.set()


async def test_a_key_is_never_taken_over_plaintext(tmp_path: Path) -> None:
    """Anybody in the network would know it."""
    async with face(tmp_path, key=None) as served, served.client(None) as client:
        assert not await client.noise_encryption_set_key(text(KEY).encode())
        assert served.keys.read() is None


@pytest.mark.parametrize("key", [b"", b"short", text(bytes(32)).encode(), text(KEY)[:-4].encode()])
async def test_what_is_no_key_is_not_taken(tmp_path: Path, key: bytes) -> None:
    """Neither from the first one who comes, nor the key that everybody knows."""
    async with face(tmp_path, key=None) as served, served.client(ZERO_KEY) as client:
        assert not await client.noise_encryption_set_key(key)
        assert served.keys.read() is None


@pytest.mark.parametrize("key", [b"", text(OTHER_KEY).encode()])
async def test_a_key_that_is_there_stays(tmp_path: Path, key: bytes) -> None:
    """Home Assistant sends an empty key when the box is removed there; a stranger could take the box then."""
    async with face(tmp_path) as served:
        async with served.client() as client:
            assert not await client.noise_encryption_set_key(key)
            assert (await client.device_info()).name == "living-room"
        assert served.keys.read() == KEY


async def test_the_second_of_two_who_bring_a_key_is_refused(tmp_path: Path) -> None:
    """The key is taken once, however close they are."""
    async with face(tmp_path, key=None) as served, served.client(ZERO_KEY) as one, served.client(ZERO_KEY) as other:
        taken = await asyncio.gather(
            one.noise_encryption_set_key(text(KEY).encode()),
            other.noise_encryption_set_key(text(OTHER_KEY).encode()),
            return_exceptions=True,
        )
        assert (taken[0] is True) != (taken[1] is True)
        assert served.keys.read() == (KEY if taken[0] is True else OTHER_KEY)


async def disconnect_reason(served: Face, key: str | None) -> int:
    """The reason why the box sends this client away when it asks who the box is."""
    async with served.client(key) as client:
        connection = client._connection
        assert connection is not None
        with pytest.raises(APIConnectionError):
            await client.device_info()
        return connection.disconnect_reason


@pytest.mark.parametrize("key", [None, ZERO_KEY])
async def test_a_closed_window_is_told_as_such(tmp_path: Path, key: str | None) -> None:
    """Home Assistant has a sentence of its own for that reason."""
    async with face(tmp_path, key=None, is_open=False) as served:
        assert await disconnect_reason(served, key) == DisconnectReason.PROVISIONING_CLOSED
        async with served.client(ZERO_KEY) as client:
            assert not await client.noise_encryption_set_key(text(KEY).encode())
        open_window(tmp_path)
        assert 0 < served.server.status.window_s <= WINDOW_S
        async with served.client(key) as client:
            assert (await client.device_info()).api_encryption_provisionable


async def test_another_key_is_refused_with_the_words_that_have_one_asked_for(tmp_path: Path, logged: StringIO) -> None:
    """Home Assistant asks for the key then; the log tells once how to see it."""
    async with face(tmp_path) as served:
        for _ in range(2):
            client = APIClient(HOST, served.port, None, noise_psk=text(OTHER_KEY))
            with pytest.raises(InvalidEncryptionKeyAPIError):
                await client.connect()
        [told] = [line for line in ours(logged) if '"level": "warning"' in line]
        assert "cast-agent esphome key" in told


async def test_plaintext_is_refused_once_there_is_a_key(tmp_path: Path) -> None:
    """The client is told that it needs a key."""
    async with face(tmp_path) as served:
        client = APIClient(HOST, served.port, None)
        with pytest.raises(RequiresEncryptionAPIError):
            await client.connect()


async def test_nothing_of_the_box_is_told_without_a_key(tmp_path: Path) -> None:
    """A client from before the key could be brought is made to ask for one, also while there is none."""
    async with face(tmp_path, key=None) as served:
        for ask in (APIClient.list_entities_services, lambda client: client.switch_command(7, True)):
            async with served.client(None) as client:
                connection = client._connection
                assert connection is not None
                try:
                    if (asked := ask(client)) is not None:
                        await asked
                except APIConnectionError:
                    pass
                await served.until(lambda c=connection: not c.is_connected, "it is disconnected")  # type: ignore[misc]
                assert isinstance(connection._fatal_exception, RequiresEncryptionAPIError)
        assert not served.box.commands


async def test_a_client_with_the_zero_key_learns_nothing_either(tmp_path: Path) -> None:
    """The zero key only serves to bring another one."""
    async with face(tmp_path, key=None) as served, served.secret(bytes(32)) as client:
        client.send(11)
        with pytest.raises(asyncio.IncompleteReadError):
            await client.receive()


async def test_a_key_that_was_removed_ends_its_connections(tmp_path: Path) -> None:
    """Whoever knew it does nothing more with the box."""
    async with face(tmp_path) as served, served.client() as client:
        served.keys.remove()
        client.switch_command(7, True)
        await served.until(lambda: not served.server.status.clients, "it is disconnected")
        assert not served.box.commands


async def test_who_had_a_key_that_was_removed_is_told_nothing(tmp_path: Path) -> None:
    """A client that only listens is told nothing either."""
    async with face(tmp_path) as served, served.secret() as client:
        client.send(20)
        assert await client.receive() == number_of(api.SwitchStateResponse)
        served.keys.remove()
        served.box.peers[0].put_state(SWITCH, state(on=False))
        with pytest.raises(asyncio.IncompleteReadError):
            await client.receive()


async def test_a_damaged_key_lets_nobody_in(tmp_path: Path, logged: StringIO) -> None:
    """Nobody can bring another one either; the status says what to do."""
    async with face(tmp_path) as served:
        served.keys.path.write_text("nonsense")
        for key in (text(KEY), ZERO_KEY, None):
            with pytest.raises(APIConnectionError):
                await APIClient(HOST, served.port, None, noise_psk=key).connect()
        assert "cast-agent esphome reset" in (served.server.status.problem or "")
        assert logged.getvalue().count("esphome_key_read_failed") == 1
        served.keys.path.write_text(text(KEY))
        async with served.client() as client:
            assert (await client.device_info()).name == "living-room"


def test_the_window_opens_once_in_each_run_of_the_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It opens at the first start without a key, and at no other; the machine's own time counts, because clocks are
    set."""
    now = since_boot()
    ring = KeyRing(tmp_path, now=lambda: now)
    assert ring.window_s == 0.0
    ring.begin()
    assert WINDOW_S - 5 < ring.window_s <= WINDOW_S
    now += WINDOW_S
    assert ring.window_s == 0.0
    before = (tmp_path / WINDOW_FILE).read_text()
    KeyRing(tmp_path).begin()
    assert (tmp_path / WINDOW_FILE).read_text() == before
    now = since_boot()
    monkeypatch.setattr("agent.frontends.esphome.key.boot_id", lambda: "another")
    assert ring.window_s == 0.0
    ring.begin()
    assert ring.window_s > 0.0


def test_a_box_with_a_key_opens_no_window(tmp_path: Path) -> None:
    KeyFile(tmp_path).add(KEY)
    KeyRing(tmp_path).begin()
    assert not (tmp_path / WINDOW_FILE).exists()


def full(*_: object, **__: object) -> None:
    raise OSError(28, "No space left on device")


def test_a_window_that_cannot_be_opened_is_in_the_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, logged: StringIO
) -> None:
    """The rest of the agent works."""
    monkeypatch.setattr("agent.frontends.esphome.key.write_whole", full)
    ring = KeyRing(tmp_path)
    ring.begin()
    assert ring.window_s == 0.0
    assert "esphome_window_write_failed" in logged.getvalue()


@pytest.mark.parametrize("until", ["1e12", "inf", "nan"])
def test_no_file_opens_the_window_for_longer_than_a_command(tmp_path: Path, until: str) -> None:
    """The window does not grow by a little at each look either."""
    (tmp_path / WINDOW_FILE).write_text(f"{boot_id()} {until}\n")
    assert KeyRing(tmp_path).window_s == 0.0


def test_a_key_is_made_once(tmp_path: Path) -> None:
    """It is shown again, and never another one."""
    file = KeyFile(tmp_path / "state")
    made = file.make()
    assert (len(made), file.make(), KeyRing(tmp_path / "state").key) == (32, made, made)
    assert not file.add(OTHER_KEY)
    assert (tmp_path / "state" / KEY_FILE).read_text() == encoded(made) + "\n"
    assert decoded(encoded(made).encode()) == made
    assert (file.remove(), file.remove(), file.read()) == (True, False, None)


def test_a_key_that_cannot_be_kept_says_why(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("a file where the folder should be")
    with pytest.raises(StorageError, match="cannot be written"):
        KeyFile(tmp_path / "state").add(KEY)


async def test_a_key_that_was_not_kept_was_not_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Home Assistant would know a key that the box has forgotten after the next power cut."""
    async with face(tmp_path, key=None) as served, served.client(ZERO_KEY) as client:
        monkeypatch.setattr("agent.frontends.esphome.key.write_whole", full)
        assert not await client.noise_encryption_set_key(text(KEY).encode())
        assert served.server.status.window_s > 0
