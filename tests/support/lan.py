"""A LAN of the tests' own: machines that are network namespaces, cables that are veth pairs, and a switch. Needs root.

Nothing of the real network is touched or heard.
"""

from __future__ import annotations

import contextlib
import ctypes
import itertools
import os
import socket
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from types import TracebackType

from tests.support.agent import Agent, Answer
from tests.support.tools import run

IP_S = 10.0
"""`ip` answers in milliseconds; making a namespace takes some hundred when the machine is busy."""
CLONE_NEWNET = 0x40000000

_HERE, _APART = "here", "apart"
"""The two switches; one is enough for most tests."""

_numbers = itertools.count(1)
_libc = ctypes.CDLL(None, use_errno=True)


class LanError(Exception):
    """This machine lets us make no networks."""


class Lan:
    """`with Lan() as lan: tv = lan.machine("10.77.0.1/24")`. Entering it raises LanError."""

    def __init__(self) -> None:
        self._running = ExitStack()
        self._switch = f"lan{os.getpid()}-{next(_numbers)}"

    def __enter__(self) -> Lan:
        try:
            self._make(self._switch)
        except (RuntimeError, OSError) as error:
            raise LanError(f"No network namespace can be made: {error}") from error
        for bridge in (_HERE, _APART):
            # Snooping would keep IPv6 multicast from ports that have not asked for it yet.
            _ip("-n", self._switch, "link", "add", bridge, "type", "bridge", "mcast_snooping", "0")
            _ip("-n", self._switch, "link", "set", bridge, "up")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._running.close()

    def join(self) -> None:
        """Lay a cable to the switch of the machines that are apart. No machine's link changes by that."""
        _ip("-n", self._switch, "link", "add", "cable0", "type", "veth", "peer", "name", "cable1")
        for end, bridge in (("cable0", _HERE), ("cable1", _APART)):
            _ip("-n", self._switch, "link", "set", end, "master", bridge, "up")

    def machine(self, *addresses: str, up: bool = True, ipv6: bool = True, apart: bool = False) -> Machine:
        """A new machine, plugged into the switch; with `up=False` its card is still switched off, with `apart` it is
        on a switch of its own until `join`."""
        number = next(_numbers)
        machine = Machine(f"lan{os.getpid()}-{number}")
        self._make(machine.name)
        port = f"port{number}"
        _ip("link", "add", port, "netns", self._switch, "type", "veth", "peer", "name", "eth0", "netns", machine.name)
        _ip("-n", self._switch, "link", "set", port, "master", _APART if apart else _HERE, "up")
        machine.ip("link", "set", "lo", "up")
        machine.run(
            "sysctl",
            "-qw",
            # Duplicate address detection takes a second of every test, and what it finds is not what is tested.
            "net.ipv6.conf.eth0.accept_dad=0",
            f"net.ipv6.conf.eth0.disable_ipv6={int(not ipv6)}",
            # Or the first address of a subnet would take the others with it when it goes.
            "net.ipv4.conf.eth0.promote_secondaries=1",
        )
        for address in addresses:
            machine.ip("addr", "add", address, "dev", "eth0")
        if up:
            machine.ip("link", "set", "eth0", "up")
        return machine

    def second_card(self, machine: Machine, *addresses: str) -> None:
        """Give a machine eth1, plugged into the switch of those that are apart."""
        port = f"port{next(_numbers)}"
        _ip("link", "add", port, "netns", self._switch, "type", "veth", "peer", "name", "eth1", "netns", machine.name)
        _ip("-n", self._switch, "link", "set", port, "master", _APART, "up")
        machine.run("sysctl", "-qw", "net.ipv6.conf.eth1.accept_dad=0", "net.ipv4.conf.eth1.promote_secondaries=1")
        for address in addresses:
            machine.ip("addr", "add", address, "dev", "eth1")
        machine.ip("link", "set", "eth1", "up")

    def _make(self, name: str) -> None:
        _ip("netns", "add", name)
        self._running.callback(_ip, "netns", "del", name)


class Machine:
    """A computer in a LAN, as far as the network is concerned; its card is eth0."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.prefix = ("ip", "netns", "exec", name)
        """Before a command: runs it on this machine."""

    def ip(self, *arguments: str) -> None:
        """`ip ...` on this machine, such as `ip("addr", "add", "10.77.0.9/24", "dev", "eth0")`."""
        _ip("-n", self.name, *arguments)

    def run(self, *command: str, timeout_s: float = IP_S) -> str:
        """Run a command and return its output. Raises RuntimeError."""
        return run([*self.prefix, *command], timeout_s=timeout_s)

    @contextlib.contextmanager
    def inside(self) -> Iterator[None]:
        """Make sockets that the calling thread opens in this block this machine's."""
        with open("/proc/thread-self/ns/net") as home, open(f"/run/netns/{self.name}") as there:
            _enter(there.fileno())
            try:
                yield
            finally:
                _enter(home.fileno())


class LanAgent(Agent):
    """The agent on a machine of a LAN. It has no screen: it is not to show anything, only to be found."""

    def __init__(self, machine: Machine, *, env: Mapping[str, str] | None = None, **settings: object) -> None:
        defaults = {"api__auth": "none", "discovery__enabled": True}
        super().__init__(None, prefix=machine.prefix, env=env, **defaults | settings)  # type: ignore[arg-type]
        self.machine = machine

    def call(self, method: str, path: str, body: object = None, *, headers: Mapping[str, str] | None = None) -> Answer:
        with self.machine.inside():
            return super().call(method, path, body, headers=headers)


def udp_port_taken(machine: Machine, port: int) -> socket.socket:
    """A socket of a program that does not share its port."""
    with machine.inside():
        taken = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    taken.bind(("0.0.0.0", port))
    return taken


def _ip(*arguments: str) -> None:
    run(["ip", *arguments], timeout_s=IP_S)


def _enter(namespace: int) -> None:
    if _libc.setns(namespace, CLONE_NEWNET):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
