"""The time after which Home Assistant has the box again after a power cut from which it comes back with another
address: as its own client library has it, on a LAN of our own."""

from __future__ import annotations

import asyncio
import contextlib
import time

from aioesphomeapi.client import APIClient
from aioesphomeapi.reconnect_logic import ReconnectLogic
from zeroconf import ServiceStateChange, Zeroconf
from zeroconf.asyncio import AsyncServiceBrowser, AsyncServiceInfo, AsyncZeroconf

from agent.frontends.esphome.key import KeyFile
from agent.frontends.esphome.server import SERVICE
from agent.types import ESPHOME_PORT
from bench.lab import Lab
from bench.report import Bar, Point, Table
from tests.support.esphome import KEY, text
from tests.support.lan import Lan, LanAgent, LanError, Machine
from tests.support.running import Beside
from tests.support.tools import wait_until

BACK_S = 240.0
CONNECTS_S = 20.0
OFF_S = 20.0
"""Too short for Home Assistant to notice: it gives a dead connection up after 90 to 130 s."""

BEFORE, AFTER, HOME = "10.77.1.1/24", "10.77.1.2/24", "10.77.1.9"
TYPE = f"{SERVICE}.local."


class HomeAssistant(Beside):
    """Connects to the box that it finds, and again when the connection ends. As Home Assistant does, it takes another
    address from a record that has changed, and only while it is not connected. `connected` has the address of each
    connection and its moment."""

    def __init__(self, machine: Machine) -> None:
        super().__init__("home-assistant")
        self._machine = machine
        self._address = ""
        self._logic: ReconnectLogic | None = None
        self._is_connected = False
        self._changes: asyncio.Queue[str] = asyncio.Queue()
        self.connected: list[tuple[str, float]] = []

    def _work(self) -> None:
        with self._machine.inside():
            asyncio.run(self._run())

    async def _run(self) -> None:
        zeroconf = AsyncZeroconf(interfaces=[HOME])
        browser = AsyncServiceBrowser(zeroconf.zeroconf, TYPE, handlers=[self._changed])
        while not self._over.is_set():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(0.1):
                    name = await self._changes.get()
                await self._look(zeroconf, name)
        if self._logic is not None:
            await self._logic.stop()
        await browser.async_cancel()
        await zeroconf.async_close()

    def _changed(self, zeroconf: Zeroconf, service_type: str, name: str, state_change: ServiceStateChange) -> None:
        if state_change is not ServiceStateChange.Removed:
            self._changes.put_nowait(name)

    async def _look(self, zeroconf: AsyncZeroconf, name: str) -> None:
        info = AsyncServiceInfo(TYPE, name)
        await info.async_request(zeroconf.zeroconf, 3000)
        addresses = info.parsed_addresses()
        if self._is_connected or not addresses or addresses[0] == self._address:
            return
        if self._logic is not None:
            await self._logic.stop()
        self._address = addresses[0]
        client = APIClient(self._address, ESPHOME_PORT, None, noise_psk=text(KEY), zeroconf_instance=zeroconf)
        node = name.partition(".")[0]
        self._logic = ReconnectLogic(
            client=client, on_connect=self._joined, on_disconnect=self._left, zeroconf_instance=zeroconf, name=node
        )
        await self._logic.start()

    async def _joined(self) -> None:
        self._is_connected = True
        self.connected.append((self._address, time.monotonic()))

    async def _left(self, expected: bool) -> None:
        self._is_connected = False


def measure(lab: Lab) -> Point:
    """Needs root. Raises TimeoutError when the box is not found again, RuntimeError when no networks can be made."""
    try:
        with Lan() as lan:
            box, home = lan.machine(BEFORE, ipv6=False), lan.machine(f"{HOME}/24", ipv6=False)
            seconds = _back_after(lab, box, home)
    except LanError as error:
        raise RuntimeError(f"{error}; run the bench as root for this") from error
    return Point(
        name="power-cut",
        title="A power cut, and another address after it",
        table=Table(("", "seconds"), (("back, from the start of the process", f"{seconds:.0f}"),)),
        bars=(Bar(f"back within {BACK_S:g} s", seconds <= BACK_S, f"{seconds:.0f} s"),),
        notes=(
            "Home Assistant's client library on another machine, with what Home Assistant does about new addresses.",
        ),
        raw={"back_s": [seconds]},
    )


def _back_after(lab: Lab, box: Machine, home: Machine) -> float:
    agent = LanAgent(box, esphome__enabled=True)
    KeyFile(agent.folder / "state").add(KEY)
    with agent, HomeAssistant(home) as hass:
        wait_until(lambda: hass.connected, timeout_s=CONNECTS_S, what="Home Assistant to connect")
        lab.say("a power cut; the box comes back with another address, which takes minutes to be found")
        box.ip("link", "set", "eth0", "down")  # nothing is said any more
        agent.kill()
        box.ip("addr", "del", BEFORE, "dev", "eth0")
        box.ip("addr", "add", AFTER, "dev", "eth0")
        time.sleep(OFF_S)
        box.ip("link", "set", "eth0", "up")
        began = time.monotonic()
        agent.run()
        address = AFTER.partition("/")[0]
        wait_until(lambda: hass.connected[-1][0] == address, timeout_s=BACK_S * 1.5, what="the box to be found again")
        return hass.connected[-1][1] - began
