"""Pairing links: each lets the page on one device get a key of its own, once and within five minutes."""

from __future__ import annotations

import hmac
import secrets
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Final, NamedTuple

from agent.access.keys import ApiKey, Kept, KeysError, Kind, SecretFile
from agent.host.clock import boot_id, since_boot

VALID_S: Final = 300.0

SHOWN_FOR_S: Final = 30.0
"""A link on the screen is valid for this long at least: somebody is about to scan it."""

TOKEN_BYTES: Final = 24
"""Random bytes of a token for the screen: 32 characters, so that the code stays coarse."""


class PairingLink(ApiKey):
    """A pairing link as it is stored."""

    boot_id: str
    """The run of the machine that `valid_until` counts in: clocks of boxes are set while they run."""
    valid_until: float
    """Seconds since the machine was switched on."""


LINKS: Final = Kind("pairing link", "cast-agent pair", "pairing-links.json", "cap_", PairingLink, Kept[PairingLink])


class _Shown(NamedTuple):
    token: str
    valid_until: float


class Pairing:
    """The links of the box whose state is in `folder`: those that `cast-agent pair` makes, which the daemon finds in a
    file, and those on the screen, which it keeps in memory. `now` gives seconds since the machine was switched on."""

    def __init__(self, folder: Path, *, now: Callable[[], float] = since_boot) -> None:
        self._file = SecretFile(folder, LINKS)
        self._now = now
        self._shown: deque[_Shown] = deque(maxlen=2)
        """The one that is on the screen, and the one before: somebody may just have scanned that."""

    def offer(self) -> str:
        """Make the token of a link, valid for VALID_S. Blocks for the disk. Raises KeysError."""
        for link in self._file.read():
            if not self._is_valid(link):
                self._file.revoke(link.name)
        return self._file.add(secrets.token_hex(4), boot_id=boot_id(), valid_until=self._now() + VALID_S)

    def take(self, token: str) -> bool:
        """Use up a link that a command has made; return True if it was valid. Blocks for the disk. Raises KeysError."""
        link = self._file.find(token)
        if link is None:
            return False
        try:
            self._file.revoke(link.name)
        except KeysError:
            if self._file.find(token) is not None:
                raise
            return False  # another caller was first
        return self._is_valid(link)

    def screen_token(self) -> str:
        """The token for the screen, valid for at least SHOWN_FOR_S. The same token is returned while that holds."""
        if not self._shown or self._shown[-1].valid_until - self._now() < SHOWN_FOR_S:
            self._shown.append(_Shown(secrets.token_urlsafe(TOKEN_BYTES), self._now() + VALID_S))
        return self._shown[-1].token

    def take_shown(self, token: str) -> bool:
        """Use up a link on the screen; return True if it was valid."""
        given = token.encode(errors="surrogateescape")
        found = [shown for shown in self._shown if hmac.compare_digest(shown.token.encode(), given)]
        for shown in found:
            self._shown.remove(shown)
        return any(shown.valid_until >= self._now() for shown in found)

    def _is_valid(self, link: PairingLink) -> bool:
        return link.boot_id == boot_id() and self._now() <= link.valid_until


def link_to(base: str, token: str) -> str:
    """The pairing link of the box at `base`. The token is in the fragment, which no browser sends and no log shows."""
    return f"{base}/pair#{token}"
