"""The contents of the log, and the secrets that it must never show."""

from __future__ import annotations

import io
import json
import logging
import os
import re
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import structlog

from agent.config.settings import LogSettings
from agent.host.log import configure
from agent.types import PlayerState
from tests.support import journal

ROOT = Path(__file__).resolve().parents[3]


class Terminal(io.StringIO):
    """A stream that says that it is a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def _restore(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.delenv("INVOCATION_ID", raising=False)
    monkeypatch.delenv("JOURNAL_STREAM", raising=False)
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def logged(**values: object) -> dict[str, Any]:
    """The one JSON line that an event with these values makes."""
    stream = io.StringIO()
    configure(LogSettings(format="json"), stream=stream)
    structlog.get_logger("agent.test").info("something_happened", **values)
    [line] = lines(stream)
    return line


def test_json_line() -> None:
    """A JSON line holds the event, its level, logger and UTC time, and the values as they are."""
    line = logged(session_id="abc", frames=3, ratio=0.5, live=True, title=None, state=PlayerState.PLAYING)
    moment = datetime.fromisoformat(line.pop("timestamp"))
    assert abs((datetime.now(UTC) - moment).total_seconds()) < 60
    assert list(line)[:3] == ["level", "logger", "event"]
    assert line == {
        "level": "info", "logger": "agent.test", "event": "something_happened", "session_id": "abc", "frames": 3,
        "ratio": 0.5, "live": True, "title": None, "state": "playing",
    }  # fmt: skip


def test_stdlib_goes_through_the_same_renderer() -> None:
    """The lines of aiohttp and asyncio look like our own events and are redacted alike."""
    stream = io.StringIO()
    configure(LogSettings(format="json"), stream=stream)
    logging.getLogger("aiohttp.server").warning("cannot open %s", "rtsp://admin:hunter2@cam/")
    [line] = lines(stream)
    assert line["event"] == "cannot open rtsp://***@cam/"
    assert (line["logger"], line["level"]) == ("aiohttp.server", "warning")
    assert "timestamp" in line


def test_contextvars_are_merged() -> None:
    """Values that are bound to the context are in every line, also in those of the stdlib's loggers."""
    stream = io.StringIO()
    configure(LogSettings(format="json"), stream=stream)
    with structlog.contextvars.bound_contextvars(session_id="abc"):
        structlog.get_logger("agent.test").info("one")
        logging.getLogger("asyncio").error("two")
    assert [line["session_id"] for line in lines(stream)] == ["abc", "abc"]


def test_level() -> None:
    """A line below the level is left out, whoever logs it."""
    stream = io.StringIO()
    configure(LogSettings(format="json", level="warning"), stream=stream)
    structlog.get_logger("agent.test").info("quiet")
    logging.getLogger("asyncio").info("quiet")
    structlog.get_logger("agent.test").warning("loud")
    assert [line["event"] for line in lines(stream)] == ["loud"]


@pytest.mark.parametrize(
    ("terminal", "variable", "chosen", "as_json"),
    [
        (False, None, "auto", True),
        (True, None, "auto", False),
        (True, "INVOCATION_ID", "auto", True),
        (True, "JOURNAL_STREAM", "auto", True),
        (False, None, "console", False),
        (True, None, "json", True),
    ],
)
def test_format(
    monkeypatch: pytest.MonkeyPatch, terminal: bool, variable: str | None, chosen: Any, as_json: bool
) -> None:
    """Auto is readable text on a terminal and JSON elsewhere and under systemd; a fixed format is obeyed."""
    if variable:
        monkeypatch.setenv(variable, "8:1234")
    stream = Terminal() if terminal else io.StringIO()
    configure(LogSettings(format=chosen), stream=stream)
    structlog.get_logger("agent.test").info("something_happened")
    assert stream.getvalue().startswith("{") is as_json


