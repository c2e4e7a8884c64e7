"""The section of web pages."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import time
from typing import Annotated, Final

from pydantic import AfterValidator, Field

from agent.media.origins import check_login_origin
from cast_util.settings import Section

_TIME: Final = re.compile(r"[0-9]{2}:[0-9]{2}")
_PIN: Final = re.compile(r"sha256/[A-Za-z0-9+/]{43}=")
"""The form of the result of `agent.host.trust.pin_of`."""

PINS_LIMIT: Final = 32
"""They are on the command line of each browser."""


def _time_of_day(text: str) -> str:
    if text == "never":
        return text
    try:
        if _TIME.fullmatch(text):
            time.fromisoformat(text)
            return text
    except ValueError:
        pass
    raise ValueError('should be a time of day such as "04:00", or "never"')


def _pinned_origin(url: str) -> str:
    origin = check_login_origin(url)
    if not origin.startswith("https:"):
        raise ValueError("should begin with https://: a server without TLS has no key")
    return origin


def _pin(text: str) -> str:
    if not _PIN.fullmatch(text):
        raise ValueError(
            'should be "sha256/" and 44 characters of base64: docs/pages.md has the command that prints it'
        )
    return text


class WebSettings(Section):
    """Settings for web pages."""

    input: bool = Field(default=False, description="true or false")
    renew_at: Annotated[str, AfterValidator(_time_of_day)] = Field(
        default="04:00", description='a time of day such as "04:00", or "never"'
    )
    lan_guests: tuple[Annotated[str, AfterValidator(check_login_origin)], ...] = Field(
        default=(),
        max_length=32,
        description='a list of beginnings of addresses, such as ["https://board.example.org"]',
    )
    pins: Mapping[Annotated[str, AfterValidator(_pinned_origin)], Annotated[str, AfterValidator(_pin)]] = Field(
        default_factory=dict,
        max_length=PINS_LIMIT,
        description=f"a table of up to {PINS_LIMIT} https:// addresses without a path, each with the pin of its key",
    )
