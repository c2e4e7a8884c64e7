"""Redis and RabbitMQ of the tests' own: each in a folder of its own, on a loopback port, gone afterwards."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
from pathlib import Path

from tests.support.sockets import free_port
from tests.support.tools import end, last_words, need, wait_until

REDIS_START_S = 10.0
RABBIT_START_S = 60.0
"""Erlang and the plug-ins take some 10 s on a busy machine."""
PASSWORD = "of-the-tests"
RABBITMQ = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")
"""The program itself: what is on the PATH in Debian changes to a user of its own."""


class Server:
    """Started with `start`; `end` and `start` again play a crash."""

    start_s: float

    def __init__(self, name: str) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix=f"central-{name}-"))
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self._log = self.folder / "log"

    @property
    def pids(self) -> set[int]:
        return {self._process.pid} if self._process is not None else set()

    @property
    def command(self) -> list[str]:
        raise NotImplementedError

    @property
    def environ(self) -> dict[str, str]:
        return {}

    def start(self) -> None:
        """Returns once it takes connections."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                self.command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.folder,
                env=os.environ | self.environ,
                process_group=0,
            )
        wait_until(self._is_open, timeout_s=self.start_s, what=f"{self.command[0]} at port {self.port}")

    def send(self, number: int) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    def end(self, number: int = signal.SIGKILL) -> int:
        """Like a crash; the exit code."""
        if self._process is None:
            return 0
        end(self._process, with_signal=number)
        code, self._process = self._process.returncode, None
        return code

    def close(self) -> None:
        self.end()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _is_open(self) -> bool:
        assert self._process is not None
        if self._process.poll() is not None:
            raise RuntimeError(f"{self.command[0]} does not start: {last_words(self._log)}")
        with socket.socket() as connection:
            return connection.connect_ex(("127.0.0.1", self.port)) == 0


class RedisServer(Server):
    """With a password, and nothing kept on the disk."""

    start_s = REDIS_START_S

    def __init__(self) -> None:
        super().__init__("redis")

    @property
    def url(self) -> str:
        return f"redis://:{PASSWORD}@127.0.0.1:{self.port}/0"

    @property
    def command(self) -> list[str]:
        options = {"port": str(self.port), "bind": "127.0.0.1", "save": "", "requirepass": PASSWORD}
        return [need("redis-server"), *(word for name, value in options.items() for word in (f"--{name}", value))]


class RabbitServer(Server):
    """A node with a daemon of names of its own, which otherwise would be left behind."""

    start_s = RABBIT_START_S

    def __init__(self) -> None:
        super().__init__("rabbitmq")
        self._distribution, self._names_port = free_port(), free_port()
        self._names = subprocess.Popen([need("epmd"), "-port", str(self._names_port), "-address", "127.0.0.1"])

    @property
    def pids(self) -> set[int]:
        return super().pids | {self._names.pid}

    @property
    def url(self) -> str:
        return f"amqp://guest:guest@127.0.0.1:{self.port}/"

    @property
    def command(self) -> list[str]:
        return [str(RABBITMQ)]

    @property
    def environ(self) -> dict[str, str]:
        return {
            "HOME": str(self.folder),
            "ERL_EPMD_PORT": str(self._names_port),
            "RUNNING_UNDER_SYSTEMD": "yes",  # the script becomes the node, so that what is killed is the node
            "RABBITMQ_CONF_ENV_FILE": str(self.folder / "none"),
            "RABBITMQ_DIST_PORT": str(self._distribution),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(self.folder / "plugins"),
            "RABBITMQ_LOG_BASE": str(self.folder / "logs"),
            "RABBITMQ_MNESIA_BASE": str(self.folder / "data"),
            "RABBITMQ_NODENAME": f"cast-central-{self.port}@localhost",
            "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODE_PORT": str(self.port),
        }

    def close(self) -> None:
        end(self._names)
        super().close()
