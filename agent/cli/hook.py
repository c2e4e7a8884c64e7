"""`cast-agent hook add|list|revoke`: addresses for devices that can call one and no more. Works whether the
agent runs or not."""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from agent.access.hooks import HookAction, HookFile
from agent.access.keys import KeysError
from agent.cli.exits import CliError, Exit, as_json
from agent.cli.setup import box_url
from agent.cli.text import local_time, table
from agent.config.loader import Settings, settings_beside
from agent.errors import StorageError
from agent.persistence.entry_file import PRESETS_FILE, EntryFile
from cast_util.output import say


def add(options: argparse.Namespace) -> int:
    """Make a hook and show its address."""
    action, preset = HookAction(options.action), options.preset
    if (preset is not None) != (action is HookAction.START):
        what = "start needs --preset ID" if preset is None else f"{action} works on what is on: leave --preset out"
        raise CliError(Exit.USAGE, "usage", f"A hook with --action {what}.")
    with _hook_file(options.config) as (settings, file):
        if preset is not None and preset not in _presets(settings):
            say(f"There is no preset {preset} now: the hook answers 404 until there is one.")
        url = f"{box_url(settings)}/hook/{file.add(options.name, action=action, preset=preset)}"
    # The address alone goes to standard output, so that a script can take it.
    print(as_json({"name": options.name, "action": action, "preset": preset, "url": url}) if options.json else url)
    say(f"This is the hook {options.name}. It is not kept and cannot be shown again; its hash is in {file.path}.")
    say("Anyone who knows the address can call it, with GET or POST and without a key. It is valid from now on.")
    return Exit.OK


def list_(options: argparse.Namespace) -> int:
    """Show the names, the actions and the times of use."""
    with _hook_file(options.config) as (_, file):
        hooks = file.read()
    if options.json:
        print(as_json([hook.model_dump(mode="json", exclude={"sha256"}) for hook in hooks]))
    elif hooks:
        rows = [["NAME", "DOES", "MADE", "LAST USED (WITHIN 1 H)"]]
        for hook in hooks:
            does = f"{hook.action} {hook.preset or ''}".rstrip()
            rows.append([hook.name, does, local_time(hook.created_at), local_time(hook.last_used_at)])
        print(table(rows))
    else:
        say(f"There is no hook in {file.path}. To make one: cast-agent hook add NAME --preset ID")
    return Exit.OK


def revoke(options: argparse.Namespace) -> int:
    """Take a hook away."""
    with _hook_file(options.config) as (_, file):
        file.revoke(options.name)
    say(f"The hook {options.name} is revoked: its address does nothing from now on.")
    return Exit.OK


@contextmanager
def _hook_file(config: Path | None) -> Iterator[tuple[Settings, HookFile]]:
    settings = settings_beside(config)
    try:
        yield settings, HookFile(settings.state.directory())
    except KeysError as error:
        raise CliError(Exit.FAILED, "hooks", str(error)) from error


def _presets(settings: Settings) -> set[object]:
    """The ids of the presets, as far as they can be read."""
    try:
        saved = asyncio.run(EntryFile(settings.state.directory() / PRESETS_FILE).read())
    except StorageError as error:
        say(str(error))
        saved = []
    return {preset.id for preset in settings.preset} | {entry.get("id") for entry in saved}
