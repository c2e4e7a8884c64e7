"""A container engine of the test's own: podman with storage of its own, and Compose that talks to it."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from pathlib import Path
from types import TracebackType

import yaml

from bench.processes import command_of
from tests.support.debian import bootstrap
from tests.support.tools import LOOK_EVERY_S, program, wait_until

ROOT = Path(__file__).parents[2]
IMAGES = Path(__file__).with_name("images")
SLIM = ROOT / ".cache" / "slim-trixie"
"""The base image as debootstrap makes it; made once, in about a minute."""

BUILD_S = 900
COMMAND_S = 300
"""The longest builds the image of the service: apt and pip, over the network."""
START_S = 20
HEALTH_EVERY_S = 2.0
HEALTHY_S = 60.0
"""RabbitMQ takes longest."""


def missing() -> str:
    """The reason why containers cannot be tried here, for a person; empty when they can."""
    if os.geteuid() != 0:
        return "needs root"
    absent = [tool for tool in ("podman", "debootstrap", "ffmpeg", "curl") if shutil.which(tool) is None]
    absent += [name for name in ("mediamtx", "versitygw") if program(name) is None]
    if not _has_compose():
        absent.append("docker-compose 2")
    return f"needs {', '.join(absent)}" if absent else ""


class Engine:
    """`with Engine() as engine: engine.run("docker compose up --detach", folder)`. It has all images of `deploy/` but
    that of the service itself."""

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="containers-", dir="/var/tmp"))
        places = {"root": "storage", "runroot": "run", "network-config-dir": "networks"}
        self._podman = ["podman", *(f"--{name}={self._folder / place}" for name, place in places.items())]
        self._podman.append("--storage-opt=skip_mount_home=true")  # a mount that would be left behind
        self._socket = self._folder / "socket"
        self._service: subprocess.Popen[bytes] | None = None
        self._ended = threading.Event()
        self._health = threading.Thread(target=self._check_health)

    def __enter__(self) -> Engine:
        try:
            self._make_images()
            self._make_docker()
            self._start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None:
            for name in self.podman("ps", "--all", "--format={{.Names}}").split():
                print(f"==> {name}\n{self.podman('logs', '--tail=30', name)}")
        self.close()

    def close(self) -> None:
        """Remove the containers, the images and all that was stored."""
        self._ended.set()
        if self._health.is_alive():
            self._health.join()
        if self._service is not None:
            self._service.terminate()
            self._service.wait(START_S)
        self.podman("rm", "--all", "--force", "--volumes", "--time=0")
        self.podman("network", "prune", "--force")
        for pid in self._left():
            os.kill(pid, signal.SIGKILL)
        shutil.rmtree(self._folder)

    def podman(self, *arguments: str, timeout_s: float = COMMAND_S) -> str:
        """Both outputs of a command of podman's."""
        return _run([*self._podman, *arguments], timeout_s=timeout_s)

    def run(self, command: str, folder: Path, *, timeout_s: float = COMMAND_S) -> str:
        """Run shell commands as a person would, `docker compose` among them; both outputs."""
        environ = os.environ | {
            "DOCKER_HOST": f"unix://{self._socket}",
            "DOCKER_BUILDKIT": "0",  # podman builds by itself
            "PATH": f"{self._folder / 'bin'}:{os.environ['PATH']}",
        }
        return _run(["bash", "-euc", command], cwd=folder, environ=environ, timeout_s=timeout_s)

    def wait(self, command: str, folder: Path, *, timeout_s: float) -> str:
        """Run commands again and again until they succeed; their outputs then."""
        deadline = time.monotonic() + timeout_s
        while True:
            try:
                return self.run(command, folder)
            except AssertionError:
                if time.monotonic() > deadline:
                    raise
            time.sleep(LOOK_EVERY_S)

    def wait_until_healthy(self, service: str) -> None:
        """Until the health check of the container of this service succeeds."""
        container = f"cast-central-{service}-1"
        look = ("inspect", "--format={{.State.Health.Status}}", container)
        wait_until(
            lambda: self.podman(*look).strip() == "healthy", timeout_s=HEALTHY_S, what=f"the health of {container}"
        )

    def _left(self) -> list[int]:
        """The processes that podman leaves for five minutes behind each `docker compose exec`; they would make the
        storage anew then."""
        pids = [int(folder.name) for folder in Path("/proc").glob("[0-9]*")]
        return [pid for pid in pids if any(str(self._folder) in word for word in command_of(pid))]

    def _make_images(self) -> None:
        bootstrap("trixie", SLIM, finish=_trust_as_this_machine)
        with subprocess.Popen(["tar", "-C", SLIM, "-c", "."], stdout=subprocess.PIPE) as archive:
            subprocess.run(
                [*self._podman, "import", "-", "docker.io/library/debian:trixie-slim"],
                stdin=archive.stdout,
                check=True,
                stdout=subprocess.DEVNULL,
                timeout=BUILD_S,
            )
        for image in _images():
            name = image.partition(":")[0].rpartition("/")[2]
            tag = f"docker.io/{image if '/' in image else f'library/{image}'}"
            context = self._folder / "context" / name
            shutil.copytree(IMAGES / name, context)
            if (binary := program(name)) is not None:
                shutil.copy(binary, context / name)
            self.podman("build", "--pull=never", "--format=docker", f"--tag={tag}", str(context), timeout_s=BUILD_S)

    def _make_docker(self) -> None:
        """`docker compose`, where a machine has Compose alone."""
        docker = self._folder / "bin" / "docker"
        docker.parent.mkdir()
        docker.write_text('#!/bin/sh\nshift\nexec docker-compose "$@"\n')
        docker.chmod(0o755)

    def _start(self) -> None:
        with (self._folder / "log").open("wb") as log:
            self._service = subprocess.Popen(
                [*self._podman, "system", "service", "--time=0", f"unix://{self._socket}"], stdout=log, stderr=log
            )
        wait_until(self._socket.exists, timeout_s=START_S, what="the socket of podman")
        self._health.start()

    def _check_health(self) -> None:
        """What systemd's timers do for podman, and Docker does by itself."""
        while not self._ended.wait(HEALTH_EVERY_S):
            for name in subprocess.run([*self._podman, "ps", "--quiet"], capture_output=True, text=True).stdout.split():
                subprocess.run([*self._podman, "healthcheck", "run", name], capture_output=True)


def _run(
    command: list[str], *, timeout_s: float, cwd: Path | None = None, environ: dict[str, str] | None = None
) -> str:
    done = subprocess.run(
        command,
        cwd=cwd,
        env=environ,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=timeout_s,
    )
    assert done.returncode == 0, f"{command[-1]}: {done.returncode}\n{done.stdout[-4000:]}"
    return done.stdout


def _has_compose() -> bool:
    """Return True if Compose is here, and not the first, which does not read the files."""
    if shutil.which("docker-compose") is None:
        return False
    said = subprocess.run(["docker-compose", "version", "--short"], capture_output=True, text=True).stdout
    return not said.lstrip("v").startswith("1.")


def _images() -> list[str]:
    """Those that the files in `deploy/` name."""
    files = [yaml.safe_load((ROOT / "deploy" / name).read_text()) for name in ("compose.yaml", "compose.full.yaml")]
    return [service["image"] for file in files for service in file["services"].values() if "image" in service]


def _trust_as_this_machine(root: Path) -> None:
    """pip trusts whom this machine trusts, as where a proxy stands before the network."""
    shutil.copy("/etc/ssl/certs/ca-certificates.crt", root / "etc/host-certificates.crt")
    (root / "etc/pip.conf").write_text("[global]\ncert = /etc/host-certificates.crt\n")
