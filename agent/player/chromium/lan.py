"""The places to which a page from the internet may not lead: this box, and its network. Chromium refuses the requests
of scripts and frames of such a page (local network access, because nobody answers its prompt). Navigations of the page
itself are refused here."""

from __future__ import annotations

import ipaddress
from collections.abc import Collection, Mapping
from typing import Any, Final
from urllib.parse import urlsplit

from agent.media.origins import origin_of
from agent.player.chromium.cdp import Cdp

_PERMISSIONS: Final = ("local-network-access", "local-network", "loopback-network")
"""The names of the permission in several versions of Chromium; each version ignores those that it does not know."""

_LOCAL_NAMES: Final = ("localhost", "local", "lan", "home", "internal", "home.arpa", "fritz.box")


class Lan:
    """The rules for one page. The origins in `guests` may reach the network although they are on the internet."""

    def __init__(self, guests: Collection[str] = ()) -> None:
        self._guests = guests
        self._is_outside = False
        """True if the page on the screen, or the one that has just led elsewhere, is from the internet and no guest."""

    def admit(self, cdp: Cdp) -> None:
        """Have the browser grant the permission to the guests, too."""
        for origin in self._guests:
            for name in _PERMISSIONS:
                cdp.say("Browser.setPermission", origin=origin, permission={"name": name}, setting="granted")

    def refuses(self, url: str) -> bool:
        """Return True if a request for this address may not be sent."""
        return self._is_outside and _is_local(urlsplit(url).hostname or "")

    @staticmethod
    def refused(failure: Mapping[str, Any]) -> bool:
        """Return True if the browser itself has refused a request for this reason (`Network.loadingFailed`)."""
        error = str((failure.get("corsErrorStatus") or {}).get("corsError", ""))
        return "LocalNetwork" in error or "PrivateNetwork" in error

    def take(self, response: Mapping[str, Any]) -> bool:
        """Process an answer to a request for the page itself, or a redirection. Return True if the page may not be
        shown: only the address that answered tells that it is local."""
        try:
            address = ipaddress.ip_address(str(response.get("remoteIPAddress", "")).strip("[]"))
        except ValueError:  # it came from no network
            return False
        was_outside = self._is_outside
        is_guest = origin_of(str(response.get("url", ""))) in self._guests
        self._is_outside = address.is_global and not is_guest
        return was_outside and not address.is_global


def _is_local(host: str) -> bool:
    """Return True if the name alone tells that the host is local."""
    host = host.removesuffix(".")  # which only says that the name is complete
    try:
        return not ipaddress.ip_address(host).is_global
    except ValueError:
        return "." not in host or host.endswith(tuple(f".{name}" for name in _LOCAL_NAMES))
