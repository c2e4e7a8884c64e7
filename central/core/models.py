"""The base of all models."""

from __future__ import annotations

from typing import Any, Final

from pydantic import BaseModel, ConfigDict, model_validator
from pydantic.config import JsonDict

from central.core.fields import Cursor, Limit
from central.core.pages import PAGE_DEFAULT


class Body(BaseModel):
    """The body of a request. Unknown fields are refused, because they are mistakes."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Patch(Body):
    """A change: only the fields that are there are changed, and at least one has to be."""

    @model_validator(mode="after")
    def _not_empty(self) -> Patch:
        if not self.model_fields_set:
            raise ValueError(f"Send at least one of these: {', '.join(type(self).model_fields)}")
        return self

    def given(self) -> dict[str, Any]:
        """Columns and values."""
        return {"meta" if name == "metadata" else name: getattr(self, name) for name in self.model_fields_set}


class PageQuery(Body):
    """The start and the length of a page."""

    cursor: Cursor | None = None
    limit: Limit = PAGE_DEFAULT


DEPRECATED: Final[JsonDict] = {"deprecated": True}
"""The field is removed with the release after the next."""


class Answer(BaseModel):
    """The base of all answers."""

    model_config = ConfigDict(frozen=True)
