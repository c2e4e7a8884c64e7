"""Errors as UPnP has them: a number and a sentence."""

from __future__ import annotations

from typing import Final

from agent.errors import (
    AgentError,
    InvalidRequestError,
    InvalidTransitionError,
    MediaError,
    ReplacedError,
)

INVALID_ACTION: Final = 401
INVALID_ARGUMENTS: Final = 402
ACTION_FAILED: Final = 501
TRANSITION_NOT_AVAILABLE: Final = 701
SEEK_MODE_NOT_SUPPORTED: Final = 710
RESOURCE_NOT_FOUND: Final = 716
"""Home Assistant shows the sentence that comes with it."""


class UpnpError(Exception):
    """An error answer of UPnP; `str()` is a sentence for a person."""

    def __init__(self, code: int, sentence: str) -> None:
        super().__init__(sentence)
        self.code = code

    @classmethod
    def of(cls, error: AgentError) -> UpnpError:
        """The same error in words of UPnP."""
        match error:
            case InvalidTransitionError() | ReplacedError():
                code = TRANSITION_NOT_AVAILABLE
            case MediaError():
                code = RESOURCE_NOT_FOUND
            case InvalidRequestError():
                of_url = any(each.field == "url" for each in error.errors)
                code = RESOURCE_NOT_FOUND if of_url else INVALID_ARGUMENTS
            case _:
                code = ACTION_FAILED
        return cls(code, str(error))
