"""The notifications to systemd: READY=1, STATUS=, WATCHDOG=1, RELOADING=1 and STOPPING=1 (sd_notify(3))."""

from __future__ import annotations

import asyncio
import os
import socket
import time
from collections.abc import MutableMapping

import structlog

WATCHDOG_PARTS = 3
"""The number of signs of life in one watchdog interval: one may be late, and one may get lost."""

log = structlog.get_logger(__name__)


class Notifier:
    """Speaks to the service manager that `environ` names; says nothing when there is none.

    The signs of life come from the event loop and stand for it alone: a loop that is stuck for longer than the
    interval has the daemon killed and started anew; a child process that hangs is the daemon's own business.
    Nothing waits here: a message that the socket does not take at once is lost, and the loss is logged. The variables
    are taken out of `environ`, so that no process of ours speaks in the daemon's name.
    """

    def __init__(self, environ: MutableMapping[str, str] = os.environ) -> None:
        self._interval_s = _watchdog_interval_s(environ) / WATCHDOG_PARTS
        self._address = _address(environ.pop("NOTIFY_SOCKET", ""))
        self._socket: socket.socket | None = None
        self._alive: asyncio.TimerHandle | None = None
        self._status = ""
        self._failed = False

    @property
    def is_told(self) -> bool:
        """Return True if there is a service manager, which restarts the daemon when it ends."""
        return bool(self._address)

    def start(self) -> None:
        """Begin to give signs of life, where systemd wants them: also while the daemon starts or stops."""
        if self._address:
            self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK)
            if self._interval_s:
                self._still_alive()

    def ready(self) -> None:
        """Requests are answered."""
        self._send("READY=1")

    def reloading(self) -> None:
        """Report that the settings are being reloaded, until `ready`."""
        self._send(f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def stopping(self) -> None:
        """Report that the daemon is on its way out."""
        self._send("STOPPING=1")

    def show(self, status: str) -> None:
        """Show this line in `systemctl status`."""
        if status != self._status:
            self._status = status
            self._send(f"STATUS={status}")

    def close(self) -> None:
        """No more signs of life. Idempotent."""
        if self._alive is not None:
            self._alive.cancel()
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _still_alive(self) -> None:
        self._send("WATCHDOG=1")
        self._alive = asyncio.get_running_loop().call_later(self._interval_s, self._still_alive)

    def _send(self, message: str) -> None:
        if self._socket is None:
            return
        try:
            self._socket.sendto(message.encode(errors="replace"), self._address)
            self._failed = False
        except OSError as error:
            level = log.debug if self._failed else log.warning
            level("systemd_notify_failed", message=message.partition("\n")[0], reason=error.strerror)
            self._failed = True


def _address(text: str) -> str:
    """The address of the socket; a leading @ stands for the abstract namespace. Other kinds (vsock) are for virtual
    machines."""
    if text.startswith("@"):
        return "\0" + text[1:]
    return text if text.startswith("/") else ""


def _watchdog_interval_s(environ: MutableMapping[str, str]) -> float:
    """Seconds after which a silent process is killed; 0 when nobody watches this one (sd_watchdog_enabled(3))."""
    microseconds = environ.pop("WATCHDOG_USEC", "")
    for_us = environ.pop("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
    return int(microseconds) / 1e6 if for_us and microseconds.isdecimal() else 0.0
