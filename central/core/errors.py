"""One error tree with stable codes. Which HTTP status each is, only `core.http.problems` knows."""

from __future__ import annotations

from typing import ClassVar

from cast_http.fields import FieldError as FieldError
from central.core.types import ErrorCode


class CentralError(Exception):
    """Base of everything that is raised on purpose; `str()` is a sentence for a person."""

    code: ClassVar[ErrorCode] = ErrorCode.INTERNAL


class ConfigError(CentralError):
    """The configuration cannot be used; the text names the key, the problem and the fix."""


class BackupError(CentralError):
    """A backup cannot be made or restored; the text says why, and what to do."""


class InvalidRequestError(CentralError):
    """The request cannot be understood; `errors` names each field."""

    code = ErrorCode.INVALID_REQUEST

    def __init__(self, message: str, errors: tuple[FieldError, ...] = ()) -> None:
        super().__init__(message)
        self.errors = errors

    @classmethod
    def of(cls, field: str, message: str) -> InvalidRequestError:
        """An error about one field."""
        return cls(f"{field} {message}.", (FieldError(field, message),))


class UnauthorizedError(CentralError):
    """The caller has no credentials, or they are unknown, revoked or expired."""

    code = ErrorCode.UNAUTHORIZED


class ForbiddenError(CentralError):
    """The caller is known, and may not do this."""

    code = ErrorCode.FORBIDDEN


class ForbiddenOriginError(ForbiddenError):
    """A page of another origin sent the request, and a browser added the cookie of our page."""

    code = ErrorCode.FORBIDDEN_ORIGIN


class TooManyRequestsError(CentralError):
    """Too many tries; `retry_after_s` tells when the next one makes sense."""

    code = ErrorCode.TOO_MANY_REQUESTS

    def __init__(self, message: str, retry_after_s: float) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class QuotaExceededError(TooManyRequestsError):
    """A box has used up its quota for now."""

    code = ErrorCode.QUOTA_EXCEEDED


class UnavailableError(CentralError):
    """The request cannot be served now, through no fault of the caller: it may work later."""


class DatabaseUnavailableError(UnavailableError):
    """The database does not answer, or cannot be written to."""

    code = ErrorCode.DATABASE_UNAVAILABLE


class DatabaseFullError(DatabaseUnavailableError):
    """The disk has no space for the data."""

    code = ErrorCode.DATABASE_FULL


class OverloadedError(UnavailableError):
    """More is waiting than can be done in a reasonable time."""

    code = ErrorCode.OVERLOADED


class MissingError(CentralError):
    """There is nothing with that id."""

    code = ErrorCode.NOT_FOUND


class DeviceNotFoundError(MissingError):
    code = ErrorCode.DEVICE_NOT_FOUND


class StreamNotFoundError(MissingError):
    code = ErrorCode.STREAM_NOT_FOUND


class BroadcasterNotFoundError(MissingError):
    code = ErrorCode.BROADCASTER_NOT_FOUND


class StreamKeyNotFoundError(MissingError):
    code = ErrorCode.STREAM_KEY_NOT_FOUND


class VideoNotFoundError(MissingError):
    code = ErrorCode.VIDEO_NOT_FOUND


class JobNotFoundError(MissingError):
    code = ErrorCode.JOB_NOT_FOUND


class ConflictError(CentralError):
    """It cannot be done as things are."""


class NameInUseError(ConflictError):
    code = ErrorCode.NAME_IN_USE


class StreamEndedError(ConflictError):
    code = ErrorCode.STREAM_ENDED


class NotClaimedError(ConflictError):
    code = ErrorCode.NOT_CLAIMED


class WrongOffsetError(ConflictError):
    code = ErrorCode.WRONG_OFFSET


class UploadInUseError(ConflictError):
    code = ErrorCode.UPLOAD_IN_USE


class UploadIncompleteError(ConflictError):
    code = ErrorCode.UPLOAD_INCOMPLETE


class WrongStateError(ConflictError):
    code = ErrorCode.WRONG_STATE


class LibraryQuotaExceededError(ConflictError):
    code = ErrorCode.LIBRARY_QUOTA_EXCEEDED


class TooLargeError(CentralError):
    """More was sent than may be."""

    code = ErrorCode.PAYLOAD_TOO_LARGE


class StorageFullError(CentralError):
    """There is no room on the disk of the library."""

    code = ErrorCode.STORAGE_FULL


class LibraryUnavailableError(UnavailableError):
    """Videos cannot be checked on this machine, or not now."""

    code = ErrorCode.LIBRARY_UNAVAILABLE


class PublishRefusedError(CentralError):
    """A publisher is not let in; the code says why."""

    def __init__(self, code: ErrorCode, message: str) -> None:
        super().__init__(message)
        self.reason = code
