"""`cast-agent setup`: a configuration, a key, and what to paste into Home Assistant, for this very box."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import Final

import tomlkit

from agent.access.keys import KeyFile, KeysError, NameTakenError
from agent.cli.dlna import dlna_section
from agent.cli.esphome import open_for_setup
from agent.cli.exits import CliError, Exit
from agent.cli.home_assistant import Box, package, secrets
from agent.cli.kept_key import keep, kept_key
from agent.config.loader import SYSTEM_CONFIG, Settings, admins_folder, load_settings, settings_beside
from agent.discovery.interfaces import lan_interfaces
from agent.errors import ConfigError
from cast_util.output import say

PAGE: Final = "docs/home-assistant.md"

HERE: Final = "here"
"""The name of the key for the commands on this machine."""

_NEW_CONFIG: Final = """\
# The configuration of cast-agent. What is not here has its default; config.example.toml shows every key.
# After a change: systemctl reload cast-agent (or restart, where its log says so).
"""


def setup(options: argparse.Namespace) -> int:
    """Run `cast-agent setup`. Text to be pasted goes to standard output, everything else to standard error."""
    file = options.config or _usual_config()
    _write_config(file)
    _write_changes(file, {"device": {"name": options.name}, "dlna": dlna_section(options.dlna, load_settings(file))})
    settings = settings_beside(file)
    if options.central is not None or options.enrol is not None:
        from agent.cli.enrol import enrol

        with redirect_stdout(sys.stderr):
            enrol(argparse.Namespace(**vars(options) | {"config": file, "forget": False, "json": False}))
    box = Box(settings.device.name, box_url(settings), needs_key=settings.api.auth == "keys")
    key = _new_key(settings, options.key_name) if box.needs_key and not options.no_key else None
    if key is not None:
        _keep_a_key(settings, file)
    _print(box, key)
    if settings.esphome.enabled:
        try:
            open_for_setup(settings, options.name)
        except CliError as error:
            say(f"Home Assistant cannot add the box by itself: {error}")
    return Exit.OK


def _usual_config() -> Path:
    if os.geteuid() == 0 or SYSTEM_CONFIG.exists():
        return SYSTEM_CONFIG
    text = f"Use sudo, to write {SYSTEM_CONFIG}, or name the file to be written: cast-agent setup --config FILE"
    raise CliError(Exit.USAGE, "usage", text)


def _write_config(file: Path) -> None:
    """Write the configuration if there is none. Keys and tokens are kept elsewhere."""
    with _writing(file):
        if file.exists():
            return
        file.parent.mkdir(parents=True, exist_ok=True)
        state = '\n[state]\ndir = "/var/lib/cast-agent"\n' if file == SYSTEM_CONFIG else ""
        file.write_text(_NEW_CONFIG + state, encoding="utf-8")
        file.chmod(0o644)
        say(f"Wrote {file}.")


def _write_changes(file: Path, changes: Mapping[str, Mapping[str, object]]) -> None:
    """Change only these keys of these sections in the file, which can be read. Keys that are None keep their values."""
    given = [(section, key, value) for section, keys in changes.items() for key, value in keys.items()]
    if not (given := [each for each in given if each[2] is not None]):
        return
    before = load_settings(file)
    with _writing(file):
        text = file.read_text(encoding="utf-8-sig")
        document = tomlkit.parse(text)
        for section, key, value in given:
            document.setdefault(section, tomlkit.table())[key] = value
        file.write_text(tomlkit.dumps(document), encoding="utf-8")
        try:
            after = load_settings(file)
        except ConfigError:
            file.write_text(text, encoding="utf-8")
            raise
    if after != before:
        command = "sudo systemctl restart cast-agent" if file == SYSTEM_CONFIG else "stop it, and run it again"
        keys = ", ".join(f"[{section}] {key}" for section, key, _ in given)
        say(f"{keys} in {file}: changed. An agent that runs takes this over when it is restarted: {command}")


@contextmanager
def _writing(file: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise CliError(Exit.NO_INPUT, "config", f"{file} cannot be written: {error.strerror}. Use sudo?") from error


def _new_key(settings: Settings, name: str) -> str:
    try:
        return KeyFile(settings.state.directory()).add(name)
    except NameTakenError as error:
        hint = "Or give this one another name (--key-name), or print the package without a key (--no-key)."
        raise CliError(Exit.FAILED, "keys", f"{error}. {hint}") from error
    except KeysError as error:
        raise CliError(Exit.FAILED, "keys", str(error)) from error


def _keep_a_key(settings: Settings, config: Path) -> None:
    """Give the commands on this machine a key if they have no valid one. Once there is a first key, every caller needs
    one."""
    folder = settings.state.directory()
    keys = KeyFile(folder)
    try:
        if (kept := kept_key(folder)) is not None and keys.find(kept) is not None:
            return
        kept_in = keep(folder, keys.add(HERE), for_admins=admins_folder(config))
    except KeysError as error:
        say(f"The commands on this machine need a key to be given (--key-file), because none is kept: {error}")
    except OSError as error:
        say(f"The commands on this machine need a key to be given (--key-file): {error.filename} {error.strerror}.")
    else:
        say(f"The commands on this machine, such as `cast-agent status`, use the key {HERE!r}, kept in {kept_in}.")


def box_url(settings: Settings) -> str:
    """The address at which others reach this box, as far as it can be determined."""
    host = settings.api.host
    if host in ("0.0.0.0", "::"):
        addresses = [address for lan in lan_interfaces(settings.discovery.interfaces) for address in lan.announced]
        if not addresses:
            say("This machine is in no network now: put its address into what follows.")
        host = str(addresses[0]) if addresses else "ADDRESS-OF-THE-BOX"
    elif host in ("127.0.0.1", "::1", "localhost"):
        say("Only this machine reaches the agent ([api] host): set it to 0.0.0.0 if Home Assistant is another one.")
    return f"http://[{host}]:{settings.api.port}" if ":" in host else f"http://{host}:{settings.api.port}"


def _print(box: Box, key: str | None) -> None:
    if key is not None:
        say("A key was made for Home Assistant; it is shown this once, and is valid from now on.")
        print(f"# Into secrets.yaml:\n{secrets(box, key)}")
    print(f"# Into packages/{box.slug}_cast.yaml:\n{package(box)}", end="")
    installed = Path(sys.prefix) / PAGE
    page = installed if installed.exists() else PAGE
    say(f"What each part does: {page}. Let the box keep its address (a fixed lease in the router).")
