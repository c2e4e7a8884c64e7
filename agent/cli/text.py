"""Words for people: tables, times, and nothing from the network that could move their cursor."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final

_HARMLESS: Final = "\N{NO-BREAK SPACE}\N{ZERO WIDTH JOINER}"
"""Characters that are not printable in Python's eyes, but parts of names."""


_MORE: Final = "..."


def plain(text: object) -> str:
    """The text without control characters: a terminal would obey them."""
    return "".join(c if c.isprintable() or c in _HARMLESS else "\N{REPLACEMENT CHARACTER}" for c in str(text))


def cut(text: str, columns: int) -> str:
    """The text, or as much of it as a terminal shows in so many columns, with dots at its end."""
    if _width(text) <= columns:
        return text
    kept, room = "", columns - len(_MORE)
    for char in text:
        room -= _columns(char)
        if room < 0:
            break
        kept += char
    return f"{kept}{_MORE}"[: max(columns, 0)]


def _width(text: str) -> int:
    return sum(map(_columns, text))


def _columns(char: str) -> int:
    if unicodedata.combining(char) or char == "\N{ZERO WIDTH JOINER}":
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1


def table(rows: Sequence[Sequence[str]]) -> str:
    """Columns of plain text, the last one ragged."""
    cells = [[plain(cell) for cell in row] for row in rows]
    widths = [max(map(_width, column)) for column in zip(*cells, strict=True)]
    return "\n".join(
        "  ".join(cell + " " * (width - _width(cell)) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in cells
    )


def clock(seconds: float) -> str:
    """`1:02:03` or `2:03`."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def local_time(moment: datetime | None) -> str:
    """`2026-01-31 18:05`, by this machine's clock."""
    return "never" if moment is None else moment.astimezone().strftime("%Y-%m-%d %H:%M")


def power(answer: dict[str, Any]) -> str:
    """A sentence on the power of the screen."""
    if answer["on"] is None:
        return "This box cannot switch its screen, or has none."
    return f"The screen is {'on' if answer['on'] else 'off'}."


def volume(answer: dict[str, Any]) -> str:
    """The volume as `50 %`, or that it is muted."""
    return f"{answer['volume_level'] * 100:.0f} %" + (", muted" if answer["muted"] else "")


def what_is_on(status: dict[str, Any]) -> str:
    """A few words."""
    stream = status["stream"]
    return "idle" if stream is None else f"{stream['state']}: {stream['title'] or _address(stream)}"


def status(answer: dict[str, Any], url: str) -> str:
    """The answer of `GET /status` as text, for the agent at `url`."""
    device = answer["device"]
    lines = [[device["name"], f"cast-agent {device['version']} at {url}"]]
    if answer["stream"] is None:
        lines.append(["idle", "Nothing is on."])
    else:
        lines += _stream(answer["stream"])
    for waiting in answer["interrupted"]:
        at = f" at {clock(waiting['position'])}" if waiting["position"] else ""
        lines.append(["waiting", f"{title(waiting)}{at}"])
    if answer["last"] is not None:
        error = answer["last"]["error"]
        why = f": {error['message']}" if error else ""
        lines.append(["last", f"{title(answer['last'])}, {answer['last']['reason']}{why}"])
    lines.append(["volume", volume(answer["volume"])])
    if answer["screen"]["on"] is False:
        lines.append(["screen", "off"])
    return table([*lines, *_told(answer)])


def title(stream: dict[str, Any]) -> str:
    """The title of a session for people."""
    return f"{stream['title']} ({_address(stream)})" if stream["title"] else _address(stream)


def _address(stream: dict[str, Any]) -> str:
    """The address of a session, or the code or id while the address is not known."""
    for name, word in (("code", "code"), ("video_id", "video"), ("stream_id", "stream")):
        if not stream["url"] and stream.get(name):
            return f"{word} {stream[name]}"
    return str(stream["url"])


def _told(answer: dict[str, Any]) -> list[list[str]]:
    """The way for others to join the stream, or the problem with publishing it."""
    reporting, hooks = answer["reporting"], answer["webhooks"]
    lines = [["code", f"{reporting['code']}, by which others join what is on"]] if reporting["code"] else []
    lines += [["reporting", reporting["problem"]]] if reporting["problem"] else []
    return lines + [["webhook", f"{hook['url']}: {hook['problem']}"] for hook in hooks if hook["problem"]]


def _stream(stream: dict[str, Any]) -> list[list[str]]:
    lines = [[stream["state"], title(stream)]]
    details = []
    if stream["position"] is not None:
        length = f" of {clock(stream['duration'])}" if stream["duration"] else ""
        details.append(f"at {clock(stream['position'])}{length}")
    if stream["expires_at"]:
        left = (datetime.fromisoformat(stream["expires_at"]) - datetime.now(UTC)).total_seconds()
        details.append(f"ends by itself in {clock(max(left, 0))}")
    if stream["code"]:
        details.append(f"joined by the code {stream['code']}")
    if stream["session_state"] != "active":
        details.append(stream["session_state"])
    if stream["attempt"] > 1:
        details.append(f"attempt {stream['attempt']}")
    if details:
        lines.append(["", ", ".join(details)])
    if stream["error"]:
        lines.append(["", stream["error"]["message"]])
    lines.append(["", f"session {stream['session_id']}"])
    return lines
