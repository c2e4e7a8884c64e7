"""The command line: `cast-agent run`."""

from __future__ import annotations

import argparse
import asyncio
import sys
from pathlib import Path

from agent import __version__, log
from agent.config import load_settings
from agent.daemon import run
from agent.errors import ConfigError

EXIT_CONFIG = 78
"""EX_CONFIG of sysexits.h: systemd and people can tell a wrong configuration from a crash."""


def main(arguments: list[str] | None = None) -> int:
    """Entry point of the `cast-agent` command; returns its exit code."""
    options = _parser().parse_args(arguments)
    try:
        settings = load_settings(options.config)
        log.configure(settings.log)
        asyncio.run(run(settings))
    except ConfigError as e:
        print(f"cast-agent: {e}", file=sys.stderr)
        return EXIT_CONFIG
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="cast-agent", description="Puts a stream on the screen when home automation asks for it."
    )
    parser.add_argument("--version", action="version", version=f"cast-agent {__version__}")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    run_command = commands.add_parser("run", help="run the agent until it is told to stop (Ctrl-C, SIGTERM)")
    run_command.add_argument(
        "--config", type=Path, metavar="FILE", help="configuration in TOML; without one the defaults hold"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
