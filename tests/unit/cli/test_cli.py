"""The commands that drive an agent: against the real API and tracker, with players and a stage that obey at once."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from structlog.testing import capture_logs

from agent.cli import main, progress, text
from agent.cli.client import Agent
from agent.cli.exits import CliError
from agent.cli.parser import parser
from agent.cli.target import _at_address, agent_of
from agent.cli.values import time as time_of
from agent.cli.values import volume as volume_of
from agent.discovery import browser
from agent.discovery.browser import Found
from tests.support.api import Tracked, tracked
from tests.support.sockets import refused_port, silent_port

KITCHEN = Found("Kitchen", "id-1", "0.1.0", "Linux", "none", "cast-agent-1.local", 8090, ("192.0.2.1", "fd00::1"))


@dataclass
class Done:
    """The outputs of a command and its exit code."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Cli = Callable[..., Awaitable[Done]]


@pytest.fixture
async def box() -> AsyncIterator[Tracked]:
    with capture_logs():  # they would be between the commands' words
        async with tracked() as box:
            yield box


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in os.environ:
        if name.startswith("CAST_AGENT_"):
            monkeypatch.delenv(name)


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str]) -> Cli:
    """Runs a command in a thread, because the agent that it calls is in this one."""

    async def run(*arguments: str) -> Done:
        try:
            code = await asyncio.to_thread(main, list(arguments))
        except SystemExit as left:
            code = int(str(left.code))
        said = capsys.readouterr()
        return Done(code, said.out, said.err)

    return run


@pytest.fixture
def own(box: Tracked, monkeypatch: pytest.MonkeyPatch) -> Tracked:
    """The agent of this machine."""
    monkeypatch.setenv("CAST_AGENT_API__PORT", str(box.port))
    return box


def found_on_the_lan(monkeypatch: pytest.MonkeyPatch, *found: Found) -> None:
    async def browse(timeout_s: float, *, until: Callable[[Found], bool] = lambda _: False) -> list[Found]:
        return list(found)

    monkeypatch.setattr(browser, "browse", browse)
    monkeypatch.setattr("agent.cli.discover.browse", browse)


# --- what the commands do ---


async def test_a_film_from_start_to_stop(own: Tracked, cli: Cli) -> None:
    """A start that waits tells the time to the first frame; status, controls and stop tell what they did."""
    started = await cli("start", "http://film/", "--wait", "--title", "Film")
    assert (started.code, started.err) == (0, "")
    assert started.out.startswith("On the screen after 0.")
    shown = (await cli("status")).out
    assert shown.startswith("Living Room  cast-agent 0.1.0 at http://127.0.0.1:")
    assert "Film (http://film/)" in shown
    assert started.out.split()[-1] in shown
    assert (await cli("volume", "30%")).out == "Volume 30 %.\n"
    assert (await cli("volume", "--mute")).out == "Volume 30 %, muted.\n"
    assert (await cli("volume")).out == "Volume 30 %, muted.\n"
    assert (await cli("seek", "0:05")).out.endswith(" at 0:05.\n")
    assert (await cli("pause")).out.startswith("Paused")
    assert (await cli("resume")).code == 0
    assert (await cli("stop")).out == "Stream stopped.\n"
    assert (await cli("stop")).out == "No active stream.\n"


async def test_every_option_of_start_arrives(own: Tracked, cli: Cli) -> None:
    """The options of the command line reach the session; a change goes to the session that is named."""
    options = "--quality 720p --duration 1:30 --title Door --volume 50% --muted --position 5 --loop --interrupt"
    started = await cli("start", "http://film/", "--wait", "5", "--json", *options.split())
    assert (started.code, started.json["status"]) == (0, "success")
    stream = (await cli("status", "--json")).json["stream"]
    assert (stream["quality"], stream["title"], stream["volume_level"], stream["muted"]) == ("720p", "Door", 0.5, True)
    assert stream["expires_at"] is not None
    changed = await cli("start", "--session", stream["session_id"], "--title", "Gate", "--volume", "0.1")
    assert changed.out.startswith("Changed.")
    assert (await cli("status", "--json")).json["stream"]["title"] == "Gate"
    refused = await cli("start", "--session", stream["session_id"], "--position", "3")
    assert (refused.code, "position" in refused.err) == (65, True)


