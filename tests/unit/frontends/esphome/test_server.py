"""The server of the ESPHome API: its port, and what the LAN is told."""

from __future__ import annotations

import asyncio
from io import StringIO
from pathlib import Path
from typing import cast

import pytest

from agent.config.faces import EspHomeSettings
from agent.frontends.esphome import server as serving
from agent.frontends.esphome.cast_box import CastBox
from agent.frontends.esphome.face import EspHomeFace
from agent.frontends.esphome.frames import PROTOCOL
from agent.frontends.esphome.server import About
from agent.types import DeviceInfo
from cast_util.tasks import Supervisor
from tests.support.esphome import HOST, KEY, NAME, FakeBox, face


async def test_a_port_that_is_taken_is_tried_again(
    tmp_path: Path, unused_tcp_port: int, monkeypatch: pytest.MonkeyPatch, logged: StringIO
) -> None:
    """The rest of the agent works meanwhile, nothing is announced, and the status says what to do."""
    monkeypatch.setattr(serving, "LISTEN_AGAIN_S", 0.02)
    taken = await asyncio.start_server(lambda *_: None, HOST, unused_tcp_port)
    async with face(tmp_path, port=unused_tcp_port) as served:
        assert served.server.status.port is None
        assert "[esphome] port" in (served.server.status.problem or "")
        assert served.server.announced() == ()
        await asyncio.sleep(0.1)
        assert logged.getvalue().count("esphome_listen_failed") == 1
        taken.close()
        await taken.wait_closed()
        await served.until(lambda: served.server.port == unused_tcp_port, "it listens")
        assert served.server.status.problem is None


async def test_what_the_lan_is_told(tmp_path: Path) -> None:
    """The announcement has the facts that Home Assistant needs for its offer to add the box, and that the box has a key
    from then on."""
    async with face(tmp_path, key=None) as served:
        [told] = served.server.announced()
        assert (told.kind, told.name, told.port) == ("_esphomelib._tcp", NAME, served.port)
        txt = dict(told.txt)
        assert (txt["mac"], txt["friendly_name"], txt["version"]) == ("0011223344ff", "Living room", "1.2.3")
        assert txt["api_encryption_supported"] == PROTOCOL
        assert "api_encryption" not in txt
        served.keys.add(KEY)
        txt = dict(served.server.announced()[0].txt)
        assert txt["api_encryption"] == PROTOCOL
        assert "api_encryption_supported" not in txt


async def test_the_record_moves_while_nobody_is_connected(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Home Assistant, which may hold a dead connection to an old address, looks at records that change alone."""
    monkeypatch.setattr(serving, "TXT_MOVES_S", 0.05)
    changes = 0

    def changed() -> None:
        nonlocal changes
        changes += 1

    async with face(tmp_path) as served:
        served.server.changed = changed
        before = served.server.announced()
        await served.until(lambda: served.server.announced() != before, "it has moved")
        async with served.secret():
            await served.until(lambda: served.server.status.clients, "somebody is connected")
            assert changes == 1
            before = served.server.announced()
            await asyncio.sleep(0.12)
            assert served.server.announced() == before
        await served.until(lambda: served.server.announced() != before, "it moves again")
        assert changes == 2


async def test_a_box_without_a_key_does_not_move(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """There is nobody who would have to find it again."""
    monkeypatch.setattr(serving, "TXT_MOVES_S", 0.01)
    async with face(tmp_path, key=None) as served:
        before = served.server.announced()
        await asyncio.sleep(0.05)
        assert served.server.announced() == before


class IdleBox(FakeBox):
    """A box that has nothing to follow."""

    async def start(self) -> None:
        """There is nothing to be begun."""

    async def stop(self) -> None:
        """There is nothing to be ended."""


@pytest.mark.parametrize(("host", "is_announced"), [("127.0.0.1", False), ("0.0.0.0", True)])
async def test_a_face_for_this_machine_alone_is_not_announced(tmp_path: Path, host: str, is_announced: bool) -> None:
    """Nobody in the LAN could connect. Without a host of its own it listens where the API does."""
    whole = EspHomeFace(
        cast(CastBox, IdleBox()),
        settings=EspHomeSettings(port=0),
        host=host,
        folder=tmp_path,
        about=About(DeviceInfo("box-1", "Living room", "1.2.3"), "Test machine"),
        supervisor=Supervisor(),
    )
    await whole.start(8090, lambda: None)
    try:
        assert bool(whole.announced()) == is_announced
        assert (whole.status.name, whole.status.problem) == ("living-room", None)
    finally:
        await whole.stop()
