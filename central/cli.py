"""The command line: `cast-central run`, `worker`, `key add|list|revoke`, `enrol`, `backup`, `restore`, `openapi`."""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
from collections.abc import Awaitable, Callable, Coroutine
from datetime import timedelta
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypeVar

import uvloop

from cast_util import output
from central.backup import back_up
from central.config import load_settings, settings_beside
from central.core import log
from central.core.access.service import Access
from central.core.db.engine import Database, opened, sqlite_file
from central.core.db.migrate import migrate
from central.core.errors import CentralError, ConfigError, DatabaseUnavailableError
from central.core.settings import LogSettings
from central.core.types import Role
from central.daemon import run
from central.description import description
from central.devices.enrolments import Enrolments
from central.restore import Restore
from central.settings import Settings
from central.worker import run_worker

T = TypeVar("T")

EXIT_CONFIG = 78
"""EX_CONFIG of sysexits.h: systemd and people can tell a wrong configuration from a crash."""

EXIT_NO_INPUT = 66
"""EX_NOINPUT, as cast-agent has it: what cannot be read or written."""

EXIT_INTERRUPTED = 130
"""Ctrl-C."""


def main(arguments: list[str] | None = None) -> int:
    """Entry point of the `cast-central` command; returns its exit code."""
    output.prepare()
    try:
        code = _command(arguments)
        output.check()
        return code
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    except BrokenPipeError:  # the reader of our output has left, such as `head`
        output.discard()
        return 1
    except OSError as error:
        if not output.fails():
            raise
        output.discard()
        print(f"cast-central: The output cannot be written: {error.strerror}.", file=sys.stderr)
        return EXIT_NO_INPUT
    except ConfigError as error:
        print(f"cast-central: {error}", file=sys.stderr)
        return EXIT_CONFIG
    except CentralError as error:
        print(f"cast-central: {error}", file=sys.stderr)
        return 1


def _command(arguments: list[str] | None) -> int:
    try:
        options = _parser().parse_args(arguments)
    except SystemExit as done:  # --help, --version and a wrong command line
        return int(done.code or 0)
    return int(options.command(options))


def _run(options: argparse.Namespace) -> int:
    return _until_stopped(options, run)


def _worker(options: argparse.Namespace) -> int:
    return _until_stopped(options, run_worker)


def _until_stopped(options: argparse.Namespace, program: Callable[[Settings], Coroutine[Any, Any, None]]) -> int:
    settings = load_settings(options.config)
    log.configure(settings.log)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(program(settings))
    return 0


def _key_add(options: argparse.Namespace) -> int:
    key = _on_database(options, lambda database: Access(database).add_key(options.name, options.role))
    print(key)
    reach = "gives full access" if options.role is Role.ADMIN else "uploads videos, sees those that it uploaded"
    print(f"This key of {options.name!r} {reach}, and is shown only once.", file=sys.stderr)
    return 0


def _key_list(options: argparse.Namespace) -> int:
    keys = _on_database(options, lambda database: Access(database).keys())
    if not keys:
        print("There is no key. To make one: cast-central key add NAME", file=sys.stderr)
    for key in keys:
        state = f"revoked {key.revoked_at:%Y-%m-%d}" if key.revoked_at else "active"
        print(f"{key.name}\t{state}\tmade {key.created_at:%Y-%m-%d}\t{key.role}")
    return 0


def _key_revoke(options: argparse.Namespace) -> int:
    if _on_database(options, lambda database: Access(database).revoke_key(options.name)):
        print(f"The key {options.name!r} is revoked.")
        return 0
    print(f"There is no active key {options.name!r}; `cast-central key list` shows them.", file=sys.stderr)
    return 1


def _enrol(options: argparse.Namespace) -> int:
    if options.revoke:
        count = _on_database(options, lambda database: Enrolments(database).revoke())
        print(f"{count} enrolment tokens are revoked. Registered boxes stay registered.")
        return 0
    valid_for = timedelta(hours=options.hours)
    token = _on_database(options, lambda database: Enrolments(database).add(uses=options.uses, valid_for=valid_for))
    print(token)
    boxes = "one box" if options.uses == 1 else f"{options.uses} boxes"
    print(f"This token is for {boxes}, and for {options.hours:g} h. It is shown this once.", file=sys.stderr)
    print("On the box: cast-agent enrol --central URL-OF-THIS-SERVICE --enrol TOKEN", file=sys.stderr)
    return 0


def _backup(options: argparse.Namespace) -> int:
    settings = _settings_for_copying(options)
    made = back_up(settings, options.file, with_library=not options.without_library)
    what = f"{made.files} files of the library" if made.has_library else "not the library"
    print(
        f"Wrote {options.file}: {options.file.stat().st_size // 1_000_000} MB, the database and {what}.",
        file=sys.stderr,
    )
    return 0


