"""`make run`: starts the agent on the screen there is, or on a virtual one, and casts a first picture."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from agent.cli.client import Agent
from agent.cli.exits import CliError, Exit
from agent.cli.kept_key import kept_key
from agent.cli.target import own_agent
from agent.config.loader import KEY_VARIABLE, Settings, load_settings
from agent.errors import ConfigError
from agent.health import DisplayHealth
from agent.stage.x11 import X11Stage

ROOT = Path(__file__).resolve().parents[1]
CLIP = ROOT / "examples" / "first-picture.mp4"
PICTURE = ROOT / ".cache" / "first-picture.png"
READY_TIMEOUT_S = 15.0
"""The agent is ready within 2 s; a Raspberry Pi that reads everything from its card for the first time takes longer."""
LOOK_EVERY_S = 0.1
"""For an agent that has ended instead of becoming ready."""
PICTURE_TIMEOUT_S = 20.0
MOMENT_S = 1.0
"""A picture out of the middle is nicer than the first."""
END_TIMEOUT_S = 10.0
"""The agent is out within 5 s."""


def main() -> int:
    sys.stdout.reconfigure(line_buffering=True)  # also in a pipe the lines come as things happen
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # `make run` in a script is ended like by Ctrl-C
    try:
        settings = load_settings()
        with contextlib.ExitStack() as running:
            return _run(settings, running)
    except ConfigError as error:
        print(f"==> {error}", file=sys.stderr)
        return Exit.CONFIG
    except KeyboardInterrupt:
        return 0


def _run(settings: Settings, running: contextlib.ExitStack) -> int:
    environment = {**os.environ, "CAST_AGENT_DISPLAY__DISPLAY": settings.display.display or ""}
    screen = asyncio.run(_screen(settings, environment))
    if screen.available:
        print(f"==> Using the screen {screen.display}")
        environment["CAST_AGENT_DISPLAY__DISPLAY"] = screen.display
    else:
        display = running.enter_context(_virtual_screen())
        print(f"==> There is no screen here ({screen.message})")
        print(f"==> So this is a virtual one of 1280x720: {display}")
        environment["CAST_AGENT_DISPLAY__DISPLAY"] = display
    environment.setdefault("CAST_AGENT_PLAYER__MEDIA_FOLDERS", json.dumps([str(CLIP.parent)]))
    print(f"==> Starting the agent: .venv/bin/cast-agent run (port {settings.api.port})")
    with _notices() as notices:
        process = subprocess.Popen(
            [Path(sys.executable).with_name("cast-agent"), "run"],
            env={**environment, "NOTIFY_SOCKET": notices.getsockname()},
        )
        running.callback(_end, process)
        ready = _wait_until_ready(process, notices)
    agent = own_agent(settings.api)
    if not ready:
        code = process.poll()
        if code is None:
            print(f"==> The agent is not ready after {READY_TIMEOUT_S:g} s; see its log above.")
            return Exit.FAILED
        _tell_of_the_other(agent)
        return code
    key = os.environ.get(KEY_VARIABLE) or kept_key(settings.state.directory())
    _show_first_picture(replace(agent, key=key), virtual=not screen.available)
    try:
        return process.wait()
    except KeyboardInterrupt:
        print("\n==> Stopping")
        raise


async def _screen(settings: Settings, environment: dict[str, str]) -> DisplayHealth:
    """The screen that was named. One that was not is not taken: it may be anybody's."""
    if not settings.display.display and not environment.get("DISPLAY"):
        return DisplayHealth(False, message="DISPLAY is not set")
    stage = X11Stage(settings.display.display, "desktop", environ=environment)  # nothing is drawn
    try:
        await stage.start()
        return stage.health
    finally:
        await stage.stop()


@contextlib.contextmanager
def _notices() -> Iterator[socket.socket]:
    """Where the agent says that it is ready, as to systemd: whoever else answers on its port is not taken for it."""
    with (
        tempfile.TemporaryDirectory(prefix="cast-agent-") as folder,
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notices,
    ):
        notices.bind(f"{folder}/notices")
        yield notices


