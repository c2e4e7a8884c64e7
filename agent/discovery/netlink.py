"""Hears from the kernel when addresses and links change (rtnetlink(7))."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable
from typing import Final

_LINK, _IPV4_ADDRESS, _IPV6_ADDRESS = 0x1, 0x10, 0x100
"""RTMGRP_LINK, RTMGRP_IPV4_IFADDR, RTMGRP_IPV6_IFADDR of linux/rtnetlink.h."""

_MESSAGES_LIMIT: Final = 64 * 1024
"""Bytes read at once. What they say is not looked at: whoever is told looks at the addresses themselves."""


class AddressWatch:
    """Calls `changed` on the event loop after any change of an address or a link of this machine."""

    def __init__(self, changed: Callable[[], None]) -> None:
        self._changed = changed
        self._socket: socket.socket | None = None

    def open(self) -> None:
        """Begin to listen; again is harmless. Raises OSError."""
        if self._socket is not None:
            return
        listening = socket.socket(
            socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC, socket.NETLINK_ROUTE
        )
        try:
            listening.bind((0, _LINK | _IPV4_ADDRESS | _IPV6_ADDRESS))
        except OSError:
            listening.close()
            raise
        self._socket = listening
        asyncio.get_running_loop().add_reader(listening, self._read, listening)

    def close(self) -> None:
        """Idempotent."""
        if self._socket is not None:
            asyncio.get_running_loop().remove_reader(self._socket)
            self._socket.close()
            self._socket = None

    def _read(self, listening: socket.socket) -> None:
        # ENOBUFS: there were more messages than the kernel keeps; that, too, is a change.
        with contextlib.suppress(OSError):
            listening.recv(_MESSAGES_LIMIT)
        self._changed()
