"""The command line: `cast-agent run`, `cast-agent doctor`."""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from pathlib import Path

from agent import __version__, log
from agent.config import LogSettings, load_settings
from agent.daemon import run
from agent.doctor.examine import examine
from agent.doctor.findings import as_json, as_text, exit_code
from agent.errors import ConfigError

EXIT_CONFIG = 78
"""EX_CONFIG of sysexits.h: systemd and people can tell a wrong configuration from a crash."""


def main(arguments: list[str] | None = None) -> int:
    """Entry point of the `cast-agent` command; returns its exit code."""
    options = _parser().parse_args(arguments)
    try:
        return int(options.command(options))
    except ConfigError as e:
        print(f"cast-agent: {e}", file=sys.stderr)
        return EXIT_CONFIG


def _run(options: argparse.Namespace) -> int:
    settings = load_settings(options.config)
    log.configure(settings.log)
    asyncio.run(run(settings))
    return 0


def _doctor(options: argparse.Namespace) -> int:
    log.configure(LogSettings(level="error"))  # what is wrong is in the findings
    findings = asyncio.run(examine(options.config))
    colour = sys.stdout.isatty() and not os.environ.get("NO_COLOR")  # https://no-color.org
    print(as_json(findings) if options.json else as_text(findings, colour=colour))
    return exit_code(findings)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="cast-agent", description="Puts a stream on the screen when home automation asks for it."
    )
    parser.add_argument("--version", action="version", version=f"cast-agent {__version__}")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    run_command = commands.add_parser("run", help="run the agent until it is told to stop (Ctrl-C, SIGTERM)")
    run_command.set_defaults(command=_run)
    doctor = commands.add_parser(
        "doctor", help="say what works on this machine, and what to do about what does not; draws nothing"
    )
    doctor.add_argument("--json", action="store_true", help="a list of objects instead of lines")
    doctor.set_defaults(command=_doctor)
    for command in (run_command, doctor):
        command.add_argument(
            "--config", type=Path, metavar="FILE", help="configuration in TOML; without one the defaults hold"
        )
    return parser


if __name__ == "__main__":
    sys.exit(main())
