"""Logs: events as JSON lines or readable text, from structlog and stdlib alike, without secrets."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import re
import sys
from functools import partial
from typing import Any, Final, TextIO
from urllib.parse import unquote

import orjson
import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from cast_util.journal import is_journal, with_priority
from central.core.settings import LogSettings

HIDDEN: Final = "***"

# Also a part of one, as a text that was cut holds it.
_TOKEN_LEAST = 19
_TOKEN = re.compile(r"(?<![A-Za-z0-9])(ak|dt|et|ps|sk|uk)_[A-Za-z0-9_-]{16,}")
_USERINFO = re.compile(r"(?<=://)[^/\s@]+(?=@)")
_QUERY_SECRET = re.compile(
    r"(?i)(?<=[?&])((?:key|token|pass|password|secret|code|x-amz-(?:credential|security-token|signature))=)[^&\s]+"
)
_SUSPECT: Final = ("%", "@", "=", "\\", "\x7f", "ak_", "dt_", "et_", "ps_", "sk_", "uk_")
"""JSON holds one of these, or more than ASCII, wherever `_clean` changes a text."""
_PLAIN: Final = frozenset({str, int, float, bool, type(None)})
_FIRST: Final = ("timestamp", "level", "logger", "event")
_UNPRINTABLE = {code: ascii(chr(code))[1:-1] for code in (*range(32), *range(127, 160), 0x2028, 0x2029)}


def configure(settings: LogSettings, *, stream: TextIO | None = None) -> None:
    """Send all logs of this process to `stream` (standard error when None). Calling it again replaces that.

    `auto` is JSON under systemd and where the stream is no terminal, else text. Tokens, credentials in addresses and
    secrets in queries are shown as `***`. Where the stream is systemd's journal, each line begins with its priority
    (sd-daemon(3)), which the journal takes away.
    """
    stream = sys.stderr if stream is None else stream
    terminal = stream.isatty()
    plain = os.environ.get("INVOCATION_ID") or not terminal
    as_json = settings.format == "json" or (settings.format == "auto" and plain)
    rendered: list[Processor] = [_render_hidden_json]
    if not as_json:
        colours = terminal and os.environ.get("TERM", "dumb") != "dumb" and not os.environ.get("NO_COLOR")
        renderer = structlog.dev.ConsoleRenderer(
            colors=colours, exception_formatter=structlog.dev.plain_traceback, sort_keys=False
        )
        rendered = [hide_secrets, renderer]
    ours: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        _add_logger_name,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    shown: list[Processor] = [structlog.processors.format_exc_info, *rendered]
    out = _Output(stream)
    # Our own events go to the stream as they are: on their way through the standard library's loggers the line of each
    # request cost a quarter of all that a request costs.
    structlog.configure(
        processors=[*ours, *shown],
        wrapper_class=structlog.make_filtering_bound_logger(settings.level),
        logger_factory=partial(_Logger, out),
    )
    handler = _Handler(out)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.add_logger_name, *ours[:1], *ours[2:]],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *shown],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(settings.level.upper())
    # alembic tells of every start that nothing had to be done; the others tell what stands in the database.
    for name in ("alembic", "aiosqlite", "sqlalchemy", "asyncpg"):
        logging.getLogger(name).setLevel(logging.WARNING)


class _Output:
    """The stream for lines of the log. A line that cannot be written is lost: there is nowhere to say so."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._to_journal = is_journal(stream)

    def write(self, text: str, level: int) -> None:
        if self._to_journal:
            text = with_priority(text, level)
        with contextlib.suppress(OSError, ValueError):  # full, broken or closed
            self._stream.write(text + "\n")  # at once, so that lines of threads do not mix
            self._stream.flush()


class _Logger:
    """The logger that structlog writes its lines to."""

    def __init__(self, out: _Output, name: str = "central") -> None:
        self.name = name
        self.debug = partial(out.write, level=logging.DEBUG)
        self.info = partial(out.write, level=logging.INFO)
        self.warning = partial(out.write, level=logging.WARNING)
        self.error = self.exception = partial(out.write, level=logging.ERROR)
        self.critical = partial(out.write, level=logging.CRITICAL)


class _Handler(logging.Handler):
    """A handler for the loggers of the standard library, such as aiohttp's."""

    def __init__(self, out: _Output) -> None:
        super().__init__()
        self._out = out

    def emit(self, record: logging.LogRecord) -> None:
        try:
            text = self.format(record)
        except Exception:  # arguments that do not fit their message; the record may hold secrets
            text = f"a message of {record.name} cannot be shown"
        self._out.write(text, record.levelno)


def _add_logger_name(logger: WrappedLogger, method_name: str, event_dict: EventDict) -> EventDict:
    event_dict["logger"] = logger.name
    return event_dict


def redact(text: str) -> str:
    """The text without tokens, credentials of addresses, and secrets in queries."""
    # Most values are short words: looking for what a secret must hold is much quicker than looking for a secret.
    if "%" in text and (plain := unquote(unquote(text))) != text and _without(plain) != plain:
        text = plain  # a secret that is percent-encoded, once or twice, is one
    return _without(text)


def _without(text: str) -> str:
    if len(text) >= _TOKEN_LEAST and "_" in text:
        text = _TOKEN.sub(lambda match: f"{match[1]}_{HIDDEN}", text)
    if "@" in text:
        text = _USERINFO.sub(HIDDEN, text)
    return _QUERY_SECRET.sub(rf"\1{HIDDEN}", text) if "=" in text else text


def hide_secrets(logger: WrappedLogger, method_name: str, event_dict: EventDict) -> EventDict:
    """A structlog processor: texts in every value are redacted, and cannot drive a terminal."""
    return {key: _clean(value) for key, value in event_dict.items()}


def _clean(value: object) -> Any:
    if value is None or isinstance(value, (bool, int, float)):
        return value
    if isinstance(value, str) and value.isalnum():
        return value  # a secret is known by one of the marks _ @ = %
    text = redact(value if isinstance(value, str) else str(value))
    return text if text.isprintable() else "\n".join(line.translate(_UNPRINTABLE) for line in text.split("\n"))


def _render_hidden_json(logger: WrappedLogger, method_name: str, event_dict: EventDict) -> str:
    """A line of JSON without secrets. Most lines hold nothing that could be one, and a look at the whole tells that
    sooner than a look at each value."""
    event_dict = {**{key: event_dict[key] for key in _FIRST if key in event_dict}, **event_dict}  # to be read by eye
    if _PLAIN.issuperset(map(type, event_dict.values())):
        with contextlib.suppress(orjson.JSONEncodeError):  # half a character, or a number of more than 64 bits
            line = orjson.dumps(event_dict).decode()
            if line.isascii() and not any(mark in line for mark in _SUSPECT):
                return line
    # In ASCII, which can be written whatever the text is.
    return json.dumps(hide_secrets(logger, method_name, event_dict), separators=(",", ":"))
