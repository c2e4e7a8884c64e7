"""The commands and their options."""

from __future__ import annotations

import argparse
import importlib
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

from agent import __version__
from agent.cli import values
from agent.cli.exits import UsageError
from agent.types import Quality, ShownAs

Commands = argparse._SubParsersAction  # it has no public name

_EPILOG = """\
Where:    without --on a command is for the agent of this machine.
          --on takes an agent's name or id (found over mDNS), or an address such as 192.168.1.20 or tv.local:8090.
Key:      from --key-file FILE, or from the variable CAST_AGENT_KEY; for the agent of this machine also the one
          that `key add NAME --keep` has kept.
Exit:     0 done, 1 failed, 64 wrong command line, 65 refused, 66 no such session or file, 68 no such agent,
          69 no agent answers, or it has no screen or player, 70 a mistake inside the agent, 74 the stream cannot be
          played, 75 not now, 76 not a cast-agent, 77 a key is missing or wrong, 78 wrong configuration."""


def parser() -> argparse.ArgumentParser:
    """The whole command line; the namespace that it makes has a `command` to be called with it."""
    top = _Parser(
        prog="cast-agent",
        description="Puts a stream on the screen when home automation asks for it.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    top.add_argument("--version", action="version", version=f"cast-agent {__version__}")
    commands = top.add_subparsers(title="commands", required=True, metavar="COMMAND")
    _machine(commands)
    _setup(commands)
    _key(commands)
    _pair(commands)
    _hook(commands)
    _esphome(commands)
    _discover(commands)
    _playing(commands)
    return top


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UsageError(message, self.format_usage().rstrip())


def _command(among: Commands[_Parser], name: str, text: str) -> _Parser:
    """A command with its entry in the list of commands and in its own help."""
    return among.add_parser(name, help=text, description=f"{text[:1].upper()}{text[1:]}.")


def _later(module: str, function: str) -> Callable[[argparse.Namespace], int]:
    def command(options: argparse.Namespace) -> int:
        return int(getattr(importlib.import_module(f"agent.cli.{module}"), function)(options))

    return command


def _machine(commands: Commands[_Parser]) -> None:
    run = _command(commands, "run", "run the agent until it is told to stop (Ctrl-C, SIGTERM)")
    run.set_defaults(command=_later("machine", "run"))
    doctor = _command(
        commands, "doctor", "check what works on this machine, and say how to fix what does not; draws nothing"
    )
    doctor.set_defaults(command=_later("machine", "doctor"))
    doctor.add_argument("--json", action="store_true", help="a list of objects instead of lines")
    described = _command(commands, "openapi", "print the description of all HTTP calls (OpenAPI 3.1)")
    described.set_defaults(command=_later("machine", "openapi"))
    enrol = _command(commands, "enrol", "register this box with a central API, which it reports to from then on")
    enrol.set_defaults(command=_later("enrol", "enrol"))
    enrol.add_argument("--central", metavar="URL", help="where that is, such as https://central.example.org")
    enrol.add_argument(
        "--enrol", metavar="TOKEN", help="what `cast-central enrol` printed there; - reads it from standard input"
    )
    enrol.add_argument("--forget", action="store_true", help="stop reporting instead")
    enrol.add_argument("--json", action="store_true", help="JSON instead of text")
    run.add_argument(
        "--config",
        type=Path,
        metavar="FILE",
        help="configuration in TOML (default: under systemd /etc/cast-agent/config.toml, else none)",
    )
    for command in (doctor, enrol):
        _config(command)


def _setup(commands: Commands[_Parser]) -> None:
    setup = _command(
        commands, "setup", "write a configuration with a fresh key, and print what to paste into Home Assistant"
    )
    setup.set_defaults(command=_later("setup", "setup"))
    setup.add_argument("--name", metavar="NAME", help="what people call this box")
    setup.add_argument("--key-name", default="home-assistant", metavar="NAME", help="of the key (home-assistant)")
    setup.add_argument("--no-key", action="store_true", help="make no key: only print what to paste")
    setup.add_argument(
        "--dlna",
        metavar="WHO",
        help="which DLNA players may use the screen: off, lan (this network), or addresses with commas between",
    )
    setup.add_argument("--central", metavar="URL", help="register the box with this central API, too")
    setup.add_argument(
        "--enrol", metavar="TOKEN", help="what `cast-central enrol` printed there; - reads it from standard input"
    )
    setup.add_argument(
        "--config", type=Path, metavar="FILE", help="written if it is not there (default: /etc/cast-agent/config.toml)"
    )


def _key(commands: Commands[_Parser]) -> None:
    key = _command(commands, "key", "make, list and revoke the keys that callers need")
    actions = key.add_subparsers(title="actions", required=True, metavar="ACTION")
    add = _command(actions, "add", "make a key and show it once; it is valid from then on")
    list_ = _command(actions, "list", "show the names of the keys, and when they were made and used last")
    revoke = _command(actions, "revoke", "revoke a key; it is refused from then on")
    for action, function in ((add, "add"), (list_, "list_"), (revoke, "revoke")):
        action.set_defaults(command=_later("key", function))
        _config(action)
    for action in (add, revoke):
        action.add_argument("name", metavar="NAME", help="who uses it, such as home-assistant")
    add.add_argument(
        "--keep", action="store_true", help="keep it in the state directory, for the commands on this machine"
    )
    for action in (add, list_):
        action.add_argument("--json", action="store_true", help="JSON instead of text")


def _pair(commands: Commands[_Parser]) -> None:
    pair = _command(commands, "pair", "show a link by which the page on a device signs in, once and within 5 minutes")
    pair.set_defaults(command=_later("pair", "pair"))
    pair.add_argument("--json", action="store_true", help="JSON instead of a code and a link")
    _config(pair)


def _hook(commands: Commands[_Parser]) -> None:
    hook = _command(commands, "hook", "make, list and revoke addresses for devices that can only call one")
    actions = hook.add_subparsers(title="actions", required=True, metavar="ACTION")
    add = _command(actions, "add", "make a hook and show its address once; it is valid from then on")
    list_ = _command(actions, "list", "show the hooks, what they do, and when they were made and used last")
    revoke = _command(actions, "revoke", "take a hook away; its address does nothing from then on")
    for action, function in ((add, "add"), (list_, "list_"), (revoke, "revoke")):
        action.set_defaults(command=_later("hook", function))
        _config(action)
    for action in (add, revoke):
        action.add_argument("name", metavar="NAME", help="which device calls it, such as doorbell")
    add.add_argument("--preset", metavar="ID", help="what it starts")
    add.add_argument(
        "--action",
        choices=["start", "stop", "pause", "resume"],
        default="start",
        help="what it does (default: start the preset)",
    )
    for action in (add, list_):
        action.add_argument("--json", action="store_true", help="JSON instead of text")


def _esphome(commands: Commands[_Parser]) -> None:
    esphome = _command(commands, "esphome", "let Home Assistant add this box, by itself or with a key")
    actions = esphome.add_subparsers(title="actions", required=True, metavar="ACTION")
    key = _command(actions, "key", "show the key to be typed into Home Assistant; make one if there is none")
    pair = _command(actions, "pair", "let the first Home Assistant that comes add the box within 15 minutes")
    reset = _command(actions, "reset", "remove the key, so that the box can be added again within 15 minutes")
    for action, function in ((key, "key"), (pair, "pair"), (reset, "reset")):
        action.set_defaults(command=_later("esphome", function))
        _config(action)
    key.add_argument("--json", action="store_true", help="JSON instead of text")
    reset.add_argument("--name", metavar="NAME", help="what the actions are named after from then on")


def _discover(commands: Commands[_Parser]) -> None:
    discover = _command(commands, "discover", "list the agents on the network, and what is on")
    discover.set_defaults(command=_later("discover", "discover"))
    discover.add_argument("--json", action="store_true", help="a list of objects instead of a table")
    discover.add_argument(
        "--timeout",
        type=values.within(0.5, 60),
        default=3.0,
        metavar="SECONDS",
        help="how long to listen, 0.5 to 60 (default: 3)",
    )
    discover.add_argument(
        "--key-file",
        type=Path,
        metavar="FILE",
        help="send this key to each agent that asks for one, to hear what is on; CAST_AGENT_KEY is not sent around",
    )


def _playing(commands: Commands[_Parser]) -> None:
    start = _client(commands, "start", "put a stream on the screen, or change one with --session")
    start.add_argument("url", nargs="?", metavar="URL", help="what to play, or a file of this machine")
    start.add_argument("--preset", metavar="ID", help="play that preset; what else is given counts instead of its own")
    start.add_argument("--code", metavar="CODE", help="play what others have under this join code instead: K7QF2M")
    start.add_argument("--stream-id", metavar="ID", help="the same by the id of a stream of the central API")
    start.add_argument("--video", dest="video_id", metavar="ID", help="play a video of the central API's library")
    start.add_argument("--wait", nargs="?", type=values.within(0.1, 60), const=20.0, metavar="SECONDS", help=_WAIT)
    start.add_argument("--interrupt", action="store_true", help="go on top; what is on comes back afterwards")
    start.add_argument("--duration", type=values.time, metavar="TIME", help="end by itself after this time: 90 or 1:30")
    start.add_argument("--position", type=values.time, metavar="TIME", help="begin there: 90 or 1:30")
    start.add_argument("--quality", choices=[quality.value for quality in Quality], help="default: as configured")
    start.add_argument("--title", metavar="TEXT", help="a text for status")
    start.add_argument("--volume", type=values.volume, metavar="LEVEL", help="of this stream: 0.5 or 50%%")
    start.add_argument("--muted", action="store_true", default=None, help="without sound")
    start.add_argument("--loop", action="store_true", help="begin again at the end")
    start.add_argument(
        "--refresh",
        type=values.time,
        metavar="TIME",
        help="fetch a still picture again, or reload a page, each: 10 or 1:30",
    )
    start.add_argument("--as", dest="as", choices=[kind.value for kind in ShownAs], help="page: show it as a web page")
    start.add_argument("--page", metavar="JSON", help='how a web page is shown: {"zoom": 1.5, "dark": true}')
    start.add_argument("--session", metavar="ID", help="change duration, title and volume of that session instead")

    stop = _client(commands, "stop", "end what is on; what it interrupted comes back")
    which = stop.add_mutually_exclusive_group()
    which.add_argument("--session", metavar="ID", help="end that one, on the screen or waiting")
    which.add_argument("--all", action="store_true", help="end everything")

    _client(commands, "status", "say what is on, what waits and what ended last")
    watch = _client(commands, "watch", "show what changes, as it changes, until Ctrl-C; with --json one object a line")
    watch.set_defaults(command=_later("watch", "watch"))
    _client(commands, "pause", "pause what is on")
    _client(commands, "resume", "let it go on")
    _client(commands, "reload", "load the current web page again")
    seek = _client(commands, "seek", "continue at another position")
    seek.add_argument("position", type=values.time, metavar="TIME", help="90 or 1:30")
    volume = _client(commands, "volume", "set the volume of the device, or say what it is")
    volume.add_argument("level", nargs="?", type=values.volume, metavar="LEVEL", help="0.5 or 50%%")
    mute = volume.add_mutually_exclusive_group()
    mute.add_argument("--mute", dest="muted", action="store_true", default=None, help="no sound")
    mute.add_argument("--unmute", dest="muted", action="store_false", help="sound again")
    screen = _client(commands, "screen", "switch the screen on or off, or say which it is")
    screen.add_argument("power", nargs="?", choices=["on", "off"], help="off ends everything that is on")
    cache = _client(commands, "cache", "list the library's videos that the box keeps, or remove them")
    cache.set_defaults(command=_later("cache", "cache"))
    cache.add_argument("action", nargs="?", choices=["list", "clear"], default="list", help="default: list")
    cache.add_argument("video_id", nargs="?", metavar="ID", help="clear this one instead of all")
    snapshot = _client(commands, "snapshot", "save a picture of what the screen shows")
    snapshot.add_argument("file", metavar="FILE", help="ends in .png, .jpg or .jpeg; - is standard output, as PNG")


_WAIT = "return when the picture is there, or with the reason why not (at most 60; without a number 20)"


def _client(commands: Commands[_Parser], name: str, help_: str) -> _Parser:
    command = _command(commands, name, help_)
    command.set_defaults(command=_later("control", name))
    command.add_argument("--on", metavar="AGENT", help="a name, an id or an address; without it: this machine's own")
    command.add_argument("--key-file", type=Path, metavar="FILE", help="a file that holds the key and nothing else")
    command.add_argument("--json", action="store_true", help="the agent's answer as JSON")
    _config(command)
    return command


def _config(command: _Parser) -> None:
    command.add_argument(
        "--config",
        type=Path,
        metavar="FILE",
        help="configuration in TOML (default: that of the installed agent, if there is one)",
    )
