"""`cast-agent esphome key|pair|reset`: who may add the box to Home Assistant. Works whether the agent runs or not."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from agent.cli.exits import CliError, Exit, as_json
from agent.config.loader import Settings, settings_beside
from agent.errors import StorageError
from agent.frontends.esphome.identity import IdentityFile
from agent.frontends.esphome.key import WINDOW_S, KeyFile, encoded, open_window
from cast_util.output import say

_MINUTES = f"{WINDOW_S / 60:g} minutes"


def key(options: argparse.Namespace) -> int:
    """Show the key; make one where there is none."""
    with _files(options.config) as (_, file):
        is_new = file.read() is None
        shown = encoded(file.make())
    print(as_json({"key": shown}) if options.json else shown)
    say("Type this where Home Assistant asks for the encryption key of the box. Anyone who has it controls the box.")
    if is_new:
        say("It was made now, so no Home Assistant adds the box without it any more.")
    return Exit.OK


def pair(options: argparse.Namespace) -> int:
    """Let the first Home Assistant that comes add the box."""
    with _files(options.config) as (settings, file):
        if file.read() is not None:
            text = (
                "The box has a key already: a Home Assistant has added it, or the key was shown. Type the key into "
                "another one (cast-agent esphome key), or start over (cast-agent esphome reset)."
            )
            raise CliError(Exit.FAILED, "esphome", text)
        open_window(settings.state.directory())
    _say_open()
    return Exit.OK


def reset(options: argparse.Namespace) -> int:
    """Forget the key, and with a name what the box is called in actions."""
    with _files(options.config) as (settings, file):
        if options.name is not None:
            renamed = IdentityFile(settings.state.directory()).rename(options.name)
            if renamed is None:
                text = "The agent has not run yet: at its first start it takes [device] name."
                raise CliError(Exit.FAILED, "esphome", text)
            say(f"The node name is {renamed.name} from the agent's next start on: sudo systemctl restart cast-agent")
        had_key = file.remove()
        open_window(settings.state.directory())
    say("The key is removed; the clients that had it are disconnected." if had_key else "There was no key.")
    say("If Home Assistant still lists the box, delete it there first.")
    _say_open()
    return Exit.OK


def open_for_setup(settings: Settings, name: str | None) -> None:
    """Prepare Home Assistant for `cast-agent setup`. While there is no key, the node name follows the name of the
    device, and the box can be added from now on. Raises CliError."""
    folder = settings.state.directory()
    with _explained():
        if KeyFile(folder).read() is not None:
            return
        if name is not None:
            IdentityFile(folder).rename(name)
        open_window(folder)
    _say_open()


def _say_open() -> None:
    say(
        f"For {_MINUTES} the first Home Assistant that comes can add the box: it is discovered there under Settings > "
        "Devices & services, as an ESPHome device."
    )


@contextmanager
def _files(config: Path | None) -> Iterator[tuple[Settings, KeyFile]]:
    settings = settings_beside(config)
    if not settings.esphome.enabled:
        text = "Home Assistant cannot connect to this box: set enabled = true under [esphome], and restart the agent."
        raise CliError(Exit.FAILED, "esphome", text)
    with _explained():
        yield settings, KeyFile(settings.state.directory())


@contextmanager
def _explained() -> Iterator[None]:
    try:
        yield
    except StorageError as error:
        raise CliError(Exit.FAILED, "esphome", str(error)) from error
    except OSError as error:
        raise CliError(Exit.FAILED, "esphome", f"{error.filename} cannot be written ({error.strerror}).") from error
