"""A condition for one of many values, in one statement whatever their number."""

from __future__ import annotations

import json
from collections.abc import Collection
from typing import Any, TypeVar

from sqlalchemy import ARRAY, BindParameter, Boolean, ColumnElement, Dialect, String, bindparam
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.orm import InstrumentedAttribute
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.sql.operators import OperatorType
from sqlalchemy.types import TypeDecorator, TypeEngine

T = TypeVar("T")


def among(
    column: InstrumentedAttribute[T], values: Collection[str] | BindParameter[Collection[str]]
) -> ColumnElement[bool]:
    """Return the condition that the column, a text, has one of these values, or of those of a parameter (`texts`).

    They are one parameter. With one for each, SQLAlchemy wrote the statement anew for each list, which took half of the
    time of a look-up, and PostgreSQL planned one for each length.
    """
    given = values if isinstance(values, BindParameter) else bindparam(None, values, _Texts(), unique=True)
    return _Among(column, given)


def texts(name: str) -> BindParameter[Collection[str]]:
    """A parameter of this name for a statement that is made once: to make it costs more than to execute it."""
    return bindparam(name, type_=_Texts())


class _Texts(TypeDecorator[Collection[str]]):
    """A list: an array on PostgreSQL, JSON on SQLite."""

    impl = String
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        return dialect.type_descriptor(String() if dialect.name == "sqlite" else ARRAY(String()))

    def process_bind_param(self, value: Collection[str] | None, dialect: Dialect) -> Any:
        values = list(value or ())
        return json.dumps(values) if dialect.name == "sqlite" else values


class _Among(FunctionElement[bool]):
    type = Boolean()
    inherit_cache = True

    def self_group(self, against: OperatorType | None = None) -> _Among:
        """Itself: SQLAlchemy would write `= 1` behind it for SQLite, which then looks at each row of the table."""
        return self


@compiles(_Among)
def _on_postgres(element: _Among, compiler: SQLCompiler, **options: Any) -> str:
    column, values = (compiler.process(clause, **options) for clause in element.clauses)
    return f"{column} = ANY ({values})"


@compiles(_Among, "sqlite")
def _on_sqlite(element: _Among, compiler: SQLCompiler, **options: Any) -> str:
    column, values = (compiler.process(clause, **options) for clause in element.clauses)
    return f"{column} IN (SELECT value FROM json_each({values}))"  # noqa: S608 - no text of a caller
