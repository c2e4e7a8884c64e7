"""The check of the secrets for logins of web pages: readable, and only by those who may."""

from __future__ import annotations

import asyncio
import stat
from functools import partial

from agent.config.loader import Settings
from agent.config.logins import LoginSettings
from agent.doctor.bounds import bounded
from agent.doctor.findings import Finding, Level
from agent.errors import ConfigError
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
