"""The agent that a command is for: the one on this machine, one at an address, or one found by its name."""

from __future__ import annotations

import argparse
import asyncio
import ipaddress
import os
import socket
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from agent.cli.client import Agent
from agent.cli.exits import CliError, Exit
from agent.cli.kept_key import kept_key
from agent.cli.text import plain
from agent.types import DEFAULT_PORT

if TYPE_CHECKING:  # what a command does not need it does not wait for
    from agent.config.settings import ApiSettings

KEY_VARIABLE: Final = "CAST_AGENT_KEY"
KEY_LIMIT: Final = 4096
"""Characters of a key file; a key has 47."""

FIND_TIMEOUT_S: Final = 5.0
"""A name is mostly found within 0.2 s; a question that is lost on the air is asked again after 1 s and after 3."""


def agent_of(options: argparse.Namespace) -> Agent:
    """The agent that `--on` names, with the key for it. Raises CliError, ConfigError."""
    key = key_from(options.key_file) or os.environ.get(KEY_VARIABLE, "").strip() or None
    agent = _own(options.config) if options.on is None else _named(options.on)
    return replace(agent, key=key or agent.key)


def key_from(file: Path | None) -> str | None:
    """The key that the file holds. Raises CliError."""
    if file is None:
        return None
    try:
        with file.open(encoding="ascii") as stream:
            key = stream.read(KEY_LIMIT).strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not text"
        raise CliError(Exit.NO_INPUT, "key_file", f"The key file {file} cannot be read: {reason}.") from error
    if not key or not key.isprintable() or " " in key:
        text = f"The key file {file} should hold a key and nothing else."
        raise CliError(Exit.NO_INPUT, "key_file", text)
    return key


def _own(config: Path | None) -> Agent:
    from agent.config.loader import SYSTEM_CONFIG, settings_beside

    settings = settings_beside(config)
    folders = [settings.state.directory()]
    if config in (None, SYSTEM_CONFIG):
        folders.append(SYSTEM_CONFIG.parent)
    return replace(own_agent(settings.api), key=kept_key(*folders))


def own_agent(api: ApiSettings) -> Agent:
    """The agent of this machine, with these settings."""
    host = "127.0.0.1" if api.host in ("0.0.0.0", "::") else api.host
    return Agent((host,), api.port, own=True)


def _named(text: str) -> Agent:
    agent = _at_address(text)
    if agent is None:
        return _on_the_lan(text)
    try:
        socket.getaddrinfo(agent.addresses[0], agent.port, type=socket.SOCK_STREAM)
    except socket.gaierror:  # a name in `.local` on a machine that cannot resolve those, or a device's name with dots
        return replace(_on_the_lan(agent.addresses[0]), tls=agent.tls)
    return agent


def _at_address(text: str) -> Agent | None:
    """The agent at an address or a host name; None for a name that only mDNS can resolve."""
    try:
        return Agent((str(ipaddress.ip_address(text.strip("[]"))),), DEFAULT_PORT)
    except ValueError:
        pass
    try:
        parts = urlsplit(text if "://" in text else f"http://{text}")
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return None
    if " " in text or not (host == "localhost" or "." in host or ":" in host or port or "://" in text):
        return None
    if parts.scheme not in ("http", "https") or not host or parts.path.strip("/") or parts.query or parts.username:
        text = f"--on {plain(text)}: an address is written as 192.168.1.20, tv.local:8090 or http://tv.local:8090."
        raise CliError(Exit.USAGE, "usage", text)
    tls = parts.scheme == "https"
    return Agent((host,), port or (443 if tls else DEFAULT_PORT), tls)


def _on_the_lan(name: str) -> Agent:
    from agent.discovery.browser import browse

    try:
        found = asyncio.run(browse(FIND_TIMEOUT_S, until=lambda one: one.is_called(name)))
    except OSError as error:
        raise cannot_listen(error) from error
    for one in found:
        if one.is_called(name):
            return Agent(one.addresses, one.port)
    others = ", ".join(plain(one.name) for one in found)
    there = f"There are: {others}." if found else "None was found at all: is this machine in the same network?"
    text = f"No agent called {plain(name)} was found on the network. {there} An address works, too."
    raise CliError(Exit.NO_HOST, "agent_not_found", text)


def cannot_listen(error: OSError) -> CliError:
    """The error for a machine on which mDNS is not available."""
    text = f"The network cannot be searched: UDP port 5353 cannot be used ({error.strerror or error})."
    return CliError(Exit.UNAVAILABLE, "mdns_unavailable", f"{text} See which program uses it: ss -lunp 'sport = :5353'")