def test_no_colours_away_from_a_terminal() -> None:
    """Readable text holds colour codes on a terminal only."""
    for stream, coloured in ((Terminal(), True), (io.StringIO(), False)):
        configure(LogSettings(format="console"), stream=stream)
        structlog.get_logger("agent.test").warning("something_happened", frames=3)
        assert ("\x1b" in stream.getvalue()) is coloured
        assert "something_happened" in re.sub(r"\x1b\[[0-9;]*m", "", stream.getvalue())


@pytest.mark.parametrize("chosen", ["json", "console"])
def test_no_secret_is_shown(chosen: Any) -> None:
    """Neither URL credentials nor values with a secret's name are shown, however deep they are."""
    stream = io.StringIO()
    configure(LogSettings(format=chosen), stream=stream)
    url = "rtsp://admin:hunter2@cam/"
    log = structlog.get_logger("agent.test")
    log.info(
        f"opening {url}",
        url=url,
        nested={"urls": [url, (url,)], "more": {"deep": {url: url}}, "token": "hunter2"},
        headers={"Authorization": "Bearer hunter2", "X-API-Key": "hunter2", "Set-Cookie": ["hunter2"]},
        apiKey="hunter2",
        password={"value": "hunter2"},
        secret=b"hunter2",
        pin_token=12345678,
        path=Path("/x") / "hunter",
        error=ValueError(url),
        thing=type("Thing", (), {"__repr__": lambda self: f"<Thing {url}>"})(),
    )
    try:
        try:
            raise OSError(f"cannot open {url}")
        except OSError as cause:
            raise RuntimeError(f"no picture from {url}") from cause
    except RuntimeError:
        log.exception("player_failed")
        logging.getLogger("asyncio").exception("task failed")
    text = stream.getvalue()
    assert "hunter2" not in text
    assert "12345678" not in text
    assert text.count("no picture from rtsp://***@cam/") == 2
    assert text.count("cannot open rtsp://***@cam/") == 2


def test_harmless_values_with_a_secrets_name() -> None:
    """The absence or presence of a secret is no secret."""
    line = logged(token=None, has_key=False, key_name="hall", session_id="abc", auth="keys")
    assert line["token"] is None
    assert line["has_key"] is False
    assert (line["key_name"], line["session_id"], line["auth"]) == ("hall", "abc", "keys")


class Unspeakable:
    def __repr__(self) -> str:
        raise RuntimeError("no repr")


def test_what_json_does_not_know_is_shown_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """Objects, odd keys, circles, odd numbers and broken text never make logging raise."""
    monkeypatch.setattr(logging.getLogger(), "handlers", [])  # pytest's own raise what they cannot format
    circle: list[object] = []
    circle.append(circle)
    line = logged(
        thing=object,
        unspeakable=Unspeakable(),
        keys={1: "a", (2, 3): "b", None: "c"},
        circle=circle,
        bytes=b"\x00\xff",
        nan=float("nan"),
        huge=10**5000,
        members={"a"},
        broken="\ud800",
        escape="\x1b[2J",
        title="Grüße",
        moment=datetime(2025, 1, 2, tzinfo=UTC),
    )
    assert line["thing"] == "<class 'object'>"
    assert line["unspeakable"] == "<Unspeakable cannot be shown: RuntimeError>"
    assert line["keys"] == {"1": "a", "(2, 3)": "b", "None": "c"}
    assert line["bytes"] == "b'\\x00\\xff'"
    assert line["nan"] == "nan"
    assert "cannot be shown" in line["huge"]
    assert line["members"] == ["a"]
    assert line["broken"] == "\\ud800"
    assert line["escape"] == "\\x1b[2J"
    assert line["title"] == "Grüße"
    assert line["moment"] == "2025-01-02 00:00:00+00:00"


