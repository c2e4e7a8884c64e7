"""The words that all features share: the codes of errors, and who a caller is."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class ErrorCode(StrEnum):
    """Stable, machine-readable; the sentence beside it may change, the code does not."""

    INVALID_REQUEST = "invalid_request"
    NOT_FOUND = "not_found"
    METHOD_NOT_ALLOWED = "method_not_allowed"
    PAYLOAD_TOO_LARGE = "payload_too_large"
    TOO_MANY_REQUESTS = "too_many_requests"
    QUOTA_EXCEEDED = "quota_exceeded"
    """A box has had as much stored as it may for now."""
    UNAUTHORIZED = "unauthorized"
    FORBIDDEN = "forbidden"
    FORBIDDEN_ORIGIN = "forbidden_origin"
    """A page of another origin sent a request with the cookie of ours."""
    INTERNAL = "internal"
    DATABASE_UNAVAILABLE = "database_unavailable"
    DATABASE_FULL = "database_full"
    """There is no space left on its disk."""
    OVERLOADED = "overloaded"
    TIMED_OUT = "timed_out"
    """The call took longer than it may."""

    DEVICE_NOT_FOUND = "device_not_found"
    STREAM_NOT_FOUND = "stream_not_found"
    BROADCASTER_NOT_FOUND = "broadcaster_not_found"
    STREAM_KEY_NOT_FOUND = "stream_key_not_found"
    VIDEO_NOT_FOUND = "video_not_found"
    JOB_NOT_FOUND = "job_not_found"

    NAME_IN_USE = "name_in_use"
    STREAM_ENDED = "stream_ended"
    NOT_CLAIMED = "not_claimed"
    """The publisher of a path on air was not admitted here."""

    WRONG_OFFSET = "wrong_offset"
    """An upload goes on where the bytes end that are there."""
    UPLOAD_IN_USE = "upload_in_use"
    """Another connection sends the same video."""
    UPLOAD_INCOMPLETE = "upload_incomplete"
    WRONG_STATE = "wrong_state"
    """A video, or a job, is in a state in which this cannot be done."""
    LIBRARY_QUOTA_EXCEEDED = "library_quota_exceeded"
    """A key holds as much of the library as it may."""
    LIBRARY_UNAVAILABLE = "library_unavailable"
    """Videos cannot be checked here."""
    STORAGE_FULL = "storage_full"
    """There is no room for a video on the disk of the library."""

    KEY_UNKNOWN = "key_unknown"
    KEY_REVOKED = "key_revoked"
    KEY_EXPIRED = "key_expired"
    KEY_IN_USE = "key_in_use"
    PATH_IN_USE = "path_in_use"
    PATH_NOT_ALLOWED = "path_not_allowed"


class Role(StrEnum):
    """The kinds of callers."""

    ANYBODY = "anybody"
    MEDIAMTX = "mediamtx"
    ENROLMENT = "enrolment"
    DEVICE = "device"
    UPLOADER = "uploader"
    ADMIN = "admin"


Decodes = frozenset[str] | None
"""The codecs that a box decodes, named as ffmpeg names them; None: it never told."""


@dataclass(frozen=True, slots=True)
class KnownBox:
    """A box that is not revoked."""

    secret: str
    """The hash of its token, which nobody outside knows: what it signs is good for this box alone, until that is
    revoked."""
    decodes: Decodes


API_HOLDER: Final = "api.secret"
"""The name of whoever calls with the secret of the API."""


@dataclass(frozen=True, slots=True)
class Caller:
    """The caller: its role, and the id and the name of its key or token."""

    role: Role
    id: str = ""
    name: str = ""
    session: str = ""
    """The hash of the token by which a page is logged in as that key; empty for a caller that sent the key."""

    @property
    def is_admin(self) -> bool:
        return self.role is Role.ADMIN
