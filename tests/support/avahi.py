"""Avahi on a machine of a test's LAN: another implementation of mDNS, with a message bus of its own."""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from tests.support.lan import Machine
from tests.support.running import Started
from tests.support.tools import end, need, wait_until

READY_S = 15.0

_BUS = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig><type>system</type><listen>unix:path={folder}/bus</listen><auth>EXTERNAL</auth>
<policy context="default"><allow user="*"/><allow own="*"/><allow send_destination="*"/><allow receive_sender="*"/>
</policy></busconfig>
"""
_AVAHI = """[server]
host-name={host}
use-ipv4=yes
use-ipv6=yes
[publish]
publish-workstation=no
"""


@dataclass(frozen=True, slots=True)
class Sighting:
    """A line of avahi-browse."""

    at: float
    """The time of `time.time()`."""
    sign: str
    """`+` appeared, `=` resolved, `-` gone."""
    ip: str
    """`IPv4` or `IPv6`: what it was heard over."""
    name: str
    type: str
    host: str = ""
    address: str = ""
    port: str = ""
    txt: tuple[str, ...] = ()


class Avahi(Started):
    """`with Avahi(machine) as avahi`: avahi-daemon runs there."""

    def __init__(self, machine: Machine, host: str = "avahi") -> None:
        self._machine = machine
        self._folder = tempfile.TemporaryDirectory(prefix="avahi-")
        self._host = host
        self._processes: list[subprocess.Popen[bytes]] = []
        self.env = {**os.environ, "DBUS_SYSTEM_BUS_ADDRESS": f"unix:path={self._folder.name}/bus"}

    def stop(self) -> None:
        for running in reversed(self._processes):
            end(running)
        self._folder.cleanup()

    @property
    def pids(self) -> set[int]:
        """The processes, for a leak check."""
        return {running.pid for running in self._processes}

    def known(self, service: str) -> list[Sighting]:
        """All of a kind that it knows now: what changes about one is told only to who asks anew."""
        return [_parsed(line, time.time()) for line in self._ask("avahi-browse", "-rpt", service) if line[:1] == "="]

    def resolve(self, host: str, version: int = 4) -> str:
        """The address of a host; empty when it knows none."""
        lines = self._ask("avahi-resolve", f"-{version}", "-n", host)
        return lines[0].split()[-1] if lines else ""

    def _ask(self, *command: str) -> list[str]:
        done = subprocess.run(
            [*self._machine.prefix, *command],
            env=self.env,
            capture_output=True,
            text=True,
            timeout=READY_S,
            check=False,
        )
        return done.stdout.splitlines()

    def start(self) -> None:
        folder = Path(self._folder.name)
        (folder / "bus.conf").write_text(_BUS.format(folder=folder))
        (folder / "avahi.conf").write_text(_AVAHI.format(host=self._host))
        self._run(need("dbus-daemon"), f"--config-file={folder}/bus.conf", "--nofork")
        wait_until((folder / "bus").exists, timeout_s=READY_S, what="the message bus")
        # Its pid file is always in /run/avahi-daemon: several of them need a /run each.
        avahi = f"{need('avahi-daemon')} --no-drop-root --no-chroot --no-rlimits -f {folder}/avahi.conf"
        self._run(*self._machine.prefix, "sh", "-c", f"mount -t tmpfs tmpfs /run && exec {avahi}")
        log = folder / "log"
        wait_until(lambda: "startup complete" in log.read_text(), timeout_s=READY_S, what=f"Avahi ({log.read_text()})")

    def _run(self, *command: str) -> None:
        with (Path(self._folder.name) / "log").open("ab") as log:
            self._processes.append(subprocess.Popen(command, env=self.env, stdout=log, stderr=log))


class Browse:
    """`with Browse(machine, avahi, "_http._tcp") as seen`: everything that avahi-browse says from now on."""

    def __init__(self, machine: Machine, avahi: Avahi, service: str) -> None:
        self._command = (*machine.prefix, need("avahi-browse"), "-rpk", service)
        self._env = avahi.env
        self.sightings: list[Sighting] = []

    def __enter__(self) -> Browse:
        self._program = subprocess.Popen(
            self._command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=self._env
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._program.kill()
        self._program.wait()
        self._reader.join()
        assert self._program.stdout is not None
        self._program.stdout.close()
        if kind is not None:
            print(*self.sightings, sep="\n")

    def wait(
        self, true: Callable[[Sighting], object], what: str, *, since: float = 0.0, timeout_s: float = 10.0
    ) -> Sighting:
        """The first sighting of that kind, after the moment `since`. Raises TimeoutError."""

        def found() -> Sighting | None:
            return next((s for s in list(self.sightings) if s.at >= since and true(s)), None)

        wait_until(lambda: found() is not None, timeout_s=timeout_s, what=what)
        sighting = found()
        assert sighting is not None
        return sighting

    def _read(self) -> None:
        assert self._program.stdout is not None
        for line in self._program.stdout:
            if line[:1] in "+=-":
                self.sightings.append(_parsed(line.strip(), time.time()))


def _parsed(line: str, at: float) -> Sighting:
    sign, _, ip, name, service, _, *rest = line.split(";", 9)
    plain = re.sub(r"\\(\d{3})", lambda m: chr(int(m[1])), name)
    if not rest:
        return Sighting(at, sign, ip, plain, service)
    host, address, port, txt = rest
    return Sighting(at, sign, ip, plain, service, host, address, port, tuple(re.findall(r'"([^"]*)"', txt))[::-1])
