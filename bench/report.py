"""The findings of a run, as plain text for people and as plain data for machines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Table:
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    """Rows with as many cells as there are columns. The first column is text, the others are figures."""


@dataclass(frozen=True, slots=True)
class Bar:
    """One promise and whether it was kept."""

    promise: str
    met: bool
    figures: str


@dataclass(frozen=True, slots=True)
class Point:
    """One thing that was measured."""

    name: str
    title: str
    table: Table
    bars: tuple[Bar, ...]
    notes: tuple[str, ...] = ()
    raw: dict[str, Any] = field(default_factory=dict)
    """Every single value, with its unit in the key."""


def text_of(points: Sequence[Point], *, machine: Sequence[tuple[str, str]], seconds: float) -> str:
    """The whole report."""
    lines = ["cast-agent bench", "================", ""]
    lines += aligned([(f"{name}:", value) for name, value in machine], right=False)
    for number, point in enumerate(points, 1):
        title = f"{number}. {point.title}"
        lines += ["", "", title, "-" * len(title)]
        lines += aligned([point.table.columns, *point.table.rows], right=True)
        lines += [f"  {note}" for note in point.notes]
        lines += [f"  {_verdict(bar)}" for bar in point.bars]
    bars = [bar for point in points for bar in point.bars]
    missed = [bar for bar in bars if not bar.met]
    lines += ["", "", f"{len(bars) - len(missed)} of {len(bars)} bars met, in {seconds / 60:.1f} minutes"]
    lines += [f"  {_verdict(bar)}" for bar in missed]
    return "\n".join(lines) + "\n"


def data_of(points: Sequence[Point], *, machine: Sequence[tuple[str, str]], seconds: float) -> dict[str, Any]:
    """The same with every single value; made of what JSON knows."""
    return {"machine": dict(machine), "seconds": seconds, "points": [asdict(point) for point in points]}


def _verdict(bar: Bar) -> str:
    return f"{'met   ' if bar.met else 'MISSED'}  {bar.promise}: {bar.figures}"


def aligned(rows: Sequence[Sequence[str]], *, right: bool) -> list[str]:
    """Lines of a table; all columns but the first are aligned to the `right`."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = []
    for row in rows:
        cells = [row[0].ljust(widths[0])]
        cells += [cell.rjust(width) if right else cell for cell, width in zip(row[1:], widths[1:], strict=True)]
        lines.append("  " + "  ".join(cells).rstrip())
    return lines
