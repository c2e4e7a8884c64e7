"""A DLNA controller, as Home Assistant is one: its own client library, and what it does in which order."""

from __future__ import annotations

import asyncio
import os
import time
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import Final

from async_upnp_client.advertisement import SsdpAdvertisementListener
from async_upnp_client.aiohttp import AiohttpNotifyServer, AiohttpRequester
from async_upnp_client.client import UpnpService, UpnpStateVariable
from async_upnp_client.client_factory import UpnpFactory
from async_upnp_client.profiles.dlna import DmrDevice, TransportState
from async_upnp_client.search import async_search
from async_upnp_client.utils import CaseInsensitiveDict

from tests.support.agent import ANSWER_S
from tests.support.lan import Machine
from tests.support.running import Beside
from tests.support.tools import LOOK_EVERY_S

PRIORITY: Final = -10
"""The priority of a controller, where the tests may say so (root). In a home it is another machine, which what plays on
the box does not slow."""


class Controller:
    """A controller that has subscribed to a renderer. `states` are the transport states that it was told, in order."""

    def __init__(self, device: DmrDevice) -> None:
        self.device = device
        self.states: list[str] = []
        self.calls: list[tuple[str, float]] = []
        """What it did, and the monotonic time at which that was answered."""
        device.on_event = self._told

    def _told(self, service: UpnpService, variables: Sequence[UpnpStateVariable[str]]) -> None:
        self.states += [str(each.value) for each in variables if each.name == "TransportState"]

    async def play_media(self, url: str, title: str) -> None:
        """Do what the service media_player.play_media does: Play is left out where it takes the device for playing."""
        if self.device.can_stop:
            await self.device.async_stop()
            self._did("Stop")
        await self.device.async_set_transport_uri(url, title)
        self._did("SetAVTransportURI")
        if self.device.transport_state is not TransportState.PLAYING:
            await self.device.async_wait_for_can_play()
            await self.device.async_play()
            self._did("Play")

    def _did(self, call: str) -> None:
        self.calls.append((call, time.monotonic()))

    async def places(self) -> tuple[int | None, int | None]:
        """Position and duration, in seconds."""
        await self.device.async_update()
        return self.device.media_position, self.device.media_duration


@asynccontextmanager
async def controller(location: str) -> AsyncIterator[Controller]:
    """One that follows the renderer whose description is at this address. It listens on 127.0.0.1."""
    requester = AiohttpRequester()
    device = await UpnpFactory(requester).async_create_device(location)
    listening = AiohttpNotifyServer(requester, ("127.0.0.1", 0))
    await listening.async_start_server()
    renderer = DmrDevice(device, listening.event_handler)
    try:
        with _preferred():
            made = Controller(renderer)
            await renderer.async_subscribe_services()
            await renderer.async_update()
            yield made
            await renderer.async_unsubscribe_services()
    finally:
        await listening.async_stop_server()


@contextmanager
def _preferred() -> Iterator[None]:
    """Give this thread PRIORITY, and what it starts."""
    before = os.getpriority(os.PRIO_PROCESS, 0)
    with suppress(PermissionError):
        os.setpriority(os.PRIO_PROCESS, 0, PRIORITY)
    try:
        yield
    finally:
        if os.getpriority(os.PRIO_PROCESS, 0) != before:
            os.setpriority(os.PRIO_PROCESS, 0, before)


class SsdpEar(Beside):
    """`with SsdpEar(machine, address) as ear`: what is announced there. `heard` has what each word says, in order."""

    def __init__(self, machine: Machine, address: str, *, kind: str) -> None:
        """Follow devices of this `kind` only."""
        super().__init__("ssdp-ear")
        self._machine = machine
        self._address = address
        self._kind = kind
        self.heard: list[CaseInsensitiveDict] = []

    def _work(self) -> None:
        with self._machine.inside():
            asyncio.run(self._listen())

    async def _listen(self) -> None:
        listener = SsdpAdvertisementListener(
            async_on_alive=self._told, async_on_byebye=self._told, source=(self._address, 0)
        )
        await listener.async_start()
        while not self._over.is_set():
            await asyncio.sleep(LOOK_EVERY_S)
        await listener.async_stop()

    async def _told(self, headers: CaseInsensitiveDict) -> None:
        if headers["nt"] == self._kind:
            self.heard.append(headers)


def search(machine: Machine, address: str, *, kind: str) -> list[str]:
    """The addresses of the descriptions of devices of this kind that answer a search within a second."""
    found: list[str] = []

    async def answered(headers: CaseInsensitiveDict) -> None:
        found.append(str(headers["location"]))

    with machine.inside():
        asyncio.run(async_search(answered, timeout=1, search_target=kind, source=(address, 0)))
    return found


def description_status(machine: Machine, location: str) -> int:
    """The status of the answer to somebody on this machine who reads a description."""
    with machine.inside():
        try:
            with urllib.request.urlopen(location, timeout=ANSWER_S) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            with error:
                return error.code
