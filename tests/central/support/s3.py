"""An S3 server of the tests' own on a loopback port: versitygw where there is one, and moto's anywhere else."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.support.tools import LOOK_EVERY_S, program

START_S = 20.0
ACCESS_KEY, SECRET_KEY = "tests", "not-a-secret"


class S3Server:
    """Started when it is made; `close` ends it."""

    def __init__(self) -> None:
        gateway = program("versitygw")
        self.is_real = gateway is not None
        """moto checks no signature, and to it all uploads began in 2010."""
        self._folder = Path(tempfile.mkdtemp(prefix="central-s3-"))
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
        if gateway is not None:
            (self._folder / "data").mkdir()
            command = [gateway, "--port", f"127.0.0.1:{port}", "--quiet", "posix", str(self._folder / "data")]
        environ = os.environ | {"ROOT_ACCESS_KEY": ACCESS_KEY, "ROOT_SECRET_KEY": SECRET_KEY}
        with (self._folder / "log").open("wb") as log:
            self._process = subprocess.Popen(command, env=environ, stdout=log, stderr=log, process_group=0)
        deadline = time.monotonic() + START_S
        while not _listens(port):
            if self._process.poll() is not None or time.monotonic() > deadline:
                said = (self._folder / "log").read_text()[-2000:]
                self.close()
                raise RuntimeError(f"The S3 server does not start: {said}")
            time.sleep(LOOK_EVERY_S)

    @property
    def pids(self) -> set[int]:
        return {self._process.pid}

    def close(self) -> None:
        self._process.kill()
        self._process.wait(START_S)
        shutil.rmtree(self._folder, ignore_errors=True)


def _listens(port: int) -> bool:
    with socket.socket() as tried:
        return tried.connect_ex(("127.0.0.1", port)) == 0
