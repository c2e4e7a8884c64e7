"""The sections of the faces beside the HTTP API."""

from __future__ import annotations

import ipaddress
from typing import Annotated

from pydantic import AfterValidator, Field

from agent.types import DLNA_PORT, ESPHOME_PORT
from cast_util.settings import HostName, Port, Section


def _network(text: str) -> str:
    try:
        return str(ipaddress.ip_network(text, strict=False))
    except ValueError as error:
        raise ValueError("is neither an IP address nor a network such as 192.168.1.0/24") from error


class EspHomeSettings(Section):
    """Settings of ESPHome's native API, by which Home Assistant finds and controls the box."""

    enabled: bool = Field(default=True, description="true or false")
    host: HostName | None = Field(
        default=None, description="an IP address or a host name of this machine; without one that of [api]"
    )
    port: Port = Field(default=ESPHOME_PORT, description="a whole number from 0 (any free port) to 65535")


class DlnaSettings(Section):
    """The DLNA renderer: on or off, and the controllers that may call it, since DLNA has no keys."""

    enabled: bool = Field(default=False, description="true or false")
    allow: tuple[Annotated[str, AfterValidator(_network)], ...] = Field(
        default=(), max_length=64, description='a list of IP addresses and networks, such as ["192.168.1.0/24"]'
    )
    host: HostName | None = Field(
        default=None, description="an IP address or a host name of this machine; without one that of [api]"
    )
    port: Port = Field(default=DLNA_PORT, description="a whole number from 0 (any free port) to 65535")
