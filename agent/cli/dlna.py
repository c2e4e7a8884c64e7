"""The DLNA part of `cast-agent setup`: a person at a terminal is asked once who may call."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Final

from agent.cli.exits import CliError, Exit
from agent.config.loader import Settings
from agent.discovery.interfaces import lan_interfaces
from cast_util.output import say

_QUESTION: Final = """\
Which DLNA players, such as phones and Home Assistant's media browser, may use this screen? DLNA has no keys: whoever
may call can play and stop everything. Press Enter for none, or type lan for all of this network, or addresses and
networks: 192.168.1.20, 192.168.2.0/24"""


def dlna_section(given: str | None, settings: Settings) -> Mapping[str, object]:
    """The keys of [dlna] to be set: those that `--dlna` means; without it, where the configuration has no such section
    and a person is there, those that the answer means. Raises CliError."""
    answer = _answer(settings) if given is None else given
    if answer is None:
        return {}
    match who := [each.strip() for each in answer.split(",") if each.strip()]:
        case [] | ["off"]:
            return {"enabled": False}
        case ["lan"]:
            return {"enabled": True, "allow": _networks(settings)}
        case _:
            return {"enabled": True, "allow": who}


def _answer(settings: Settings) -> str | None:
    """None where there is nobody to ask, or no need to."""
    if "dlna" in settings.model_fields_set or not sys.stdin.isatty():
        return None
    say(_QUESTION)
    return sys.stdin.readline() or None  # the end of the input is no answer


def _networks(settings: Settings) -> list[str]:
    """The networks of this machine."""
    interfaces = lan_interfaces(settings.discovery.interfaces)
    networks = (network for interface in interfaces for network in interface.networks)
    if not (found := [str(network) for network in networks if not network.is_link_local]):
        text = "This machine is in no IPv4 network now. Name the addresses that may call: --dlna 192.168.1.0/24"
        raise CliError(Exit.FAILED, "dlna", text)
    return found
