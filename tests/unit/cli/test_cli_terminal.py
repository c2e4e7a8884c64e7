"""The command line on real terminals, and where its output is full, closed or of another encoding."""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
import pty
import re
import signal
import struct
import subprocess
import sys
import termios
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from agent.cli import main, text
from tests.support.api import Tracked, tracked
from tests.support.tools import SOON_S

CLEAR = "\r\x1b[K"
LONG = "Ein langer Grund, 理由が長い, " * 8


@pytest.fixture
async def box() -> AsyncIterator[Tracked]:
    with capture_logs():
        async with tracked() as box:
            yield box


class Terminal:
    """A command with a pseudo-terminal of 80 columns as its standard error."""

    def __init__(self, box: Tracked, *arguments: str, program: str = "agent.cli", **environment: str) -> None:
        self._master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
        self.process = subprocess.Popen(
            [sys.executable, "-m", program, *arguments],
            env={**os.environ, "TERM": "xterm", "CAST_AGENT_API__PORT": str(box.port)} | environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=slave,
        )
        os.close(slave)
        self.shown = ""

    async def until(self, words: str) -> None:
        """Wait until it has shown these words."""
        async with asyncio.timeout(SOON_S):
            while words not in self.shown:
                piece = await asyncio.to_thread(self._read)
                assert piece, self.shown
                self.shown += piece

    async def ended(self) -> tuple[int, str]:
        """Its exit code and its standard output."""
        async with asyncio.timeout(SOON_S):
            while piece := await asyncio.to_thread(self._read):
                self.shown += piece
            out, _ = await asyncio.to_thread(self.process.communicate)
        os.close(self._master)
        return self.process.returncode, out.decode()

    def _read(self) -> str:
        with suppress(OSError):  # the terminal's other end is closed
            return os.read(self._master, 65536).decode()
        return ""


