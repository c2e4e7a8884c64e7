"""A PostgreSQL server of the tests' own: in a folder of its own, on a loopback port, gone afterwards."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path

from tests.support.tools import LOOK_EVERY_S

START_S = 20.0
_OPTIONS = ("fsync=off", "full_page_writes=off", "max_connections=60", "shared_buffers=32MB")
"""A power cut does not matter here, and every test waits for less."""


class PostgresServer:
    """Started with `start`; `stop` and `start` again play an outage."""

    def __init__(self, *, options: tuple[str, ...] = _OPTIONS) -> None:
        self._bin = _binaries()
        self._options = options
        self._user = _user()
        self._folder = Path(tempfile.mkdtemp(prefix="central-postgres-"))
        self._folder.chmod(0o755)
        self._data = self._folder / "data"
        self._data.mkdir()
        if self._user is not None:
            for folder in (self._folder, self._data):
                shutil.chown(folder, self._user)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port: int = free.getsockname()[1]
        self._process: subprocess.Popen[bytes] | None = None
        self._run("initdb", "-D", str(self._data), "-U", "central", "-A", "trust", "-E", "UTF8", "--locale=C", "-N")

    @property
    def pids(self) -> set[int]:
        return {self._process.pid} if self._process is not None else set()

    def url(self, name: str) -> str:
        return f"postgresql://central@127.0.0.1:{self.port}/{name}"

    def start(self) -> None:
        """Returns once it takes connections."""
        arguments = ["-D", str(self._data), "-p", str(self.port), "-h", "127.0.0.1", "-k", str(self._folder)]
        for option in self._options:
            arguments += ["-c", option]
        log = (self._folder / "log").open("ab")
        with log:
            self._process = subprocess.Popen(
                [str(self._bin / "postgres"), *arguments],
                user=self._user,
                stdout=log,
                stderr=log,
                cwd=self._folder,
                process_group=0,  # Ctrl-C is not for it: who uses it ends first
            )
        deadline = time.monotonic() + START_S
        ready = [str(self._bin / "pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(self.port), "-U", "central"]
        while subprocess.run(ready, check=False).returncode:
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"PostgreSQL does not start: {(self._folder / 'log').read_text()[-2000:]}")
            time.sleep(LOOK_EVERY_S)

    def stop(self) -> None:
        """Stop it at once, like a crash."""
        if self._process is not None:
            self._process.send_signal(3)  # SIGQUIT: immediate shutdown
            self._process.wait(START_S)
            self._process = None

    def close(self) -> None:
        self.stop()
        shutil.rmtree(self._folder, ignore_errors=True)

    def log(self) -> str:
        """The log of the server so far, deadlocks among it."""
        return (self._folder / "log").read_text(errors="replace")

    def sql(self, text: str, *, database: str = "postgres") -> str:
        """The output of psql."""
        return self._run(
            "psql", "-h", "127.0.0.1", "-p", str(self.port), "-U", "central", "-d", database, "-qAtc", text
        )

    def dump(self, database: str) -> str:
        """The output of pg_dump: plain SQL that any later server takes."""
        options = ["--inserts", "--no-owner", "--no-privileges", "-h", "127.0.0.1", "-p", str(self.port)]
        text = self._run("pg_dump", *options, "-U", "central", database)
        # What newer clients write and older servers do not take.
        lines = [
            line for line in text.splitlines() if not line.startswith(("\\", "SET ", "SELECT pg_catalog.set_config"))
        ]
        return "\n".join(line for line in lines if line and not line.startswith("--")) + "\n"

    def load(self, text: str, *, database: str) -> None:
        """Carry out what `dump` made."""
        file = self._folder / "load.sql"
        file.write_text(text)
        file.chmod(0o644)
        options = ["-h", "127.0.0.1", "-p", str(self.port), "-U", "central", "-d", database]
        self._run("psql", *options, "-q", "-v", "ON_ERROR_STOP=1", "-f", str(file))

    def _run(self, program: str, *arguments: str) -> str:
        done = subprocess.run(
            [str(self._bin / program), *arguments],
            user=self._user,
            cwd=self._folder,
            check=False,
            capture_output=True,
            text=True,
        )
        if done.returncode:
            raise RuntimeError(f"{program}: {done.stderr.strip()}")
        return done.stdout.strip()


def _binaries() -> Path:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: float(path.parts[4]))
    if not found:
        raise RuntimeError("PostgreSQL is not installed; the tests of central need it: apt install postgresql")
    return found[-1].parent


def _user() -> str | None:
    """PostgreSQL refuses to run as root."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name).pw_name
        except KeyError:
            continue
    raise RuntimeError("There is no unprivileged user to run PostgreSQL as.")
