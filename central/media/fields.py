"""The kinds of fields of those who publish. Each says in words what it must be, and never repeats a value."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Annotated, Final

from pydantic import AfterValidator, AwareDatetime, Field

_PATH_PATTERN: Final = r"^[0-9a-zA-Z_\-/.~:]+$"
"""MediaMTX's pattern of paths."""


def _path(path: str) -> str:
    if re.fullmatch(_PATH_PATTERN, path) is None:
        raise ValueError("must hold only letters, digits and _ - . ~ : /, such as live/kitchen")
    if ".." in path.split("/") or "//" in path or path.startswith("/") or path.endswith("/"):
        raise ValueError("must be a path such as live/kitchen")
    return path


def _in_utc(moment: datetime) -> datetime:
    if not 1970 <= moment.year < 3000:
        raise ValueError("must be between the years 1970 and 2999")
    return moment.astimezone(UTC)


MediaPath = Annotated[
    str, Field(min_length=1, max_length=200, json_schema_extra={"pattern": _PATH_PATTERN}), AfterValidator(_path)
]
Expiry = Annotated[AwareDatetime, AfterValidator(_in_utc)]
