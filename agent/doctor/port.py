"""The check of whether the agent could listen, or already does."""

from __future__ import annotations

import asyncio
import errno
import json
import socket
from collections.abc import Mapping
from typing import Any

from agent.config.loader import Settings
from agent.doctor.bounds import ANSWER_TIMEOUT_S
from agent.doctor.findings import Finding, Level
from agent.util.threads import in_thread

ANSWER_LIMIT = 64 * 1024
"""Bytes of an answer of the agent; /health has about one thousand."""


async def listening(settings: Settings) -> Finding:
    """Check whether the port is free, or an agent answers on it."""
    host, port = settings.api.host, settings.api.port
    problem = await in_thread(lambda: bind_problem(host, port))
    if problem is None:
        return Finding(Level.OK, "port", f"{port} on {host} is free: no agent runs." if port else "Any free port.")
    if problem.errno != errno.EADDRINUSE:
        found = f"Port {port} on {host} cannot be used ({problem.strerror})."
        return Finding(Level.FAIL, "port", found, "Change [api] host or port; ports below 1024 are root's.")
    answer = await ask_agent(host, port)
    if answer is None:
        found = f"{port} on {host} is taken by another program."
        return Finding(Level.FAIL, "port", found, f"See which (ss -ltnp 'sport = :{port}'), or change [api] port.")
    if answer.get("status") == "degraded":
        failing = {name: check for name, check in answer["checks"].items() if check.get("status") == "fail"}
        messages = " ".join(str(check.get("message")) for check in failing.values())
        works = answer.get("display") == answer.get("player") == "available"
        what = "and is not well" if works else "but a start would not work now"
        return Finding(Level.WARN, "port", f"An agent runs on {port}, {what}.", messages)
    return Finding(Level.OK, "port", f"An agent answers on {port}.")


def bind_problem(host: str, port: int) -> OSError | None:
    """The error of an attempt to listen there, or None. May block for the resolver."""
    try:
        family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind) as ours:
            ours.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as the agent does
            ours.bind(address)
            ours.listen()
    except OSError as e:
        return e
    return None


async def ask_agent(host: str, port: int) -> Mapping[str, Any] | None:
    """The health report of a cast-agent that listens there; empty if it refuses, None if it is another program."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    name = f"[{host}]" if ":" in host else host
    try:
        async with asyncio.timeout(ANSWER_TIMEOUT_S):
            reader, writer = await asyncio.open_connection(host, port, limit=ANSWER_LIMIT)
            try:
                writer.write(f"GET /health HTTP/1.1\r\nHost: {name}:{port}\r\nConnection: close\r\n\r\n".encode())
                head = await reader.readuntil(b"\r\n\r\n")
                body = await reader.read(ANSWER_LIMIT)
            finally:
                writer.close()
        answer = json.loads(body)
    except (OSError, TimeoutError, ValueError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
        return None
    if b"x-request-id" not in head.lower() or not isinstance(answer, dict):
        return None
    return answer if "checks" in answer else {}
