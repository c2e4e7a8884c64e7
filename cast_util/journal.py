"""Lines for systemd's journal: whether a stream goes there, and the priority of a line."""

from __future__ import annotations

import logging
import os
from typing import TextIO

_PRIORITIES = ((logging.CRITICAL, 2), (logging.ERROR, 3), (logging.WARNING, 4), (logging.INFO, 6))
"""The priority of syslog(3) from each level on; 7 is debug."""


def is_journal(stream: TextIO) -> bool:
    """Return True if systemd made this stream and gives it to its journal (systemd.exec(5), $JOURNAL_STREAM)."""
    try:
        there = os.fstat(stream.fileno())
    except (OSError, AttributeError, ValueError):  # no file behind it, or a closed one
        return False
    return os.environ.get("JOURNAL_STREAM") == f"{there.st_dev}:{there.st_ino}"


def with_priority(text: str, level: int) -> str:
    """Mark each line: the journal makes an entry of its own of each."""
    priority = next((priority for least, priority in _PRIORITIES if level >= least), 7)
    return "\n".join(f"<{priority}>{line}" for line in text.split("\n"))
