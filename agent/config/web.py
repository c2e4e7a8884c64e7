"""The section of web pages."""

from __future__ import annotations

from datetime import time
from typing import Annotated

from pydantic import AfterValidator, Field

from agent.media.origins import check_login_origin
from cast_util.settings import Section


def _time_of_day(text: str) -> str:
    if text == "never":
        return text
    try:
        time.fromisoformat(text)
    except ValueError:
        text = ""
    if len(text) != 5:
        raise ValueError('should be a time of day such as "04:00", or "never"')
    return text


class WebSettings(Section):
    """How web pages are shown."""

    input: bool = Field(default=False, description="true or false")
    renew_at: Annotated[str, AfterValidator(_time_of_day)] = Field(
        default="04:00", description='a time of day such as "04:00", or "never"'
    )
    lan_guests: tuple[Annotated[str, AfterValidator(check_login_origin)], ...] = Field(
        default=(),
        max_length=32,
        description='a list of beginnings of addresses, such as ["https://board.example.org"]',
    )
