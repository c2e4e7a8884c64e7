"""A Debian machine of the test's own: a folder made with debootstrap, booted with its own systemd in a container."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

from tests.support.debian import bootstrap

ROOT = Path(__file__).parents[2]
CACHE = ROOT / ".cache"
"""Holds a Debian of each suite that nothing was done to; made once, in about a minute."""

SUITES = tuple(os.environ.get("SUITE", "bookworm trixie").split())
"""Debian 12 and 13; `make test-install SUITE=trixie` tries the one alone."""

BOOT_S = 60
COMMAND_S = 600
"""The longest is the installation: apt and pip, over the network."""

PACKAGES = "systemd-sysv,dbus,libpam-systemd,sudo,make,python3,python3-venv,ca-certificates"
LANDLOCK = "landlock_create_ruleset landlock_add_rule landlock_restrict_self"


def missing() -> str:
    """The reason why this machine cannot have such a box, for a person; empty when it can."""
    if os.geteuid() != 0:
        return "needs root"
    absent = [tool for tool in ("debootstrap", "systemd-nspawn", "nsenter") if shutil.which(tool) is None]
    return f"needs {', '.join(absent)} (apt-get install debootstrap systemd-container)" if absent else ""


class Box:
    """`with Box("trixie") as box: box.run("make -C /src install")`. The network is the host's."""

    def __init__(self, suite: str) -> None:
        self._fresh = CACHE / f"box-{suite}"
        self.suite = suite
        self._folder = tempfile.TemporaryDirectory(prefix="box-", dir="/var/tmp")
        self.root = Path(self._folder.name) / "root"
        self._container: subprocess.Popen[bytes] | None = None
        self._init = 0

    def __enter__(self) -> Box:
        bootstrap(self.suite, self._fresh, packages=PACKAGES, finish=self._add_security_updates)
        subprocess.run(["cp", "-a", self._fresh, self.root], check=True)
        for file in ("/etc/resolv.conf", "/etc/ssl/certs/ca-certificates.crt"):  # the network of this machine
            shutil.copy(file, f"{self.root}{file}")
        self.boot()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None:
            print(self.run("journalctl -u cast-agent -u cast-central -n 40 --no-pager", check=False))
        self.power_off()
        self._folder.cleanup()

    def _add_security_updates(self, root: Path) -> None:
        (root / "etc/apt/sources.list.d/security.list").write_text(_security_updates(self.suite))

    def boot(self) -> None:
        """Returns when systemd has started everything."""
        with (Path(self._folder.name) / "console").open("ab") as console:
            self._container = subprocess.Popen(
                [
                    *("systemd-nspawn", "--quiet", "--register=no", "--keep-unit", "--console=pipe", "--boot"),
                    *(f"--system-call-filter={LANDLOCK}", f"--bind-ro={ROOT}:/checkout"),
                    f"--directory={self.root}",
                ],
                stdin=subprocess.DEVNULL,
                stdout=console,
                stderr=console,
            )
        self._wait(self._booted, BOOT_S, "the box has booted")

    def power_off(self) -> None:
        """Kill the box's init: pulling the plug would be too rude to the file system of the host."""
        container, self._container = self._container, None
        if container is not None:
            if self._init:
                os.kill(self._init, signal.SIGKILL)
                self._init = 0
            container.wait(30)

    def run(self, command: str, *, check: bool = True) -> str:
        """Run a shell command in the box, as root, and return both its outputs."""
        kept = {name: value for name, value in os.environ.items() if name.startswith("PIP_")}
        done = subprocess.run(
            ["nsenter", "--all", f"--target={self._init}", "/bin/bash", "-c", command],
            env={"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root"} | kept,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=COMMAND_S,
        )
        assert not check or done.returncode == 0, f"{command}: {done.returncode}\n{done.stdout[-4000:]}"
        return done.stdout

    def wait(self, command: str, timeout_s: float) -> None:
        """Until this command succeeds."""
        self._wait(lambda: "yes" in self.run(f"{command} && echo yes", check=False).split(), timeout_s, command)

    def _booted(self) -> bool:
        assert self._container is not None
        assert self._container.poll() is None, (Path(self._folder.name) / "console").read_text(errors="replace")
        self._init = _init_below(self._container.pid)
        state = self.run("systemctl is-system-running", check=False).strip() if self._init else ""
        return state in ("running", "degraded")

    def _wait(self, condition: Callable[[], bool], timeout_s: float, what: str) -> None:
        deadline = time.monotonic() + timeout_s
        while not condition():
            assert time.monotonic() < deadline, f"not within {timeout_s} s: {what}"
            time.sleep(0.2)  # a look enters the container and starts a program there


def _init_below(pid: int) -> int:
    """The first process of a container; 0 as long as there is none."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    for child in map(int, children):
        namespaces = [os.readlink(f"/proc/{one}/ns/pid") for one in (os.getpid(), child)]
        if namespaces[0] != namespaces[1] and Path(f"/proc/{child}/comm").read_text() == "systemd\n":
            return child
    return 0


def _security_updates(suite: str) -> str:
    """The line of apt's for them, from where this machine has its own; empty where it has none."""
    known = ["Origin: Debian", "Label: Debian-Security"]
    command = ["apt-get", "indextargets", "--format", "$(REPO_URI)", *known]
    places = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
    return f"deb {places[0]} {suite}-security main\n" if places else ""