def _restore(options: argparse.Namespace) -> int:
    manifest, lost = Restore(_settings_for_copying(options)).run(options.file, replace=options.replace)
    what = f"{sum(manifest.rows.values())} rows and {manifest.files - lost} files of the library"
    print(f"Restored the backup of {manifest.made_at:%Y-%m-%d %H:%M} UTC: {what}.")
    if lost:
        print(f"{lost} videos were deleted while it was made. They are `failed`, and are removed after 7 days.")
    return 0


def _settings_for_copying(options: argparse.Namespace) -> Settings:
    """The settings of the service; and SIGTERM has what was begun cleaned up, as Ctrl-C does."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    log.configure(LogSettings(level="error"))
    return settings_beside(options.config)


def _openapi(_options: argparse.Namespace) -> int:
    print(description(), end="")
    return 0


def _on_database(options: argparse.Namespace, do: Callable[[Database], Awaitable[T]]) -> T:
    """Run a command that needs only the database, so it works while the service is stopped, too."""
    settings = settings_beside(options.config)
    log.configure(LogSettings(level="error"))
    url = settings.database_url()
    file = sqlite_file(url)
    is_new = file is not None and not file.exists()

    async def done() -> T:
        async with opened(url) as database:
            try:
                await migrate(database)
                return await do(database)
            except DatabaseUnavailableError as error:
                cause = str(error.__cause__).partition("\n")[0]
                raise DatabaseUnavailableError(f"{database.url.render_as_string()}: {error}\n{cause}") from error

    result = asyncio.run(done())
    if is_new:
        print(
            f"Made the database {file}. A service that runs already uses another: name its --config.", file=sys.stderr
        )
    return result


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}."


def _name(text: str) -> str:
    if not 1 <= len(text) <= 200 or not text.isprintable():
        raise argparse.ArgumentTypeError("a name is 1 to 200 printable characters")
    return text


def _uses(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 10_000:
        raise argparse.ArgumentTypeError("a whole number from 1 to 10000")
    return int(text)


def _hours(text: str) -> float:
    try:
        hours = float(text)
    except ValueError:
        hours = 0.0
    if not 0 < hours <= 24 * 365:
        raise argparse.ArgumentTypeError("a number of hours, more than 0 and at most 8760")
    return hours


def _parser() -> argparse.ArgumentParser:
    common = argparse.ArgumentParser(add_help=False)
    config_help = "configuration in TOML (default: that of the installed service, if there is one)"
    common.add_argument("--config", type=Path, metavar="FILE", help=config_help)
    parser = argparse.ArgumentParser(
        prog="cast-central", description="What boxes report to, and what publishers are checked against."
    )
    parser.add_argument("--version", action="version", version=f"cast-central {version('cast-agent')}")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")

    def command(
        among: argparse._SubParsersAction[argparse.ArgumentParser],
        name: str,
        do: Callable[[argparse.Namespace], int],
        text: str,
    ) -> argparse.ArgumentParser:
        made = among.add_parser(name, help=text, description=_sentence(text), parents=[common])
        made.set_defaults(command=do)
        return made

    command(commands, "run", _run, "serve until it is told to stop (Ctrl-C, SIGTERM)")
    command(commands, "worker", _worker, "do the jobs of the library, beside the service or on another machine")
    keys = commands.add_parser("key", help="keys of people and programs").add_subparsers(
        required=True, metavar="COMMAND"
    )
    add = command(keys, "add", _key_add, "make one and print it")
    add.add_argument("name", type=_name, metavar="NAME")
    add.add_argument(
        "--upload",
        action="store_const",
        dest="role",
        const=Role.UPLOADER,
        default=Role.ADMIN,
        help="it may upload videos, and nothing else",
    )
    command(keys, "list", _key_list, "names, states and roles")
    command(keys, "revoke", _key_revoke, "revoke a key; it is refused from then on").add_argument(
        "name", type=_name, metavar="NAME"
    )
    enrol = command(commands, "enrol", _enrol, "make a token with which boxes register, and print it")
    enrol.add_argument("--uses", type=_uses, default=1, metavar="N", help="for how many boxes (1)")
    enrol.add_argument("--hours", type=_hours, default=24.0, metavar="H", help="for how long (24)")
    enrol.add_argument("--revoke", action="store_true", help="revoke all tokens made so far instead")
    backup = command(commands, "backup", _backup, "write the database and the library to a file; the service may run")
    backup.add_argument("file", type=Path, metavar="FILE", help="replaced, if it is there, when the new one is whole")
    backup.add_argument("--without-library", action="store_true", help="leave out the files of videos")
    restore = command(commands, "restore", _restore, "put back what a backup holds; the service must not run")
    restore.add_argument("file", type=Path, metavar="FILE")
    restore.add_argument("--replace", action="store_true", help="delete the database and the library that are there")
    command(commands, "openapi", _openapi, "print the OpenAPI document")
    return parser


if __name__ == "__main__":
    sys.exit(main())