async def test_the_line_of_a_start_that_waits_does_not_wrap(box: Tracked, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever there is to say, it is one line of the terminal, and it is taken away at the end."""
    terminal = Terminal(box, "start", "http://slow/", "--wait", "1.5", "--title", LONG)
    await terminal.until("loading")
    code, out = await terminal.ended()
    assert (code, "still being tried" in out) == (75, True)
    assert terminal.shown.endswith(CLEAR)
    assert "\n" not in terminal.shown
    assert text.cut(LONG, 79) == LONG[: len(text.cut(LONG, 79)) - 3] + "..."
    wide = sum(2 if ord(char) > 0x2E80 else 1 for char in text.cut(LONG, 79))
    assert 77 <= wide <= 79


async def test_a_terminal_without_escapes_gets_none(box: Tracked) -> None:
    """With TERM=dumb each news is a line of its own, once."""
    terminal = Terminal(box, "start", "http://slow/", "--wait", "1.5", TERM="dumb")
    await terminal.ended()
    assert "\x1b" not in terminal.shown
    assert terminal.shown.count("loading") == 1


async def test_ctrl_c_says_that_the_start_goes_on(box: Tracked) -> None:
    """The start is the agent's by then, so the sentence says how to look at it and how to end it."""
    terminal = Terminal(box, "start", "http://slow/", "--wait")
    await terminal.until("loading")
    terminal.process.send_signal(signal.SIGINT)
    assert await terminal.ended() == (130, "")
    assert "The start goes on" in terminal.shown.split(CLEAR)[-1]
    assert "Traceback" not in terminal.shown
    assert box.tracker.snapshot().stream is not None


@pytest.mark.parametrize("environment", [{"TERM": "dumb"}, {"NO_COLOR": "1"}, {}], ids=["dumb", "no colour", "usual"])
async def test_colours_are_shown_to_who_wants_them(environment: dict[str, str], box: Tracked) -> None:
    """The agent's own log follows TERM and NO_COLOR."""
    script = (
        "from agent.host import log; from agent.config.settings import LogSettings; "
        "log.configure(LogSettings(format='console'))"
    )
    shown = await _logged(box, f"{script}; import structlog; structlog.get_logger('x').warning('hello')", environment)
    assert "hello" in shown
    assert ("\x1b[" in shown) == (environment == {})


async def test_central_shows_colours_likewise(box: Tracked) -> None:
    script = (
        "from central.core import log; from central.core.settings import LogSettings;"
        "log.configure(LogSettings(format='console'));"
        "import structlog; structlog.get_logger('x').warning('hello')"
    )
    assert "\x1b[" in await _logged(box, script, {})
    assert "\x1b[" not in await _logged(box, script, {"NO_COLOR": "1"})


async def _logged(box: Tracked, script: str, environment: dict[str, str]) -> str:
    terminal = Terminal(box, script, program="tests.support.run_script", **environment)
    await terminal.ended()
    return terminal.shown


# --- outputs that cannot be written ---


def run(redirection: str, *arguments: str, program: str = "agent.cli", **environment: str) -> tuple[int, str, str]:
    """Its exit code, standard output and standard error, with this redirection of the shell."""
    command = f'exec "$@" {redirection}'
    done = subprocess.run(
        ["sh", "-c", command, "sh", sys.executable, "-m", program, *arguments],
        env={**os.environ, **environment},
        capture_output=True,
        timeout=SOON_S * 4,
    )
    return done.returncode, done.stdout.decode("latin-1"), done.stderr.decode("latin-1")


@pytest.fixture
def central(tmp_path: Path) -> dict[str, str]:
    return {"CAST_CENTRAL_DATABASE__URL": f"sqlite:///{tmp_path}/central.db"}


@pytest.mark.parametrize("arguments", [("status", "--json"), ("--help",), ("doctor", "--help")])
async def test_a_full_output_is_told_in_a_sentence(box: Tracked, arguments: tuple[str, ...]) -> None:
    code, _, err = await asyncio.to_thread(run, ">/dev/full", *arguments, CAST_AGENT_API__PORT=str(box.port))
    assert (code, err) == (66, "cast-agent: The output cannot be written: No space left on device.\n")


async def test_closed_outputs_are_like_none(box: Tracked) -> None:
    """The command does its work, and no file that it opens gets the number of a closed output."""
    port = str(box.port)
    assert await asyncio.to_thread(run, ">&-", "volume", "40%", CAST_AGENT_API__PORT=port) == (0, "", "")
    assert await asyncio.to_thread(run, "<&- >&- 2>&-", "stop", "--all", CAST_AGENT_API__PORT=port) == (0, "", "")
    assert await asyncio.to_thread(run, "2>&-", "dance") == (64, "", "")
    assert (await asyncio.to_thread(run, "2>/dev/full", "status", "--json", CAST_AGENT_API__PORT="1"))[0] == 69


async def test_another_encoding_loses_no_answer(box: Tracked) -> None:
    """An emoji in a title is written in another way where the locale has none; JSON stays JSON."""
    port, latin = str(box.port), {"PYTHONIOENCODING": "latin-1"}
    title = "Für \N{CAT FACE}"
    await asyncio.to_thread(run, "", "start", "http://film/", "--wait", "--title", title, CAST_AGENT_API__PORT=port)
    code, out, err = await asyncio.to_thread(run, "", "status", CAST_AGENT_API__PORT=port, **latin)
    assert (code, err) == (0, "")
    assert "Für \\U0001f431" in out
    _, out, _ = await asyncio.to_thread(run, "", "status", "--json", CAST_AGENT_API__PORT=port, **latin)
    assert json.loads(out)["stream"]["title"] == title


def test_a_wrong_command_line_is_json_for_who_reads_json(capsys: pytest.CaptureFixture[str]) -> None:
    """The usage is for a person, and goes to standard error."""
    assert main(["seek", "soon", "--json"]) == 64
    out, err = capsys.readouterr()
    assert json.loads(out) == {"code": "usage", "detail": "argument TIME: 'soon' is not a time; write 90 or 1:30"}
    assert err.startswith("usage: cast-agent seek ")
    assert main(["seek", "soon"]) == 64
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("nas.local/film.mp4", "Did you mean http://nas.local/film.mp4 ?"),
        ("nas:8080/film.mp4", "Did you mean http://nas:8080/film.mp4 ?"),
        ("me:s3cret@nas.local/film.mp4", "Did you mean http://***@nas.local/film.mp4 ?"),
        ("filn.mp4", "There is no file filn.mp4 here."),
        ("/srv/filn.mp4", "There is no file /srv/filn.mp4 here."),
        ("x" * 5000, "here."),
        ("/tmp", "/tmp is a folder."),
    ],
)
def test_what_is_no_address_is_told_with_what_to_type(
    typed: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["start", typed]) == 64
    assert said in capsys.readouterr().err
    assert main(["start", typed, "--on", "192.0.2.1"]) == 64


@pytest.mark.parametrize("arguments", [("--help",), ("openapi",)])
def test_central_tells_a_full_output_in_a_sentence(arguments: tuple[str, ...], central: dict[str, str]) -> None:
    code, _, err = run(">/dev/full", *arguments, program="central.cli", **central)
    assert (code, err) == (66, "cast-central: The output cannot be written: No space left on device.\n")


def test_central_survives_closed_outputs_and_other_encodings(central: dict[str, str]) -> None:
    assert run(">&-", "key", "add", "Für \N{CAT FACE}", program="central.cli", **central)[0] == 0
    code, out, _ = run("", "key", "list", program="central.cli", PYTHONIOENCODING="latin-1", **central)
    assert code == 0
    assert re.match(r"Für \\U0001f431\tactive", out)
