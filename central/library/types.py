"""The words about videos."""

from __future__ import annotations

from enum import StrEnum
from typing import Final, Literal


class JobKind(StrEnum):
    """A kind of work on a film in the background. What it makes exists once for a video."""

    POSTER = "poster"
    """A picture of it, JPEG, 640 pixels wide."""
    THUMBNAILS = "thumbnails"
    """A hundred pictures over its length, in one JPEG of ten rows and ten columns, each 160 pixels wide."""
    FULL_HD = "1080p"
    """MP4 of H.264 and AAC with at most so many lines; also what boxes get instead of an original that they cannot
    decode."""
    HD = "720p"
    SD = "480p"


PICTURES: Final = (JobKind.POSTER, JobKind.THUMBNAILS)
"""The kinds that are no renditions, and are made of each film."""


class JobState(StrEnum):
    """The progress of a job."""

    QUEUED = "queued"
    RUNNING = "running"
    """A worker has it for as long as its lease lasts; after that the next one takes it."""
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


class VideoState(StrEnum):
    """The progress of a video from its reservation to the boxes."""

    UPLOADING = "uploading"
    """Reserved; bytes are there or come."""
    CHECKING = "checking"
    """All bytes are there, and are looked at."""
    TRANSCODING = "transcoding"
    """Boxes cannot decode it; what they can is being made of it."""
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
    "video/mpeg",
    "video/quicktime",
    "video/webm",
    "video/x-flv",
    "video/x-matroska",
    "video/x-ms-wmv",
    "video/x-msvideo",
]
"""The types that may be uploaded: those for which boxes have an engine, and those that are converted to such a type."""
