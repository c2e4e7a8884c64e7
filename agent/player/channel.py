"""The player process's end of the socket pair, and its life line: it never outlives the daemon."""

from __future__ import annotations

import os
import queue
import socket
import threading
from collections.abc import Callable
from typing import Any

from agent.player.ipc import MAX_LINE_BYTES, Report, decode_command, encode


class Channel:
    """Puts the daemon's commands into `inbox` as they come, and sends reports. When the daemon is gone, so is this
    process: at once, from the reading thread, whatever the others hang in."""

    def __init__(
        self,
        fd: int,
        inbox: queue.SimpleQueue[Any],
        *,
        decode: Callable[[bytes], Any] = decode_command,
        limit: int = MAX_LINE_BYTES,
    ) -> None:
        """`decode` makes a command of a line of at most `limit` bytes; it raises ValueError."""
        self._decode = decode
        self._limit = limit
        self._socket = socket.socket(fileno=fd)
        self._inbox = inbox
        threading.Thread(target=self._read, name="commands", daemon=True).start()

    def send(self, report: Report) -> None:
        """Send a report. Only one thread sends."""
        self.say(encode(report))

    def say(self, line: bytes) -> None:
        """Send one line. Only one thread sends."""
        try:
            self._socket.sendall(line)
        except OSError:
            os._exit(0)

    def _read(self) -> None:
        with self._socket.makefile("rb") as lines:
            while line := lines.readline(self._limit):
                try:
                    self._inbox.put(self._decode(line))
                except ValueError:
                    os._exit(2)  # the daemon speaks another version: only a new process helps
        os._exit(0)
