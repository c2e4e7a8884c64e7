"""`cast-agent enrol`: registers this box with a central API, or has it report no more."""

from __future__ import annotations

import argparse
import sys
from typing import Final

from agent.cli.exits import CliError, Exit, as_json
from agent.cli.text import plain
from agent.config import Settings, installed_config, load_settings

_EXITS: Final = {"refused": Exit.NO_PERMISSION, "rejected": Exit.REFUSED, "passing": Exit.UNAVAILABLE}


def enrol(options: argparse.Namespace) -> int:
    """Raises CliError, ConfigError."""
    from agent.reporting.enrolment import EnrolmentError

    settings = load_settings(options.config or installed_config())
    if not options.forget and (options.central is None or options.enrol is None):
        raise CliError(Exit.USAGE, "usage", "Say where and with what: cast-agent enrol --central URL --enrol TOKEN")
    try:
        return _forget(settings, options.json) if options.forget else _enrol(settings, options)
    except EnrolmentError as error:
        raise CliError(_exit_of(error), "not_enrolled", str(error)) from error


def _enrol(settings: Settings, options: argparse.Namespace) -> int:
    from agent.reporting.enrol import enrol_now

    token = sys.stdin.readline(4096) if options.enrol == "-" else options.enrol
    done = enrol_now(options.central, token.strip(), folder=settings.state.directory(), name=settings.device.name)
    enrolment = done.enrolment
    if options.json:
        print(as_json({"device_id": enrolment.device_id, "name": enrolment.name, "new": done.is_new}))
    else:
        already = "" if done.is_new else " already"
        print(f"This box is{already} registered at {enrolment.url} as {plain(enrolment.name)} ({enrolment.device_id}).")
        print("An agent that runs here begins to report within seconds: cast-agent doctor says how it goes.")
    if settings.central.url not in (None, enrolment.url):
        _say(f"But [central] url is {settings.central.url}, and that counts: take it out of the configuration.")
    if done.warning is not None:
        _say(f"Careful: {done.warning}")
    return Exit.OK


def _forget(settings: Settings, json: bool) -> int:
    from agent.reporting.enrolment import forget_enrolment

    there_was = forget_enrolment(settings.state.directory())
    if json:
        print(as_json({"forgotten": there_was}))
    elif there_was:
        print("This box is not registered any more, and reports nothing. Revoke it at the central API, too.")
    else:
        print("This box was not registered.")
    return Exit.OK


def _exit_of(error: BaseException) -> Exit:
    trouble = getattr(error.__cause__, "trouble", None)
    return Exit.NO_INPUT if trouble is None else _EXITS.get(trouble.value, Exit.FAILED)


def _say(text: str) -> None:
    print(text, file=sys.stderr)
