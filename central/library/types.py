"""The words about videos."""

from __future__ import annotations

from enum import StrEnum
from typing import Literal


class VideoState(StrEnum):
    """Where a video is on its way from its reservation to the boxes."""

    UPLOADING = "uploading"
    """Reserved; bytes are there or come."""
    CHECKING = "checking"
    """All bytes are there, and are looked at."""
    READY = "ready"
    FAILED = "failed"
    """It cannot be played; `problem` says why. Its bytes are deleted."""


MediaType = Literal[
    "audio/aac",
    "audio/flac",
    "audio/mp4",
    "audio/mpeg",
    "audio/ogg",
    "audio/wav",
    "image/jpeg",
    "image/png",
    "image/webp",
    "video/mp2t",
    "video/mp4",
    "video/quicktime",
    "video/webm",
    "video/x-matroska",
]
"""What may be uploaded: what boxes have an engine for."""
