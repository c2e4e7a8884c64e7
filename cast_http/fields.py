"""What is wrong with one field of a request. Nothing of HTTP is imported for it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class FieldError:
    """One thing wrong with one field of a request; `field` is empty when it is the body as a whole."""

    field: str
    message: str
