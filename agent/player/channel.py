"""The player process's end of the socket pair, and its life line: it never outlives the daemon."""

from __future__ import annotations

import ctypes
import os
import queue
import signal
import socket
import threading
from typing import Any

from agent.player.ipc import MAX_LINE_BYTES, Report, decode_command, encode

_PR_SET_PDEATHSIG = 1


def die_with_parent(parent_pid: int) -> None:
    """Have the kernel kill this process when the daemon's main thread ends, however it ends."""
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent_pid:  # it died before the line above
        os._exit(0)


class Channel:
    """Puts the daemon's commands into `inbox` as they come, and sends reports. When the daemon is gone, so is this
    process: at once, from the reading thread, whatever the others hang in."""

    def __init__(self, fd: int, inbox: queue.SimpleQueue[Any]) -> None:
        self._socket = socket.socket(fileno=fd)
        self._inbox = inbox
        threading.Thread(target=self._read, name="commands", daemon=True).start()

    def send(self, report: Report) -> None:
        """Send a report. Only one thread sends."""
        try:
            self._socket.sendall(encode(report))
        except OSError:
            os._exit(0)

    def _read(self) -> None:
        with self._socket.makefile("rb") as lines:
            while line := lines.readline(MAX_LINE_BYTES):
                try:
                    self._inbox.put(decode_command(line))
                except ValueError:
                    os._exit(2)  # the daemon speaks another version: only a new process helps
        os._exit(0)
