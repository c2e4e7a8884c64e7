"""The check of the secrets for logins of web pages: readable, only by those who may, and sent where nobody listens."""

from __future__ import annotations

import asyncio
import socket
import stat
from functools import partial
from urllib.parse import urlsplit

from agent.config.loader import Settings
from agent.config.logins import LoginSettings
from agent.doctor.bounds import ANSWER_TIMEOUT_S, bounded
from agent.doctor.findings import Finding, Level
from agent.errors import ConfigError
from agent.reporting.http.resolver import Names, PublicAddressError
from agent.util.threads import in_thread

_NAME = "page log-ins"


async def logins(settings: Settings, *, host_timeout_s: float = ANSWER_TIMEOUT_S) -> list[Finding]:
    """A line for each that cannot be used or that others can read, or one when all are good; none when there are none.
    A host that no name server knows within `host_timeout_s` is left to the page that needs it."""
    looks = (bounded(_NAME, _look(login, host_timeout_s)) for login in settings.login)
    found = [finding for findings in await asyncio.gather(*looks) for finding in findings]
    if wrong := [finding for finding in found if finding.level is not Level.OK]:
        return wrong
    return found[:1]


async def _look(login: LoginSettings, host_timeout_s: float) -> Finding:
    found = await in_thread(partial(_of_file, login))
    if found.level is Level.OK and (problem := await _crosses_the_internet(login.origin, host_timeout_s)):
        return Finding(Level.WARN, _NAME, problem, "Use https:// for its pages and as the origin of the log-in.")
    return found


def _of_file(login: LoginSettings) -> Finding:
    """Blocks for its file."""
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
    return Finding(Level.OK, _NAME, "The secrets can be read. The servers were not asked whether they are right.")


async def _crosses_the_internet(origin: str, timeout_s: float) -> str:
    """The problem with an origin on the internet without encryption; empty for any other, and for an unknown host."""
    parts = urlsplit(origin)
    if parts.scheme == "http":
        try:
            async with asyncio.timeout(timeout_s):
                await Names(private_only=True).resolve(parts.hostname or "", family=socket.AF_UNSPEC)
        except PublicAddressError as error:
            return f"The secret for {origin} crosses the internet unencrypted: {error.strerror}."
        except OSError:  # also no answer in time: the page says so when it is shown
            return ""
    return ""
