"""Logs: events as JSON lines or readable text, from structlog and stdlib alike, without secrets."""

from __future__ import annotations

import json
import logging
import math
import os
import sys
from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any, TextIO
from uuid import UUID

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from agent.config.settings import LogSettings
from agent.media.redaction import HIDDEN, names_secret, redact
from cast_util.journal import is_journal, with_priority


def configure(settings: LogSettings, *, stream: TextIO | None = None) -> None:
    """Send all logs of this process to `stream` (standard error when None). Calling it again replaces that.

    `auto` is JSON under systemd and where the stream is no terminal, else text. Logging never raises: what cannot
    be shown is shown by its repr, and URL credentials and values with a secret's name are shown as `***`. Where the
    stream is systemd's journal, each line begins with its priority (sd-daemon(3)), which the journal takes away.
    """
    stream = sys.stderr if stream is None else stream
    terminal = _is_terminal(stream)
    as_json = settings.format == "json" or (settings.format == "auto" and (_under_systemd() or not terminal))
    renderer: Processor = _render_json if as_json else _console(colors=in_colour(stream))

    # Every event gets these, whether it comes from structlog or from the stdlib's loggers (aiohttp, asyncio).
    common: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
    ]
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=common,
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.format_exc_info,
            redact_secrets,
            renderer,
        ],
    )
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *common,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
    )
    handler = _Handler(stream)
    handler.setFormatter(formatter)
    root = logging.getLogger()
    for old in [old for old in root.handlers if isinstance(old, _Handler)]:
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(settings.level.upper())


def in_colour(stream: TextIO) -> bool:
    """Return True if colours can be shown there, and are wanted (https://no-color.org)."""
    return _is_terminal(stream) and os.environ.get("TERM", "dumb") != "dumb" and not os.environ.get("NO_COLOR")


def redact_secrets(logger: WrappedLogger, method_name: str, event_dict: EventDict) -> EventDict:
    """A structlog processor: every value made plain (what JSON knows), and without secrets. Never raises."""
    return {_text(key): _clean_item(key, value) for key, value in event_dict.items()}


# Deeper than anything that is logged on purpose; ends values that hold themselves.
_MAX_DEPTH = 8
# Escape sequences in a title would drive the terminal of whoever reads the log, line separators would make two lines
# of one, and marks that turn the writing direction would show something else than what is there.
_UNPRINTABLE = (*range(32), *range(127, 160), *range(0x2028, 0x202F), *range(0x2066, 0x206A))
_CONTROL = {code: ascii(chr(code))[1:-1] for code in _UNPRINTABLE if chr(code) not in "\n\t"}


class _Handler(logging.StreamHandler[TextIO]):
    """Says that a record could not be written, without the record: its arguments may hold secrets."""

    def __init__(self, stream: TextIO) -> None:
        super().__init__(stream)
        self._to_journal = is_journal(stream)

    def format(self, record: logging.LogRecord) -> str:
        text = super().format(record)
        return with_priority(text, record.levelno) if self._to_journal else text

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802  # the stdlib's name
        error = sys.exc_info()[0]
        line = {"event": "log_failed", "level": "error", "logger": record.name, "error": getattr(error, "__name__", "")}
        try:
            text = json.dumps(line)
            text = with_priority(text, logging.ERROR) if self._to_journal else text
            self.stream.write(text + self.terminator)
            self.flush()
        except (OSError, ValueError):
            return  # the stream is gone or closed; there is nowhere left to say so


def _is_terminal(stream: TextIO) -> bool:
    try:
        return stream.isatty()
    except (AttributeError, ValueError):  # a bare writer; a closed file
        return False


def _under_systemd() -> bool:
    return bool(os.environ.get("INVOCATION_ID") or os.environ.get("JOURNAL_STREAM"))


def _console(*, colors: bool) -> Processor:
    return structlog.dev.ConsoleRenderer(
        colors=colors, exception_formatter=structlog.dev.plain_traceback, sort_keys=False
    )


def _render_json(logger: WrappedLogger, method_name: str, event_dict: EventDict) -> str:
    # In a fixed order, so that lines can be read by eye too.
    first = {key: event_dict.pop(key) for key in ("timestamp", "level", "logger", "event") if key in event_dict}
    return json.dumps({**first, **event_dict}, ensure_ascii=False)


def _clean_item(key: object, value: object, depth: int = 0) -> Any:
    if value is not None and not isinstance(value, bool) and names_secret(_text(key)):
        return HIDDEN
    return _clean(value, depth)


def _clean(value: object, depth: int) -> Any:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int | float):
        # JSON knows no NaN; Python refuses to write out numbers of thousands of digits.
        return value if -(2**64) < value < 2**64 and math.isfinite(value) else _text(value)
    if isinstance(value, str):
        return _text(value)
    if depth >= _MAX_DEPTH:
        return "..."
    try:
        if isinstance(value, Mapping):
            return {_text(key): _clean_item(key, item, depth + 1) for key, item in value.items()}
        if isinstance(value, list | tuple | set | frozenset):
            return _clean_all(value, depth)
    except Exception as error:  # a foreign container, or one that another thread changes
        return f"<cannot be shown: {type(error).__name__}>"
    return _text(value)


def _clean_all(values: Iterable[object], depth: int) -> list[Any]:
    return [_clean(value, depth + 1) for value in values]


def _text(value: object) -> str:
    """The value as text that can be written: no credentials, no control characters, no broken characters."""
    try:
        text = value if isinstance(value, str) else _describe(value)
        text = redact(text)
        if text.isascii() and text.isprintable():
            return text
        return text.translate(_CONTROL).encode("utf-8", "backslashreplace").decode("utf-8")
    except Exception as error:  # a foreign __str__ or __repr__
        return f"<{type(value).__name__} cannot be shown: {type(error).__name__}>"


def _describe(value: object) -> str:
    return str(value) if isinstance(value, os.PathLike | BaseException | date | UUID) else repr(value)