async def test_a_preset_is_started(own: Tracked, cli: Cli) -> None:
    async with own.client.post("/presets", json={"id": "door", "url": "http://film/", "volume": 0.3}) as saved:
        assert saved.status == 201
    assert (await cli("start", "--preset", "door", "--title", "Ding", "--wait")).code == 0
    (session,) = own.tracker.saved()
    assert (session.request.url, session.request.title, session.request.volume) == ("http://film/", "Ding", 0.3)
    missing = await cli("start", "--preset", "gate")
    assert (missing.code, "There are: door." in missing.err) == (66, True)


async def test_what_waits_is_told_and_stopped(own: Tracked, cli: Cli) -> None:
    """Status names what was interrupted, and stop takes one session or all."""
    await cli("start", "http://film/", "--wait")
    bell = (await cli("start", "http://film/bell", "--wait", "--interrupt", "--json")).json["session_id"]
    assert "waiting      http://film/" in (await cli("status")).out
    assert (await cli("stop", "--session", bell)).code == 0
    assert "waiting" not in (await cli("status")).out
    assert (await cli("stop", "--all")).out == "Stream stopped.\n"
    assert "last         http://film/, stopped" in (await cli("status")).out


async def test_a_file_is_named_as_people_do(own: Tracked, cli: Cli, tmp_path: Path) -> None:
    """To the agent of this machine a file may be named by its path; whether it may be played the agent says."""
    (tmp_path / "a film.mp4").touch()
    done = await cli("start", str(tmp_path / "a film.mp4"))
    assert (done.code, "media_folders" in done.err) == (65, True)


async def test_a_picture_is_saved(own: Tracked, cli: Cli, tmp_path: Path) -> None:
    """A snapshot goes into a file of the kind that its name says; other names are refused before anything is done."""
    done = await cli("snapshot", str(tmp_path / "screen.jpg"), "--json")
    assert done.json == {
        "file": str(tmp_path / "screen.jpg"),
        "format": "jpeg",
        "bytes": (tmp_path / "screen.jpg").stat().st_size,
    }
    assert (await cli("snapshot", "screen.gif")).code == 64
    assert (await cli("snapshot", str(tmp_path / "nowhere" / "screen.png"))).code == 66


# --- how they end ---


async def test_what_goes_wrong_has_a_code_and_a_sentence(own: Tracked, cli: Cli) -> None:
    """Each kind of failure has its exit code and a sentence, and as JSON the agent's own problem."""
    for arguments, code, words in (
        (("start", "http://broken/", "--wait"), 74, "scripted"),
        (("start", "http://slow/", "--wait", "0.2"), 75, ""),
        (("stop", "--all"), 0, ""),
        (("pause",), 75, "Nothing is on"),
        (("start", "gopher://nas/film"), 65, "must begin with"),
        (("start", "--session", "11111111-1111-4111-8111-111111111111", "--title", "x"), 66, "session"),
        (("start",), 64, "URL"),
        (("start", "--code", "k7q-f2m"), 65, "no central API"),
        (("start", "--stream-id", "01a1fd25-6d69-73bd-a89e-8f373f2727e7"), 65, "no central API"),
        (("start", "http://film/", "--code", "K7QF2M"), 65, "together with url"),
        (("seek", "soon"), 64, "1:30"),
        (("volume", "150%"), 64, "50%"),
        (("dance",), 64, "dance"),
    ):
        done = await cli(*arguments)
        assert done.code == code, (arguments, done)
        assert words in done.err
    problem = await cli("pause", "--json")
    assert (problem.json["code"], problem.json["status"]) == ("invalid_transition", 409)


