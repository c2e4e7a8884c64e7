"""The commands that drive an agent. Each makes one call and tells its answer."""

from __future__ import annotations

import argparse
import os
import re
import sys
from pathlib import Path
from typing import Any

from agent.cli import text
from agent.cli.client import Agent
from agent.cli.exits import CliError, Exit, as_json
from agent.cli.target import agent_of


def start(options: argparse.Namespace) -> int:
    """`cast-agent start`."""
    if {options.url, options.code, options.stream_id, options.video_id, options.preset, options.session} == {None}:
        text_ = "start needs a URL, --preset ID or --code CODE, such as: cast-agent start http://nas.local/film.mp4"
        raise CliError(Exit.USAGE, "usage", text_)
    body = {
        "url": None if options.url is None else _url(options.url, own=options.on is None),
        "session_id": options.session,
        "interrupt": options.interrupt or None,
        "loop": options.loop or None,
        **{name: getattr(options, name) for name in _START_FIELDS},
    }
    body = {name: value for name, value in body.items() if value is not None}
    agent = agent_of(options)
    if options.wait is None:
        answer = agent.call("POST", "/start", body)
    else:
        answer = _wait(agent, body, options.wait, tell=not options.json)
    if answer["status"] == "pending":
        said = f"Nothing is on the screen after {options.wait:g} s; it is still being tried (see `cast-agent status`)."
    elif options.wait is not None and answer.get("time_to_first_frame") is not None:
        said = f"On the screen after {answer['time_to_first_frame']:.2f} s."
    else:
        said = "Changed." if options.session else "Accepted."
    _tell(options, answer, f"{said} Session {answer['session_id']}")
    return Exit.NOT_NOW if answer["status"] == "pending" else Exit.OK


_START_FIELDS = (
    *("preset", "code", "stream_id", "video_id"),
    *("quality", "duration", "title", "volume", "muted", "position", "refresh", "as", "page"),
)


def stop(options: argparse.Namespace) -> int:
    """`cast-agent stop`."""
    body: dict[str, Any] = {"session_id": options.session} if options.session else {"all": options.all}
    answer = agent_of(options).call("POST", "/stop", body)
    return _tell(options, answer, f"{answer['message']}.")


def status(options: argparse.Namespace) -> int:
    """`cast-agent status`."""
    agent = agent_of(options)
    answer = agent.call("GET", "/status")
    print(as_json(answer) if options.json else text.status(answer, agent.url))
    return Exit.OK


def pause(options: argparse.Namespace) -> int:
    """`cast-agent pause`."""
    return _controlled(options, agent_of(options).call("POST", "/pause"))


def resume(options: argparse.Namespace) -> int:
    """`cast-agent resume`."""
    return _controlled(options, agent_of(options).call("POST", "/resume"))


def reload(options: argparse.Namespace) -> int:
    """`cast-agent reload`."""
    return _controlled(options, agent_of(options).call("POST", "/reload"))


def seek(options: argparse.Namespace) -> int:
    """`cast-agent seek`."""
    return _controlled(options, agent_of(options).call("POST", "/seek", {"position": options.position}))


def screen(options: argparse.Namespace) -> int:
    """`cast-agent screen`."""
    agent = agent_of(options)
    wish = {"on": options.power == "on"}
    answer = agent.call("POST", "/screen", wish) if options.power else agent.call("GET", "/status")["screen"]
    return _tell(options, answer, text.power(answer))


def volume(options: argparse.Namespace) -> int:
    """`cast-agent volume`."""
    agent = agent_of(options)
    wish = {"volume_level": options.level, "muted": options.muted}
    body = {name: value for name, value in wish.items() if value is not None}
    answer = agent.call("POST", "/volume", body) if body else agent.call("GET", "/status")["volume"]
    return _tell(options, answer, f"Volume {text.volume(answer)}.")


def snapshot(options: argparse.Namespace) -> int:
    """`cast-agent snapshot`."""
    formats = {".png": "png", ".jpg": "jpeg", ".jpeg": "jpeg"}
    to_output = options.file == "-"
    image = "png" if to_output else formats.get(Path(options.file).suffix.lower())
    if image is None:
        raise CliError(Exit.USAGE, "usage", f"{options.file} should end in .png, .jpg or .jpeg.")
    if to_output and (options.json or sys.stdout.isatty()):
        raise CliError(
            Exit.USAGE, "usage", "A picture cannot be shown as text: name a file, or redirect the output to one."
        )
    content = agent_of(options).content("GET", f"/snapshot?format={image}")
    if to_output:
        sys.stdout.buffer.write(content)
        return Exit.OK
    try:
        Path(options.file).write_bytes(content)
    except OSError as error:
        raise CliError(Exit.NO_INPUT, "file", f"{options.file} cannot be written: {error.strerror}.") from error
    answer = {"file": os.path.abspath(options.file), "format": image, "bytes": len(content)}
    return _tell(options, answer, f"{options.file}, {len(content) / 1000:.0f} kB.")


def _url(url: str, *, own: bool) -> str:
    """A file of this machine may be named as people do, to the agent that can read it. Raises CliError."""
    if "://" in url:
        return url
    if own and os.path.isfile(url):  # unlike Path.is_file it never raises, whatever this is
        return Path(url).absolute().as_uri()
    if _LIKE_A_HOST.match(url):
        from agent.media.redaction import redact

        text_ = f"An address begins with its scheme. Did you mean {redact(f'http://{url}')} ?"
        raise CliError(Exit.USAGE, "usage", text_)
    if os.path.isdir(url):
        raise CliError(Exit.USAGE, "usage", f"{url} is a folder. Name a file in it, or a playlist.")
    what = (
        f"There is no file {url} here"
        if own
        else f"{url} is not an address, and the agent there cannot read files of this machine"
    )
    text_ = f"{what}. An address begins with its scheme, such as http://nas.local/film.mp4 or rtsp://cam.local/stream1."
    raise CliError(Exit.USAGE, "usage", text_)


_LIKE_A_HOST = re.compile(r"(?:[^/\s@]*@)?(?:[\w-]+(?:\.[\w-]+)+|localhost|[\w-]+(?=:))(?::\d+)?/")
"""`nas.local/film.mp4`, `192.168.1.20:8080/film.mp4`, `nas:8080/film.mp4`; not `videos/film.mp4`."""


def _wait(agent: Agent, body: dict[str, Any], wait_s: float, *, tell: bool) -> Any:
    from agent.cli.progress import shown

    def call() -> Any:
        return agent.call("POST", f"/start?wait={wait_s:g}", body, wait_s=wait_s)

    try:
        return shown(agent, call) if tell and sys.stderr.isatty() else call()
    except KeyboardInterrupt:
        text_ = "The start goes on: `cast-agent status` says how far it is, and `cast-agent stop` ends it."
        raise CliError(Exit.INTERRUPTED, "interrupted", text_) from None


def _controlled(options: argparse.Namespace, answer: dict[str, Any]) -> int:
    at = "" if answer["position"] is None else f" at {text.clock(answer['position'])}"
    return _tell(options, answer, f"{answer['state'].capitalize()}{at}.")


def _tell(options: argparse.Namespace, answer: object, said: str) -> int:
    print(as_json(answer) if options.json else text.plain(said))
    return Exit.OK
