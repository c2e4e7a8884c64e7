"""The announcement of this box on the LAN: its services, their names and their TXT records."""

from __future__ import annotations

import contextlib
from collections.abc import Collection
from pathlib import Path
from typing import Final

from zeroconf import ServiceInfo

from agent.discovery.interfaces import Address
from agent.host.identity import host_name
from agent.types import Auth, DeviceInfo, LanService

AGENT_TYPE: Final = "_cast-agent._tcp.local."
PAGE_TYPE: Final = "_http._tcp.local."
"""The type for browsers of web pages: the page that they find is the remote-control page."""

_NAME_LIMIT: Final = 63 - len("-99")
"""Bytes of an instance name (RFC 6763, 4.1.1), with room for the number that a conflict adds."""

_MODEL_FILES: Final = (Path("/sys/firmware/devicetree/base/model"), Path("/sys/class/dmi/id/product_name"))
_MODEL_LIMIT: Final = 63


def services(
    device: DeviceInfo, *, names: tuple[str, str], port: int, addresses: Collection[Address], auth: Auth, model: str
) -> tuple[ServiceInfo, ServiceInfo]:
    """The agent and its page; `names` are what the two are called. The identity is `id`: names change."""
    about = {
        "txtvers": "1",
        "id": device.id,
        "md": model,
        "vs": device.version,
        "api": "1",
        "path": "/",
        "auth": auth.value,
    }
    packed = [address.packed for address in addresses]
    host = f"{host_name(device.id)}."
    return (
        ServiceInfo(AGENT_TYPE, names[0], port, properties=about, server=host, addresses=packed),
        ServiceInfo(PAGE_TYPE, names[1], port, properties={"txtvers": "1", "path": "/"}, server=host, addresses=packed),
    )


def other_service(service: LanService, addresses: Collection[Address]) -> ServiceInfo:
    """A service under a host name of its own."""
    kind = f"{service.kind}.local."
    return ServiceInfo(
        kind,
        f"{service.name}.{kind}",
        service.port,
        properties=dict(service.txt),
        server=f"{service.name}.local.",
        addresses=[address.packed for address in addresses],
    )


def wanted_names(device: DeviceInfo) -> tuple[str, str]:
    """The full names that the agent and its page would like to have."""
    name = label(device.name)
    return f"{name}.{AGENT_TYPE}", f"{name}.{PAGE_TYPE}"


def label(name: str) -> str:
    """A device's name as the LAN sees it. Dots become dashes: python-zeroconf would make labels of what they part."""
    cut = name.replace(".", "-").encode()[:_NAME_LIMIT].decode(errors="ignore").strip()
    return cut or "cast-agent"


def model() -> str:
    """The kind of machine, for people. Blocks for the file system."""
    for file in _MODEL_FILES:
        with contextlib.suppress(OSError, UnicodeDecodeError):
            text = file.read_text().strip("\0 \n")
            if text.isprintable() and 0 < len(text.encode()) <= _MODEL_LIMIT:
                return text
    return "Linux"
