"""The commands for this machine itself: `run` and `doctor`."""

from __future__ import annotations

import argparse
import asyncio
import os
import sys

from agent import log
from agent.config import load_settings
from agent.sections import LogSettings


def run(options: argparse.Namespace) -> int:
    """`cast-agent run`. Raises ConfigError."""
    from agent.daemon import run

    settings = load_settings(options.config)
    log.configure(settings.log)
    asyncio.run(run(settings, load=lambda: load_settings(options.config)))
    return 0


def doctor(options: argparse.Namespace) -> int:
    """`cast-agent doctor`."""
    from agent.doctor.examine import examine
    from agent.doctor.findings import as_json, as_text, exit_code

    log.configure(LogSettings(level="error"))  # what is wrong is in the findings
    findings = asyncio.run(examine(options.config))
    colour = sys.stdout.isatty() and not os.environ.get("NO_COLOR")  # https://no-color.org
    print(as_json(findings) if options.json else as_text(findings, colour=colour))
    return exit_code(findings)
