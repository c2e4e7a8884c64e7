"""Lines of CSV (RFC 4180) that no spreadsheet takes for formulas."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from typing import Final

FORMULAS: Final = ("=", "+", "-", "@", "\t", "\r")
"""The characters with which a formula begins in a spreadsheet (OWASP, CSV injection)."""


def csv_lines(rows: Iterable[Sequence[object]]) -> bytes:
    """The rows as CSV. A text that would be a formula gets an apostrophe before it."""
    text = io.StringIO()
    csv.writer(text).writerows([_harmless(cell) for cell in row] for row in rows)
    return text.getvalue().encode()


def _harmless(cell: object) -> object:
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(FORMULAS) else cell
