"""The check of whether the receivers of webhooks can be reached."""

from __future__ import annotations

import asyncio

from agent import __version__
from agent.config.loader import Settings
from agent.config.settings import WebhookSettings
from agent.discovery.local_names import LocalNames
from agent.doctor.bounds import ANSWER_TIMEOUT_S, CHECK_TIMEOUT_S
from agent.doctor.findings import Finding, Level
from agent.errors import ConfigError
from agent.media.urls import origin
from agent.reporting.http.client import Caller
from agent.reporting.http.errors import CallFailedError, of_busy
from agent.reporting.http.resolver import FindLocal
from agent.reporting.webhooks.webhook import gone, redirected, webhook_at
from agent.reporting.webhooks.webhooks import disabled_in, fingerprint
from agent.util.threads import in_thread

NAME = "webhooks"

_CALL_TIMEOUT_S = CHECK_TIMEOUT_S - 1.0
"""The bound of a call: its own sentence is told, and not that something hangs."""


async def webhooks(settings: Settings) -> list[Finding]:
    """A line for each that does not work, or one when all do; none when there are none."""
    hooks = settings.webhook
    if not hooks:
        return []
    disabled = await _disabled(settings)
    find_local = LocalNames(settings.discovery.interfaces).address
    looks = (_look(hook, disabled, find_local) for hook in hooks)
    found = [finding for finding in await asyncio.gather(*looks) if finding]
    if found:
        return found
    names = ", ".join(dict.fromkeys(origin(hook.url) for hook in hooks))
    return [Finding(Level.OK, NAME, f"{names} can be reached. Whether events are taken there is in /status.")]


async def _look(hook: WebhookSettings, disabled: frozenset[str], find_local: FindLocal) -> Finding | None:
    """Ask with OPTIONS, which changes nothing there: an event that nobody saw would set off automations."""
    peer = webhook_at(hook.url)
    if fingerprint(hook) in disabled:
        return Finding(Level.WARN, NAME, gone(peer.host))
    headers = {"User-Agent": f"cast-agent/{__version__}"}
    caller = Caller(peer, headers=headers, timeout_s=_CALL_TIMEOUT_S, answer_limit=0, find_local=find_local)
    try:
        answered = await caller.call("OPTIONS", hook.url)
    except CallFailedError as error:
        problem = str(error)
    else:
        if 300 <= answered.status < 400:
            problem = redirected(peer.host, answered.headers.get("Location", ""))
        elif (busy := of_busy(peer.host, answered.status, answered.headers)) is not None and answered.status != 501:
            problem = str(busy)
        else:  # most know no OPTIONS, and say so in many ways
            return None
    finally:
        await caller.close()
    return Finding(Level.WARN, NAME, problem, "Until then the agent keeps the events for it.")


async def _disabled(settings: Settings) -> frozenset[str]:
    try:
        folder = settings.state.directory()
        async with asyncio.timeout(ANSWER_TIMEOUT_S):
            return await in_thread(lambda: disabled_in(folder))
    except (ConfigError, OSError, ValueError, TimeoutError):
        return frozenset()  # the line of the state folder says what is wrong with it
