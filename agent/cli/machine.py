"""The commands for this machine itself: `run` and `doctor`."""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from dataclasses import asdict

from agent.cli.exits import as_json
from agent.config.loader import load_settings
from agent.config.settings import LogSettings
from agent.host import log


def run(options: argparse.Namespace) -> int:
    """`cast-agent run`. Raises ConfigError."""
    from agent.daemon import run

    settings = load_settings(options.config)
    log.configure(settings.log)
    asyncio.run(run(settings, load=lambda: load_settings(options.config)))
    return 0


def openapi(_options: argparse.Namespace) -> int:
    """`cast-agent openapi`."""
    from agent.frontends.http.description import description

    print(description(), end="")
    return 0


def doctor(options: argparse.Namespace) -> int:
    """`cast-agent doctor`."""
    from agent.cli.as_service import become, installed_service
    from agent.doctor.examine import examine
    from agent.doctor.findings import as_text, exit_code

    if os.geteuid() == 0 and options.config is None and (service := installed_service()) is not None:
        # Root's environment is not the service's: another sound server, another cookie, another home.
        become(service, ["doctor", *service.config, *(["--json"] if options.json else [])])
    log.configure(LogSettings(level="error"))  # what is wrong is in the findings
    findings = asyncio.run(examine(options.config))
    found = [asdict(finding) for finding in findings]
    print(as_json(found) if options.json else as_text(findings, colour=log.in_colour(sys.stdout)))
    return exit_code(findings)
