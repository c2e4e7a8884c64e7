"""`cast-agent enrol`: registers this box with a central API, or has it report no more."""

from __future__ import annotations

import argparse
import sys
from contextlib import suppress
from typing import Final

from agent.cli.exits import CliError, Exit, as_json
from agent.cli.text import plain
from agent.config.loader import Settings, settings_beside
from cast_util.output import say

_EXITS: Final = {"refused": Exit.NO_PERMISSION, "rejected": Exit.REFUSED, "passing": Exit.UNAVAILABLE}


def enrol(options: argparse.Namespace) -> int:
    """Run `cast-agent enrol`. Raises CliError or ConfigError."""
    from agent.reporting.central.credentials import EnrolmentError

    settings = settings_beside(options.config)
    if not options.forget and (options.central is None or options.enrol is None):
        raise CliError(
            Exit.USAGE, "usage", "Name the central API and a token: cast-agent enrol --central URL --enrol TOKEN"
        )
    try:
        return _forget(settings, options.json) if options.forget else _enrol(settings, options)
    except EnrolmentError as error:
        raise CliError(_exit_of(error), "not_enrolled", _for_who_asked(error)) from error


def _enrol(settings: Settings, options: argparse.Namespace) -> int:
    from agent.discovery.local_names import LocalNames
    from agent.reporting.central.enrol import enrol_now

    token = sys.stdin.readline(4096) if options.enrol == "-" else options.enrol
    done = enrol_now(
        options.central,
        token.strip(),
        folder=settings.state.directory(),
        name=settings.device.name,
        find_local=LocalNames(settings.discovery.interfaces).address,
    )
    enrolment = done.enrolment
    if options.json:
        print(as_json({"device_id": enrolment.device_id, "name": enrolment.name, "new": done.is_new}))
    else:
        already = "" if done.is_new else " already"
        print(f"This box is{already} registered at {enrolment.url} as {plain(enrolment.name)} ({enrolment.device_id}).")
        folder = settings.state.directory()
        print(f"An agent that keeps its state in {folder} begins to report within seconds: see cast-agent doctor.")
    if settings.central.url not in (None, enrolment.url):
        say(f"But [central] url is {settings.central.url}, which overrides it: remove it from the configuration.")
    if done.warning is not None:
        say(f"Careful: {done.warning}")
    return Exit.OK


def _forget(settings: Settings, json: bool) -> int:
    from agent.reporting.central.credentials import EnrolmentError, forget_enrolment, read_enrolment

    folder, kept = settings.state.directory(), None
    with suppress(EnrolmentError):  # one that is damaged can be forgotten too
        kept = read_enrolment(folder)
    there_was = forget_enrolment(folder)
    if json:
        print(as_json({"forgotten": there_was, "device_id": None if kept is None else kept.device_id}))
    elif there_was:
        print("This box is not registered any more, and reports nothing. Revoke it at the central API, too.")
        if kept is not None:
            device = f"{kept.url}/api/v1/devices/{kept.device_id}"
            print(f"With an admin key of that central API: curl -X DELETE -H 'Authorization: Bearer KEY' {device}")
    else:
        print("This box was not registered.")
    return Exit.OK


def _exit_of(error: BaseException) -> Exit:
    if isinstance(error.__cause__, OSError):
        return Exit.NO_INPUT
    trouble = getattr(error.__cause__, "trouble", None)
    return Exit.USAGE if trouble is None else _EXITS.get(trouble.value, Exit.FAILED)


def _for_who_asked(error: BaseException) -> str:
    from agent.reporting.http.errors import CallFailedError

    call = error.__cause__
    if not isinstance(call, CallFailedError) or not call.is_retried:  # an agent tries again, and a command does not
        return str(error)
    return f"{call.fact} Run this again later, with the same token."
