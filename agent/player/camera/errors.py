"""Why nothing is to be had of a camera."""

from __future__ import annotations


class GoneError(Exception):
    """Nothing is to be had of the camera now. The text is for people."""


class NotLiveError(GoneError):
    """It has an end, or comes as fast as it is read: there is nothing to be kept ready."""

    def __init__(self) -> None:
        super().__init__("What is sent there is not live: leave keep_ready out of the preset.")
