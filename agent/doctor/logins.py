"""The check of the secrets for logins of web pages: readable, only by those who may, and sent where nobody listens."""

from __future__ import annotations

import asyncio
import socket
import stat
from functools import partial
from urllib.parse import urlsplit

from agent.config.loader import Settings
from agent.config.logins import LoginSettings
from agent.doctor.bounds import bounded
from agent.doctor.findings import Finding, Level
from agent.errors import ConfigError
from agent.media.urls import is_private
from agent.util.threads import in_thread

_NAME = "page log-ins"


async def logins(settings: Settings) -> list[Finding]:
    """A line for each that cannot be used or that others can read, or one when all are good; none when there are
    none."""
    looks = (bounded(_NAME, in_thread(partial(_look, login))) for login in settings.login)
    found = [finding for findings in await asyncio.gather(*looks) for finding in findings]
    if wrong := [finding for finding in found if finding.level is not Level.OK]:
        return wrong
    return found[:1]


def _look(login: LoginSettings) -> Finding:
    """Blocks for its file, and for DNS."""
    try:
        login.read_secret()
        mode = login.secret_file.stat().st_mode if login.secret_file is not None else 0
    except ConfigError as error:
        return Finding(Level.FAIL, _NAME, str(error), "Its pages are not shown until then (page_login).")
    except OSError as error:  # it has gone since
        return Finding(Level.FAIL, _NAME, f"The file {login.secret_file} cannot be looked at ({error.strerror}).")
    if mode & stat.S_IROTH:
        found = f"Every user can read {login.secret_file}, which holds the secret for {login.origin}."
        advice = f"Let its owner and the group of who runs cast-agent read it alone: chmod 640 {login.secret_file}"
        return Finding(Level.WARN, _NAME, found, advice)
    if address := _public_address(login.origin):
        found = f"The secret for {login.origin} crosses the internet unencrypted: the host is {address}."
        return Finding(Level.WARN, _NAME, found, "Use https:// for its pages and as the origin of the log-in.")
    return Finding(Level.OK, _NAME, "The secrets can be read. The servers were not asked whether they are right.")


def _public_address(origin: str) -> str:
    """An address outside of private networks of a server without encryption; empty if it has none. Blocks for DNS."""
    parts = urlsplit(origin)
    if parts.scheme != "http":
        return ""
    try:
        found = socket.getaddrinfo(parts.hostname, None, type=socket.SOCK_STREAM)
    except OSError:  # its page will say so
        return ""
    addresses = (str(address[0]) for *_, address in found)
    return next((address for address in addresses if not is_private(address)), "")
