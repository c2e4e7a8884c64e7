"""The check of whether DLNA controllers can find and use the box."""

from __future__ import annotations

from agent.config.loader import Settings
from agent.doctor.findings import Finding, Level
from agent.doctor.port import ask_agent, bind_problem
from agent.util.threads import in_thread

_NAME = "DLNA"


async def dlna(settings: Settings) -> Finding:
    """Check whether the renderer listens, or could, and who may call it."""
    if not settings.dlna.enabled:
        return Finding(Level.OK, _NAME, "It is off ([dlna] enabled = false).")
    host, port = settings.dlna.host or settings.api.host, settings.dlna.port
    problem = await in_thread(lambda: bind_problem(host, port))
    agent = await ask_agent(settings.api.host, settings.api.port) if problem is not None else None
    if problem is not None and agent is None:
        found = f"Port {port} on {host} cannot be had ({problem.strerror})."
        advice = f"See which program uses it (ss -ltnp 'sport = :{port}'), or change [dlna] host or port."
        return Finding(Level.WARN, _NAME, found, advice)
    if told := ((agent or {}).get("dlna") or {}).get("problem"):
        return Finding(Level.WARN, _NAME, str(told))
    if not settings.dlna.allow:
        advice = 'Add the addresses of others to allow under [dlna]: ["192.168.1.0/24"], for example.'
        return Finding(Level.WARN, _NAME, "Only this machine may call.", advice)
    return Finding(Level.OK, _NAME, f"These may call: {', '.join(settings.dlna.allow)}.")
