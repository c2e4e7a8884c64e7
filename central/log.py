"""Logs: events as JSON lines or readable text, from structlog and stdlib alike, without secrets."""

from __future__ import annotations

import json
import logging
import os
import re
import sys
from typing import Any, Final, TextIO

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from central.config import LogSettings
from central.secrets import TOKEN_LENGTH, TOKEN_PATTERN

HIDDEN: Final = "***"

_USERINFO = re.compile(r"(?<=://)[^/\s@]+(?=@)")
_QUERY_SECRET = re.compile(r"(?i)(?<=[?&])((?:key|token|pass|password|secret|code)=)[^&\s]+")
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
    renderer: Processor = _render_json
    if not as_json:
        colours = terminal and os.environ.get("TERM", "dumb") != "dumb" and not os.environ.get("NO_COLOR")
        renderer = structlog.dev.ConsoleRenderer(
            colors=colours, exception_formatter=structlog.dev.plain_traceback, sort_keys=False
        )
    common: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=common,
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.format_exc_info,
            hide_secrets,
            renderer,
        ],
    )
    structlog.configure(
        processors=[structlog.stdlib.filter_by_level, *common, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
    )
    handler = _Handler(stream)
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(settings.level.upper())
    # alembic tells of every start that nothing had to be done; the others tell what stands in the database.
    for name in ("alembic", "aiosqlite", "sqlalchemy", "asyncpg"):
        logging.getLogger(name).setLevel(logging.WARNING)


class _Handler(logging.StreamHandler[TextIO]):
    def __init__(self, stream: TextIO) -> None:
        super().__init__(stream)
        self._to_journal = _is_journal(stream)

    def format(self, record: logging.LogRecord) -> str:
        text = super().format(record)
        if not self._to_journal:
            return text
        priority = next((priority for least, priority in _PRIORITIES if record.levelno >= least), 7)
        return "\n".join(f"<{priority}>{line}" for line in text.split("\n"))  # an entry of the journal for each line


_PRIORITIES = ((logging.CRITICAL, 2), (logging.ERROR, 3), (logging.WARNING, 4), (logging.INFO, 6))
"""From which level on which priority of syslog(3); 7 is debug."""


def _is_journal(stream: TextIO) -> bool:
    """Return True if systemd made this stream and gives it to its journal (systemd.exec(5), $JOURNAL_STREAM)."""
    try:
        there = os.fstat(stream.fileno())
    except (OSError, AttributeError, ValueError):  # no file behind it, or a closed one
        return False
    return os.environ.get("JOURNAL_STREAM") == f"{there.st_dev}:{there.st_ino}"


def redact(text: str) -> str:
    """The text without tokens, credentials of addresses, and secrets in queries."""
    # Most values are short words: looking for what a secret must hold is much quicker than looking for a secret.
    if len(text) >= TOKEN_LENGTH:
        text = TOKEN_PATTERN.sub(lambda match: f"{match[1]}_{HIDDEN}", text)
    if "@" in text:
        text = _USERINFO.sub(HIDDEN, text)
    return _QUERY_SECRET.sub(rf"\1{HIDDEN}", text) if "=" in text else text


def hide_secrets(logger: WrappedLogger, method_name: str, event_dict: EventDict) -> EventDict:
    """A structlog processor: texts in every value are redacted, and cannot drive a terminal."""
    return {key: _clean(value) for key, value in event_dict.items()}


def _clean(value: object) -> Any:
    if value is None or isinstance(value, bool | int | float):
        return value
    text = redact(value if isinstance(value, str) else str(value))
    return text if text.isprintable() else "\n".join(line.translate(_UNPRINTABLE) for line in text.split("\n"))


def _render_json(logger: WrappedLogger, method_name: str, event_dict: EventDict) -> str:
    # In a fixed order, so that lines can be read by eye too.
    first = {key: event_dict.pop(key) for key in ("timestamp", "level", "logger", "event") if key in event_dict}
    return json.dumps({**first, **event_dict})
