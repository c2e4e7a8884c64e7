"""The check of whether Home Assistant can find and add the box."""

from __future__ import annotations

import errno

from agent.config.loader import Settings
from agent.doctor.findings import Finding, Level
from agent.doctor.port import ask_agent, bind_problem
from agent.errors import StorageError
from agent.frontends.esphome.key import KeyFile
from agent.util.threads import in_thread

_NAME = "Home Assistant"


async def home_assistant(settings: Settings) -> Finding:
    """Check whether the Home Assistant face listens, or could; who is connected; and whether the box can be added
    now."""
    if not settings.esphome.enabled:
        return Finding(Level.OK, _NAME, "It cannot connect ([esphome] enabled = false).")
    try:
        has_key = await in_thread(KeyFile(settings.state.directory()).read) is not None
    except StorageError as error:
        return Finding(Level.WARN, _NAME, str(error))
    host, port = settings.esphome.host or settings.api.host, settings.esphome.port
    problem = await in_thread(lambda: bind_problem(host, port))
    if problem is not None and problem.errno != errno.EADDRINUSE:
        found = f"Port {port} on {host} cannot be used ({problem.strerror})."
        return Finding(Level.WARN, _NAME, found, "Change [esphome] host or port.")
    agent = await ask_agent(settings.api.host, settings.api.port) if settings.api.port else None
    if agent is None and problem is not None:
        found = f"Port {port} on {host} is taken by another program."
        advice = f"See which (ss -ltnp 'sport = :{port}'), or change [esphome] port."
        return Finding(Level.WARN, _NAME, found, advice)
    told = (agent or {}).get("esphome") or {}
    if told.get("problem"):
        return Finding(Level.WARN, _NAME, str(told["problem"]))
    if has_key:
        clients = ", ".join(told.get("clients", ()))
        found = f"Connected: {clients}." if clients else "The box has a key: it was added, or can be with that key."
        return Finding(Level.OK, _NAME, found)
    if told.get("window_s"):
        found = f"The first one that comes can add the box, for {told['window_s'] / 60:.0f} minutes yet."
        return Finding(Level.OK, _NAME, found)
    found = "None has added the box, and none can now." if told else "None has added the box yet."
    return Finding(Level.OK, _NAME, found, "To let one add it: cast-agent esphome pair.")
