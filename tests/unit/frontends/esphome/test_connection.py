"""The ESPHome API as Home Assistant's own client sees it."""

from __future__ import annotations

import asyncio
from io import StringIO
from pathlib import Path

import pytest
from aioesphomeapi.core import SocketClosedAPIError

from agent.frontends.esphome.messages import api, number_of
from agent.frontends.esphome.server import COMMANDS_LIMIT
from tests.support.esphome import SWITCH, face, state


async def test_a_client_with_the_key_sees_and_controls_the_box(tmp_path: Path) -> None:
    """It hears who the box is, what there is, how it is now and from now on; and its commands arrive."""
    async with face(tmp_path) as served, served.client() as client:
        about = await client.device_info()
        assert (about.name, about.friendly_name, about.mac_address) == (
            "living-room",
            "Living room",
            "00:11:22:33:44:FF",
        )
        assert (about.esphome_version, about.webserver_port, about.model) == ("1.2.3", 8090, "Test machine")
        assert about.api_encryption_supported
        assert not about.api_encryption_provisionable
        entities, actions = await client.list_entities_services()
        assert [each.name for each in entities] == ["Screen"]
        assert [each.name for each in actions] == ["play"]
        seen: list[bool] = []
        client.subscribe_states(lambda each: seen.append(each.state))  # type: ignore[attr-defined]
        await served.until(lambda: seen == [True], "the state now")
        served.box.peers[0].put_state(SWITCH, state(on=False))
        await served.until(lambda: seen == [True, False], "the next state")
        client.switch_command(SWITCH, True)
        await served.until(lambda: served.box.commands, "the command")
        answer = await client.execute_service(actions[0], {}, return_response=True)
        assert answer is not None
        assert answer.success
        assert len(served.server.status.clients) == 1
    await served.until(lambda: not served.box.peers, "nobody is told any more")


async def test_two_clients_hear_the_same(tmp_path: Path) -> None:
    """A second Home Assistant that was told the key takes nothing from the first one."""
    async with face(tmp_path) as served, served.client() as one, served.client() as other:
        heard: dict[str, list[bool]] = {"one": [], "other": []}
        for name, client in (("one", one), ("other", other)):
            client.subscribe_states(lambda each, name=name: heard[name].append(each.state))  # type: ignore[misc]
        await served.until(lambda: len(served.box.peers) == 2, "both have subscribed")
        for peer in served.box.peers:
            peer.put_state(SWITCH, state(on=False))
        await served.until(lambda: all(states[-1:] == [False] for states in heard.values()), "both hear it")
        assert len(served.server.status.clients) == 2


async def test_a_burst_of_states_ends_with_the_last_one(tmp_path: Path) -> None:
    """The latest state of an entity replaces those that were not sent yet."""
    async with face(tmp_path) as served, served.client() as client:
        seen: list[bool] = []
        client.subscribe_states(lambda each: seen.append(each.state))  # type: ignore[attr-defined]
        await served.until(lambda: served.box.peers, "it has subscribed")
        for number in range(5001):
            served.box.peers[0].put_state(SWITCH, state(on=number % 2 == 1))
        await served.until(lambda: seen[-1:] == [False], "the last state")
        assert len(seen) < 10


async def test_lists_that_changed_end_the_connection_plainly(tmp_path: Path) -> None:
    """No DisconnectRequest is sent, after which Home Assistant would stay away for 5 s."""
    async with face(tmp_path) as served, served.client() as client:
        client.subscribe_states(lambda _: None)
        await served.until(lambda: served.box.peers, "it has subscribed")
        connection = client._connection
        assert connection is not None
        served.box.peers[0].relist()
        await served.until(lambda: not connection.is_connected, "it is disconnected")
        assert isinstance(connection._fatal_exception, SocketClosedAPIError)
        async with served.client() as again:
            assert (await again.device_info()).name == "living-room"


async def test_lists_that_change_before_the_subscription_end_the_connection(tmp_path: Path) -> None:
    """The client was told of the old ones, and nobody could tell it of the change."""
    async with face(tmp_path) as served, served.client() as client:
        await client.list_entities_services()
        connection = client._connection
        assert connection is not None
        served.box.listed.pop()
        client.subscribe_states(lambda _: None)
        await served.until(lambda: not connection.is_connected, "it is disconnected")
        async with served.client() as again:
            await again.list_entities_services()
            again.subscribe_states(lambda _: None)
            await served.until(lambda: served.box.peers, "it has subscribed")
            assert (await again.device_info()).name == "living-room"


async def test_a_slow_command_holds_nothing(tmp_path: Path) -> None:
    """The connection answers, and takes other commands, while one is under way."""
    async with face(tmp_path) as served, served.client() as client:
        served.box.held.clear()
        client.switch_command(SWITCH, True)
        client.switch_command(SWITCH, False)
        await served.until(lambda: len(served.box.commands) == 2, "both commands have begun")
        assert (await client.device_info()).name == "living-room"
        served.box.held.set()


async def test_a_command_that_fails_is_ours_to_log(tmp_path: Path, logged: StringIO) -> None:
    """A fault behind the wire ends neither the connection nor the face."""
    async with face(tmp_path) as served, served.client() as client:
        served.box.fault = RuntimeError("broken")
        client.switch_command(SWITCH, True)
        await served.until(lambda: "esphome_command_failed" in logged.getvalue(), "the log says so")
        assert (await client.device_info()).name == "living-room"


async def test_too_many_commands_at_once_end_the_connection(tmp_path: Path) -> None:
    """A client that floods the box with commands is sent away; those under way are finished."""
    async with face(tmp_path) as served, served.client() as client:
        served.box.held.clear()
        for _ in range(COMMANDS_LIMIT + 1):
            client.switch_command(SWITCH, True)
        connection = client._connection
        assert connection is not None
        await served.until(lambda: not connection.is_connected, "it is disconnected")
        assert len(served.box.commands) == COMMANDS_LIMIT
        served.box.held.set()
        async with served.client() as again:
            again.switch_command(SWITCH, True)
            await served.until(lambda: len(served.box.commands) > COMMANDS_LIMIT, "commands are taken again")


async def test_older_clients_get_the_answer_that_they_wait_for(tmp_path: Path) -> None:
    """Home Assistant before 2026 sends an AuthenticationRequest, and never connects without its answer."""
    async with face(tmp_path) as served, served.client(login=True) as client:
        assert (await client.device_info()).name == "living-room"


async def test_a_client_that_leaves_is_answered(tmp_path: Path) -> None:
    """Its DisconnectRequest is answered, so that it does not wait."""
    async with face(tmp_path) as served, served.secret() as client:
        client.send(number_of(api.DisconnectRequest))
        assert await client.receive() == number_of(api.DisconnectResponse)
        await served.until(lambda: not served.server.status.clients, "it has gone")


async def test_messages_that_are_too_long_cost_the_connection(tmp_path: Path, logged: StringIO) -> None:
    """A fault behind the wire, which the log tells; its socket is closed."""
    async with face(tmp_path) as served, served.secret() as client:
        client.send(20)
        assert await client.receive() == number_of(api.SwitchStateResponse)
        [peer] = served.box.peers
        for _ in range(2):
            peer.put(api.CameraImageResponse(key=1, data=bytes(70000)))
        with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
            await client.receive()
        assert logged.getvalue().count("esphome_connection_failed") == 1