async def test_nobody_there(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    """An agent that does not run, hangs, or is none at all is told apart."""
    with refused_port() as port:
        monkeypatch.setenv("CAST_AGENT_API__PORT", str(port))
        done = await cli("status", "--json")
        assert (done.code, done.json["code"]) == (69, "agent_unreachable")
        assert "cast-agent run" in done.err
    with silent_port() as port:
        with pytest.raises(CliError) as hangs:
            await asyncio.to_thread(Agent(("127.0.0.1",), port, timeout_s=0.2).call, "GET", "/status")
        assert (hangs.value.exit, hangs.value.problem["code"]) == (69, "agent_timeout")


async def test_something_else_there(cli: Cli) -> None:
    """A server that is not a cast-agent is called that, whatever it answers."""

    async def answer(request: web.Request) -> web.Response:
        return web.json_response({"stream": None})

    app = web.Application()
    app.router.add_get("/status", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        done = await cli("status", "--on", f"127.0.0.1:{runner.addresses[0][1]}")
    finally:
        await runner.cleanup()
    assert (done.code, "not a cast-agent" in done.err) == (76, True)


async def test_a_broken_configuration(cli: Cli, tmp_path: Path) -> None:
    """A configuration that cannot be used is told as at the start of the agent."""
    file = tmp_path / "config.toml"
    file.write_text("[api]\nport = 'x'\n")
    done = await cli("status", "--config", str(file))
    assert (done.code, "api.port" in done.err) == (78, True)


# --- which agent ---


async def test_the_own_agent_is_where_the_configuration_says(box: Tracked, cli: Cli, tmp_path: Path) -> None:
    """Without --on a command is for the port in the configuration."""
    file = tmp_path / "config.toml"
    file.write_text(f"[api]\nhost = '0.0.0.0'\nport = {box.port}\n")
    assert (await cli("status", "--config", str(file))).code == 0
    assert (await cli("status", "--on", f"127.0.0.1:{box.port}")).code == 0
    assert (await cli("status", "--on", f"http://localhost:{box.port}/")).code == 0


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("192.168.1.20", "http://192.168.1.20:8090"),
        ("192.168.1.20:80", "http://192.168.1.20:80"),
        ("fe80::1%eth0", "http://[fe80::1%eth0]:8090"),
        ("[fd00::1]", "http://[fd00::1]:8090"),
        ("[fd00::1]:80", "http://[fd00::1]:80"),
        ("localhost", "http://localhost:8090"),
        ("tv.local", "http://tv.local:8090"),
        ("tv:8091", "http://tv:8091"),
        ("http://tv", "http://tv:8090"),
        ("https://tv.example", "https://tv.example:443"),
        ("Kitchen", None),
        ("Living room 2.0", None),
        ("4f7c2a0e-6f0b-4c9e-9d55-0d8f3f6c1b7a", None),
        ("tv:port", None),
    ],
)
def test_addresses_and_names(text: str, url: str | None) -> None:
    """An address is used as it is; all else is a name to be found."""
    agent = _at_address(text)
    assert (agent and agent.url) == url


async def test_found_by_any_of_its_names(monkeypatch: pytest.MonkeyPatch, cli: Cli) -> None:
    """An agent is found by name, id or host name; who is not found is told who there is."""
    found_on_the_lan(monkeypatch, KITCHEN)
    for name in ("Kitchen", "kitchen", "id-1", "cast-agent-1", "cast-agent-1.local"):
        options = argparse.Namespace(on=name, key_file=None, config=None)
        assert (await asyncio.to_thread(agent_of, options)).addresses == KITCHEN.addresses
    done = await cli("status", "--on", "Bath")
    assert (done.code, "There are: Kitchen." in done.err) == (68, True)
    assert Found("Tv 2-0", *("",) * 5, 1, ()).is_called("TV 2.0"), "as the LAN sees a name with a dot"


async def test_the_next_address_is_tried(box: Tracked) -> None:
    """Of several addresses the first that answers is taken."""
    with refused_port():
        agent = Agent(("127.0.0.9", "127.0.0.1"), box.port)
        assert (await asyncio.to_thread(agent.call, "GET", "/status"))["status"] == "idle"


