"""The check of the central API that this box reports to."""

from __future__ import annotations

from agent import __version__
from agent.config.loader import Settings
from agent.discovery.local_names import LocalNames
from agent.doctor.bounds import CHECK_TIMEOUT_S
from agent.doctor.findings import Finding, Level
from agent.errors import ConfigError
from agent.reporting.central.client import CentralClient
from agent.reporting.central.credentials import EnrolmentError, read_enrolment
from agent.reporting.central.enrol import warning_about
from agent.reporting.http.errors import ENROL_COMMAND, CallFailedError
from agent.util.threads import in_thread

NAME = "central API"

_CALL_TIMEOUT_S = CHECK_TIMEOUT_S - 1.0
"""The bound of a call: its own sentence is told, and not that something hangs."""


async def central(settings: Settings) -> Finding:
    """Check the registration with the central API."""
    url = settings.central.url
    try:
        folder = settings.state.directory()
        kept = await in_thread(lambda: read_enrolment(folder))
    except (ConfigError, EnrolmentError) as error:
        return Finding(Level.WARN, NAME, str(error))
    if kept is None:
        return _not_registered(settings)
    find_local = LocalNames(settings.discovery.interfaces).address
    client = CentralClient(
        url or kept.url, kept.token, agent_version=__version__, timeout_s=_CALL_TIMEOUT_S, find_local=find_local
    )
    try:
        device = await client.device(kept.device_id)
    except CallFailedError as error:
        return Finding(Level.WARN, NAME, str(error), "Until then the agent keeps its events and reports nothing.")
    finally:
        await client.close()
    found = f"{client.url} knows this box as {device.name} ({device.id})."
    return Finding(Level.OK, NAME, found, warning_about(client.url) or "")


def _not_registered(settings: Settings) -> Finding:
    url = settings.central.url
    if url is None:
        return Finding(Level.OK, NAME, "This box does not report to a central API.")
    if settings.central.token is not None:
        advice = "The agent registers it when it runs; if it runs already, `cast-agent status` says why that fails."
        return Finding(Level.WARN, NAME, f"This box is not registered at {url} yet.", advice)
    return Finding(Level.WARN, NAME, f"This box is not registered at {url}.", f"Run {ENROL_COMMAND.format(url=url)}")
