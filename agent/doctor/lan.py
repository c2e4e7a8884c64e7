"""The check of whether the box can be found on the LAN."""

from __future__ import annotations

import socket

from agent.config.loader import Settings
from agent.discovery.interfaces import lan_interfaces
from agent.doctor.findings import Finding, Level

MDNS_PORT = 5353
"""RFC 6762, 3."""

_NAME = "mDNS"


def found_on_lan(settings: Settings) -> Finding:
    """Check whether there is a network to announce the box on, and a way to do so. Announces nothing."""
    if not settings.discovery.enabled:
        return Finding(Level.OK, _NAME, "It is switched off ([discovery] enabled = false).")
    if settings.api.host in ("127.0.0.1", "::1", "localhost"):
        return Finding(Level.OK, _NAME, "Not announced: [api] host is this machine only.")
    interfaces = lan_interfaces(settings.discovery.interfaces)
    if not interfaces:
        wanted = ", ".join(settings.discovery.interfaces)
        found = f"None of the interfaces {wanted} has an address." if wanted else "This machine is in no network."
        advice = (
            "Look at [discovery] interfaces and `ip address`."
            if wanted
            else "The agent announces the box once there is one."
        )
        return Finding(Level.WARN, _NAME, found, advice)
    if (problem := _cannot_share_port()) is not None:
        found = f"Port {MDNS_PORT} cannot be shared ({problem.strerror}), so the box is not found by its name."
        return Finding(Level.WARN, _NAME, found, f"See which program uses it: ss -lunp 'sport = :{MDNS_PORT}'.")
    places = ", ".join(f"{i.name} ({', '.join(map(str, i.addresses))})" for i in interfaces)
    return Finding(Level.OK, _NAME, f"The box can be announced on {places}.")


def _cannot_share_port() -> OSError | None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as ours:
        ours.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        ours.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        try:
            ours.bind(("", MDNS_PORT))
        except OSError as error:
            return error
    return None
