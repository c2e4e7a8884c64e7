"""The mistakes in the fields of a request. Nothing of HTTP is imported for them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class FieldError:
    """A mistake in one field of a request; `field` is empty for the body as a whole."""

    field: str
    message: str
