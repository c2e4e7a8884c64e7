"""The command line. What a command needs is imported when it is run, so that all are quick."""

from __future__ import annotations

import sys
from contextlib import suppress

from agent.cli.exits import CliError, Exit, UsageError, as_json
from agent.cli.parser import parser
from agent.cli.text import plain
from agent.errors import ConfigError
from cast_util import output


def main(arguments: list[str] | None = None) -> int:
    """Entry point of the `cast-agent` command; returns its exit code."""
    output.prepare()
    arguments = sys.argv[1:] if arguments is None else arguments
    json = "--json" in arguments
    try:
        code = _run(arguments)
        output.check()
        return code
    except CliError as error:
        problem = error
    except ConfigError as error:
        problem = CliError(Exit.CONFIG, "config", str(error))
    except KeyboardInterrupt:
        return Exit.INTERRUPTED
    except BrokenPipeError:  # the reader of our output has left, such as `head`
        output.discard()
        return Exit.FAILED
    except OSError as error:
        if not output.fails():
            raise
        output.discard()
        problem = CliError(Exit.NO_INPUT, "output", f"The output cannot be written: {error.strerror}.")
    if isinstance(problem, UsageError):
        output.say(problem.usage)
    output.say("cast-agent: " + "\n".join(map(plain, str(problem).splitlines())))
    if json:
        with suppress(OSError):
            print(as_json(problem.problem))
        if output.fails():
            output.discard()
    return problem.exit


def _run(arguments: list[str]) -> int:
    try:
        options = parser().parse_args(arguments)
    except SystemExit as done:  # --help and --version
        return int(done.code or 0)
    return int(options.command(options))
