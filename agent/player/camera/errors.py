"""The reasons why nothing is to be had of a camera. Their texts are for people."""

from __future__ import annotations

from typing import Final

RETRY_S: Final = 15.0
"""The pause between tries: a camera that is away is left in peace, and a start of it goes to the camera itself."""
REFUSED_RETRY_S: Final = 3600.0
"""The same after a refused password: cameras lock accounts after some in a few minutes."""
NOT_LIVE_RETRY_S: Final = 600.0
"""The same after what was no live stream: a look at a film may take 30 s of it."""


class GoneError(Exception):
    """Nothing is to be had of the camera now."""

    pause_s = RETRY_S
    """The seconds after which it is tried again."""


class RefusedError(GoneError):
    """The camera refused the password."""

    pause_s = REFUSED_RETRY_S

    def __init__(self, text: str) -> None:
        super().__init__(f"{text} It is sent again in an hour, because cameras lock accounts.")


class NotLiveError(GoneError):
    """It has an end, or comes as fast as it is read: there is nothing to be kept ready."""

    pause_s = NOT_LIVE_RETRY_S

    def __init__(self) -> None:
        super().__init__("What is sent there is not live: leave keep_ready out of the preset.")