def test_record_that_cannot_be_formatted(monkeypatch: pytest.MonkeyPatch) -> None:
    """A record whose arguments do not fit is told as such, without its arguments."""
    stream = io.StringIO()
    monkeypatch.setattr(logging.getLogger(), "handlers", [])  # pytest's own raise what they cannot format
    configure(LogSettings(format="json"), stream=stream)
    logging.getLogger("asyncio").error("%d", "rtsp://admin:hunter2@cam/")
    [line] = lines(stream)
    assert line == {"event": "log_failed", "level": "error", "logger": "asyncio", "error": "TypeError"}


def test_stream_that_is_gone() -> None:
    """Logging to a closed stream or a broken pipe does not raise."""
    stream = io.StringIO()
    configure(LogSettings(format="json"), stream=stream)
    stream.close()
    structlog.get_logger("agent.test").error("unheard")
    reader, writer = os.pipe()
    os.close(reader)
    pipe = io.TextIOWrapper(io.FileIO(writer, "w"), write_through=True)
    configure(LogSettings(format="json"), stream=pipe)
    structlog.get_logger("agent.test").error("unheard")
    pipe.detach().close()


def test_configure_again_replaces() -> None:
    """Configuring twice moves the log to the new stream and shows nothing twice."""
    first, second = io.StringIO(), io.StringIO()
    configure(LogSettings(), stream=first)
    configure(LogSettings(), stream=second)
    structlog.get_logger("agent.test").info("something_happened")
    assert first.getvalue() == ""
    assert len(lines(second)) == 1


def test_one_event_is_one_line() -> None:
    """Line breaks in values and tracebacks stay within one JSON line."""
    assert logged(message="a\nb\r\nc\u2028d", stack_info=True)["message"] == "a\nb\\r\nc\\u2028d"


SPEAKER = """
import logging, sys, structlog
if sys.argv[1] == "agent":
    from agent.host.log import configure
    from agent.config.settings import LogSettings
else:
    from central.core.log import configure
    from central.settings import LogSettings
configure(LogSettings(format=sys.argv[2], level="debug"))
log = structlog.get_logger("spoken")
log.debug("so_it_is"), log.info("all_is_well"), log.warning("look_here")
logging.getLogger("aiohttp.server").critical("the end")
try:
    raise RuntimeError("a mistake")
except RuntimeError:
    log.exception("that_failed")
sys.stderr.write("what Python itself says\\n")
"""


@pytest.mark.parametrize("format_", ["json", "console"])
@pytest.mark.parametrize("program", ["agent", "central"])
def test_the_journal_has_the_priority_of_each_line(program: str, format_: str) -> None:
    """systemd's journal files each line under its level, so `journalctl -p warning` shows warnings and what is worse;
    what Python itself writes counts as an error."""
    if reason := journal.why_not():
        pytest.skip(f"NOT TRIED: {reason}")
    speaker = [sys.executable, "-c", SPEAKER, program, format_]
    entries = journal.entries_of(*speaker, env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)})
    priorities: dict[str, set[int]] = {}
    for entry in entries:
        assert not re.search(r"<\d>", entry["MESSAGE"]), "the journal takes the mark away"
        words = (
            "so_it_is",
            "all_is_well",
            "look_here",
            "the end",
            "that_failed",
            "Traceback",
            "a mistake",
            "Python itself",
        )
        for word in words:
            if word in entry["MESSAGE"]:
                priorities.setdefault(word, set()).add(int(entry["PRIORITY"]))
    assert priorities == {
        "so_it_is": {7}, "all_is_well": {6}, "look_here": {4}, "the end": {2}, "that_failed": {3}, "Traceback": {3},
        "a mistake": {3}, "Python itself": {3},
    }  # fmt: skip


def test_elsewhere_no_line_has_a_priority(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Under systemd, but with the log redirected to a file, lines are as they always are."""
    monkeypatch.setenv("JOURNAL_STREAM", "1:2")
    with (tmp_path / "log").open("w+") as stream:
        configure(LogSettings(format="json"), stream=stream)
        structlog.get_logger("agent.test").warning("something_happened")
        stream.seek(0)
        assert json.loads(stream.read())["event"] == "something_happened"
