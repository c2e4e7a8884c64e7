"""Waits that end: whatever hangs, the doctor has said all it knows within 10 s."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

from agent.doctor.findings import Finding, Level

CHECK_TIMEOUT_S = 7.0
"""All checks run at once. Ending a player or a display afterwards takes 2 s at most, so that all is said in 10 s.
A player needs 0.1 s for its first word, and some seconds only from a cold SD card."""

ANSWER_TIMEOUT_S = 2.0
"""The longest wait for a sound server or an agent on this machine, which answer in milliseconds."""


async def bounded(name: str, look: Coroutine[Any, Any, Finding]) -> list[Finding]:
    """Return the finding, or a finding of its own if there is no answer in time."""
    try:
        async with asyncio.timeout(CHECK_TIMEOUT_S):
            return [await look]
    except TimeoutError:
        advice = "Something that it needs hangs: a disk, the display or the network's names."
        return [Finding(Level.FAIL, name, f"No answer within {CHECK_TIMEOUT_S:.0f} s.", advice)]
