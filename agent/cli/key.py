"""`cast-agent key add|list|revoke`: who may call the agent on this machine. Works whether it runs or not."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Final

from agent.access.keys import KeyFile, KeysError
from agent.cli.exits import CliError, Exit, as_json
from agent.cli.kept_key import forget, keep, kept_key
from agent.cli.target import own_agent
from agent.cli.text import local_time, table
from agent.config.loader import Settings, admins_folder, settings_beside
from agent.types import Auth
from cast_util.output import say

ANSWER_TIMEOUT_S: Final = 2.0
"""The longest wait for the agent on this machine; it takes some milliseconds."""

PROTECTED: Final = "The agent is in protected mode: it answers only this machine. To open it: cast-agent key add NAME"


def add(options: argparse.Namespace) -> int:
    """Make a key and show it."""
    with _key_file(options.config) as (settings, file):
        before = auth_now(settings), Auth.KEY if file.read() else Auth.CLOSED
        key = file.add(options.name)
        # The key alone goes to standard output, so that a script can take it; before anything that may fail.
        print(as_json({"name": options.name, "key": key}) if options.json else key)
        folder = settings.state.directory()
        kept = keep(folder, key, for_admins=admins_folder(options.config)) if options.keep else None
    if kept is None:
        say(f"This is the key {options.name}. It is not kept and cannot be shown again; its hash is in {file.path}.")
    else:
        say(f"This is the key {options.name}. It is kept in {kept} for the commands on this machine.")
    say("Callers send it as `Authorization: Bearer KEY`, or as `X-API-Key: KEY`.")
    say(_effect(settings, *before))
    return Exit.OK


def list_(options: argparse.Namespace) -> int:
    """Show names and times."""
    with _key_file(options.config) as (_, file):
        keys = file.read()
    if options.json:
        print(as_json([key.model_dump(mode="json", exclude={"sha256"}) for key in keys]))
    elif keys:
        rows = [["NAME", "MADE", "LAST USED (WITHIN 1 H)"]]
        print(table([*rows, *([key.name, local_time(key.created_at), local_time(key.last_used_at)] for key in keys)]))
    else:
        say(f"There is no key in {file.path}. {PROTECTED}")
    return Exit.OK


def revoke(options: argparse.Namespace) -> int:
    """Take a key away."""
    with _key_file(options.config) as (settings, file):
        left = file.revoke(options.name)
        for folder in filter(None, (settings.state.directory(), admins_folder(options.config))):
            if (kept := kept_key(folder)) is not None and file.find(kept) is None:
                forget(folder)
    say(f"The key {options.name} is revoked: the agent refuses it from now on.")
    if not left:
        say(f"It was the last one. {PROTECTED}")
    return Exit.OK


@contextmanager
def _key_file(config: Path | None) -> Iterator[tuple[Settings, KeyFile]]:
    settings = settings_beside(config)
    try:
        yield settings, KeyFile(settings.state.directory())
    except KeysError as error:
        raise CliError(Exit.FAILED, "keys", str(error)) from error
    except OSError as error:
        raise CliError(Exit.FAILED, "keys", f"{error.filename} cannot be written ({error.strerror}).") from error


def _effect(settings: Settings, said_before: str | None, was_before: Auth) -> str:
    """The effect of the new key on the agent that runs here."""
    said_now = auth_now(settings)
    if Auth.NONE in (settings.api.auth, said_now):
        return 'But auth = "none" under [api] lets everyone in without a key: set auth = "keys" there.'
    if said_before is None or said_now is None:
        return "No agent answers on this machine now; the key is valid when one runs."
    if (said_before, said_now) == (was_before, Auth.KEY):
        return "The agent on this machine knows it already: every caller needs a key from now on."
    return (
        f"But the agent on port {settings.api.port} looks for its keys elsewhere: it runs with another configuration, "
        "or as another user. Revoke this key, and name the agent's configuration with --config FILE."
    )


def auth_now(settings: Settings) -> str | None:
    """The credentials that the agent on this machine says callers need; None if none answers."""
    try:
        answer = replace(own_agent(settings.api), timeout_s=ANSWER_TIMEOUT_S).call("GET", "/health/live")
    except CliError:
        return None
    return str(answer["auth"])
