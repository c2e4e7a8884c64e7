"""A condition for one of many values, in few different statements."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, TypeVar

from sqlalchemy import ColumnElement
from sqlalchemy.orm import InstrumentedAttribute

T = TypeVar("T")


def among(column: InstrumentedAttribute[T], values: Collection[Any]) -> ColumnElement[bool]:
    """Return the condition that the column has one of these values.

    PostgreSQL parses and plans a list of each length anew, and a connection keeps a hundred statements: so a list is
    filled up with its last value until its length is a power of two.
    """
    given = list(values)
    length = 1 << max(0, len(given) - 1).bit_length()
    return column.in_(given + given[-1:] * (length - len(given)))