# --- keys ---


async def test_the_key_comes_from_a_file_or_the_environment(
    monkeypatch: pytest.MonkeyPatch, cli: Cli, tmp_path: Path
) -> None:
    """A key is sent as a bearer token, the file's before the environment's, and shown nowhere."""
    seen: list[str | None] = []

    async def answer(request: web.Request) -> web.Response:
        seen.append(request.headers.get("Authorization"))
        problem = {"code": "unauthorized", "detail": "A key is needed.", "status": 401}
        return web.json_response(problem, status=401, headers={"X-Request-ID": "1"})

    app = web.Application()
    app.router.add_get("/status", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    file = tmp_path / "key"
    file.write_text("cak_file\n")
    on = ("status", "--on", f"127.0.0.1:{runner.addresses[0][1]}")
    try:
        without = await cli(*on)
        monkeypatch.setenv("CAST_AGENT_KEY", "cak_variable")
        wrong = await cli(*on)
        assert (await cli(*on, "--key-file", str(file))).code == 77
    finally:
        await runner.cleanup()
    assert seen == [None, "Bearer cak_variable", "Bearer cak_file"]
    assert (without.code, "It needs a key" in without.err) == (77, True)
    assert (wrong.code, "rejected the key" in wrong.err) == (77, True)
    assert "cak_" not in wrong.out + wrong.err + repr(Agent(("x",), 1, key="cak_variable"))


@pytest.mark.parametrize("content", [b"", b"two words", b"\xff\xfe", None])
async def test_a_key_file_without_a_key(cli: Cli, tmp_path: Path, content: bytes | None) -> None:
    """A key file that holds none is refused before anything is sent."""
    file = tmp_path / "key"
    if content is not None:
        file.write_bytes(content)
    done = await cli("status", "--on", "127.0.0.1:1", "--key-file", str(file))
    assert (done.code, str(file) in done.err) == (66, True)


# --- discover ---


async def test_what_is_on_where(box: Tracked, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    """Discover lists who is there and what is on, or why that is not known; hostile names cannot move the cursor."""
    await cli("start", "http://film/", "--title", "Film", "--wait", "--on", f"127.0.0.1:{box.port}")
    agents = [
        Found("Kitchen", "1", "0.1.0", "Linux", "none", "k.local", box.port, ("127.0.0.1",)),
        Found("Bath", "2", "0.1.0", "Linux", "key", "b.local", 8090, ("192.0.2.2",)),
        Found("Cellar", "3", "0.1.0", "Linux", "closed", "c.local", 8090, ("fd00::3",)),
        Found("\033[2JEvil", "4", "\r0", "x", "none", "e.local", 1, ("127.0.0.1",)),
    ]
    found_on_the_lan(monkeypatch, *agents)
    lines = (await cli("discover")).out.splitlines()
    assert lines[0].split() == ["NAME", "ADDRESS", "VERSION", "WHAT", "IS", "ON"]
    assert lines[1].startswith(f"Kitchen   127.0.0.1:{box.port}")
    assert lines[1].endswith("Film")
    assert lines[2].endswith("(needs a key: --key-file FILE)")
    assert "[fd00::3]:8090" in lines[3]
    assert "protected mode" in lines[3]
    assert "No agent answers" in lines[4]
    assert not set("\033\r") & set("".join(lines))
    listed = (await cli("discover", "--json")).json
    assert [one["name"] for one in listed] == [one.name for one in agents]
    assert listed[0]["status"]["stream"]["title"] == "Film"
    assert (listed[1]["status"], listed[1]["problem"]) == (None, "needs a key: --key-file FILE")


async def test_nobody_is_found(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    """If nobody is found, discover says where to look; as JSON it is an empty list."""
    found_on_the_lan(monkeypatch)
    done = await cli("discover")
    assert (done.code, "5353" in done.err) == (68, True)
    assert (await cli("discover", "--json")).json == []
    assert (await cli("discover", "--timeout", "0")).code == 64


# --- words and numbers ---


@pytest.mark.parametrize(("written", "seconds"), [("90", 90), ("1:30", 90), ("1:02:03", 3723), ("0.5", 0.5)])
def test_times_are_written_as_people_do(written: str, seconds: float) -> None:
    """Seconds, or minutes and hours before a colon."""
    assert time_of(written) == seconds


@pytest.mark.parametrize("written", ["", "x", "-1", "1:-1", "1:2:3:4", "nan", "inf"])
def test_what_is_no_time(written: str) -> None:
    """Anything else is refused."""
    with pytest.raises(argparse.ArgumentTypeError):
        time_of(written)


@pytest.mark.parametrize(("written", "level"), [("0.5", 0.5), ("50%", 0.5), ("1", 1.0), ("0", 0.0), ("100%", 1.0)])
def test_volumes_are_written_as_people_do(written: str, level: float) -> None:
    """A volume is a number from 0 to 1, or per cent."""
    assert volume_of(written) == level


def test_words_from_the_network_are_only_words() -> None:
    """Control characters and changes of direction are replaced; names in any script stay as they are."""
    assert text.plain("a\033[2J\n\u202eb") == "a\ufffd[2J\ufffd\ufffdb"
    family = "Wohnzimmer\N{NO-BREAK SPACE}2 居間 \N{MAN}\N{ZERO WIDTH JOINER}\N{WOMAN}"
    assert text.plain(family) == family


async def test_progress_is_shown_and_taken_away(
    box: Tracked, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """While an answer is waited for a line tells how far the agent is; then it is empty again."""
    monkeypatch.setattr(progress, "LOOK_EVERY_S", 0.05)
    monkeypatch.setenv("TERM", "xterm")
    agent = Agent(("127.0.0.1",), box.port)

    def call() -> Any:
        return agent.call("POST", "/start?wait=1", {"url": "http://slow/"}, wait_s=1)

    answer = await asyncio.to_thread(progress.shown, agent, call)
    assert answer["status"] == "pending"
    said = capsys.readouterr().err
    assert "loading (" in said
    assert said.endswith("\r\033[K")


def test_the_commands_start_quickly() -> None:
    """A client command loads no server, no mDNS and no picture library: on a small box that would take a second."""
    script = (
        "import sys; from agent.cli import main; main(['status']); "
        "print(*sorted({name.partition('.')[0] for name in sys.modules}))"
    )
    with refused_port() as port:
        environment = {**os.environ, "CAST_AGENT_API__PORT": str(port)}
        done = subprocess.run(
            [sys.executable, "-c", script], env=environment, capture_output=True, text=True, timeout=60, check=True
        )
    loaded = set(done.stdout.split())
    assert "agent" in loaded
    assert not loaded & {"aiohttp", "zeroconf", "ifaddr", "PIL", "xcffib", "vlc", "structlog"}


def test_an_address_in_the_place_of_a_number_is_not_repeated(capsys: pytest.CaptureFixture[str]) -> None:
    """It may hold a password, and what is wrong is the order."""
    assert main(["start", "--wait", "http://user:s3cret@nas/film.mp4"]) == 64
    said = "".join(capsys.readouterr())
    assert "start URL --wait" in said
    assert "s3cret" not in said


def test_every_command_says_what_it_does_and_every_option_what_it_is_for() -> None:
    """In its own --help, too: who asks `cast-agent pause --help` has not read the list of commands."""

    def walk(command: argparse.ArgumentParser) -> list[argparse.ArgumentParser]:
        nested = [action for action in command._actions if isinstance(action, argparse._SubParsersAction)]
        return [command, *(found for action in nested for below in action.choices.values() for found in walk(below))]

    commands = walk(parser())
    assert len(commands) > 15
    for command in commands:
        assert command.description, command.prog
        for action in command._actions:
            assert action.help or isinstance(action, argparse._SubParsersAction), (command.prog, action.dest)
