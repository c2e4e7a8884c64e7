"""What is wrong with one field of a request. Nothing of HTTP is imported for it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class FieldError:
    """A mistake in one field of a request; `field` is empty for the body as a whole."""

    field: str
    message: str