def _wait_until_ready(agent: subprocess.Popen[bytes], notices: socket.socket) -> bool:
    notices.settimeout(LOOK_EVERY_S)
    until = time.monotonic() + READY_TIMEOUT_S
    while time.monotonic() < until and agent.poll() is None:
        with contextlib.suppress(TimeoutError):
            if b"READY=1" in notices.recv(4096):
                return True
    return False


def _tell_of_the_other(agent: Agent) -> None:
    """Why the agent ended it has said itself; what can be done about it here is told."""
    try:
        agent.call("GET", "/health/live")
    except CliError as error:
        if error.exit is Exit.UNAVAILABLE:
            return
        who = "another program"
    else:
        who = "a cast-agent that runs already"
        print("==> To show something on that one: .venv/bin/cast-agent start URL --wait")
    print(
        f"==> On port {agent.port} answers {who}. This one beside it: CAST_AGENT_API__PORT={agent.port + 1} "
        "CAST_AGENT_STATE__DIR=/tmp/second-agent make run"
    )


def _show_first_picture(agent: Agent, *, virtual: bool) -> None:
    try:
        health = agent.call("GET", "/health")
        if health["display"] != "available":
            print(f"==> No picture yet: {health['checks']['display']['message']}")
            return
        wish = {"url": CLIP.as_uri(), "title": "A first picture"}
        answer = agent.call("POST", f"/start?wait={PICTURE_TIMEOUT_S:g}", wish, wait_s=PICTURE_TIMEOUT_S)
        if answer["status"] != "success":
            print(f"==> The clip is not on the screen after {PICTURE_TIMEOUT_S:g} s; see {agent.url}/status")
            return
        time.sleep(MOMENT_S)
        picture = agent.content("GET", "/snapshot")
        stream = agent.call("GET", "/status")["stream"]
    except CliError as error:
        advice = "The agent runs, but shows no first picture"
        if error.exit is Exit.NO_PERMISSION:
            advice = "The agent runs, and needs a key: .venv/bin/cast-agent key add here --keep, and make run again"
        print(f"==> {advice}: {error}")
        return
    PICTURE.parent.mkdir(exist_ok=True)
    PICTURE.write_bytes(picture)
    where = f"open {PICTURE.relative_to(ROOT)} to see it" if virtual else "look at the screen"
    if stream is not None and stream["state"] == "covered":
        where = "but windows of other programs cover it now"
    with_key = " -H 'X-API-Key: YOUR-KEY'" if agent.key else ""
    print(f"""
==> The picture was on the screen after {answer["time_to_first_frame"]:.2f} s: {where}
    (at any time: curl -so screen.png{with_key} {agent.url}/snapshot)

    Try, in another terminal:
      curl{with_key} {agent.url}/status
      curl{with_key} -X POST {agent.url}/stop
      curl{with_key} -X POST {agent.url}/start -d '{{"url": "http://.../film.mp4"}}'

    Ctrl-C ends the agent.
""")


@contextlib.contextmanager
def _virtual_screen() -> Iterator[str]:
    xvfb = shutil.which("Xvfb")
    if xvfb is None:
        sys.exit("There is no screen and no Xvfb: apt install xvfb")
    reading, writing = os.pipe()
    with tempfile.TemporaryFile() as errors:
        server = subprocess.Popen(
            [xvfb, "-displayfd", str(writing), "-screen", "0", "1280x720x24", "-nolisten", "tcp"],
            pass_fds=[writing],
            stderr=errors,
            process_group=0,  # Ctrl-C is for the agent; it goes first
        )
        os.close(writing)
        try:
            with os.fdopen(reading) as numbers:
                number = numbers.readline().strip()
            if not number:
                errors.seek(0)
                sys.exit(f"Xvfb did not start: {errors.read().decode(errors='replace').strip()}")
            yield f":{number}"
        finally:
            _end(server)


def _end(process: subprocess.Popen[bytes]) -> None:
    """From here on a second Ctrl-C is for the agent alone, which it hurries."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(timeout=END_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


if __name__ == "__main__":
    sys.exit(main())
