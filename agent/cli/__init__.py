"""The command line. What a command needs is imported when it is run, so that all are quick."""

from __future__ import annotations

import os
import sys

from agent.cli.exits import CliError, Exit, as_json
from agent.cli.parser import parser
from agent.cli.text import plain
from agent.errors import ConfigError


def main(arguments: list[str] | None = None) -> int:
    """Entry point of the `cast-agent` command; returns its exit code."""
    options = parser().parse_args(arguments)
    try:
        code = int(options.command(options))
        sys.stdout.flush()
        return code
    except CliError as error:
        problem = error
    except ConfigError as error:
        problem = CliError(Exit.CONFIG, "config", str(error))
    except KeyboardInterrupt:
        return Exit.INTERRUPTED
    except BrokenPipeError:  # who read our output has left, such as `head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return Exit.FAILED
    sentences = "\n".join(map(plain, str(problem).splitlines()))
    print(f"cast-agent: {sentences}", file=sys.stderr)
    if getattr(options, "json", False):
        print(as_json(problem.problem))
    return problem.exit
