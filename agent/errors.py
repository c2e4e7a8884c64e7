"""One error tree. Each class has a stable code; which HTTP status that is, only `frontends.http.problems` knows."""

from __future__ import annotations

from typing import ClassVar

from agent.types import ErrorCode, Failure, MediaType
from cast_http.fields import FieldError as FieldError


class AgentError(Exception):
    """Base of everything that cast-agent raises on purpose; `str()` is a sentence for a person."""

    code: ClassVar[ErrorCode] = ErrorCode.INTERNAL

    @property
    def failure(self) -> Failure:
        return Failure(self.code, str(self))


class ConfigError(AgentError):
    """The configuration cannot be used; the text names the key, the problem and the fix."""


class InvalidRequestError(AgentError):
    """The request cannot be understood; `errors` names each field."""

    code = ErrorCode.INVALID_REQUEST

    def __init__(self, message: str, errors: tuple[FieldError, ...] = ()) -> None:
        super().__init__(message)
        self.errors = errors


class FileAwayError(InvalidRequestError):
    """The file may be played, but it is missing now, or its disk does not answer."""


class SessionNotFoundError(AgentError):
    """There is no session of that id."""

    code = ErrorCode.SESSION_NOT_FOUND


class PresetNotFoundError(AgentError):
    """There is no preset of that id, and nothing that was played before."""

    code = ErrorCode.PRESET_NOT_FOUND


class PresetBrokenError(AgentError):
    """The preset exists, but cannot be played until it is corrected."""

    code = ErrorCode.PRESET_BROKEN


class PresetReadOnlyError(AgentError):
    """The preset is one of the configuration: no caller changes it."""

    code = ErrorCode.PRESET_READ_ONLY


class PresetConflictError(AgentError):
    """The preset is no longer the one that the caller knows; `current` is the current one."""

    code = ErrorCode.PRESET_CONFLICT

    def __init__(self, message: str, current: object) -> None:
        super().__init__(message)
        self.current = current


class StorageError(AgentError):
    """Something cannot be read from the state directory or written to it; the text says why, and what to do."""

    code = ErrorCode.STORAGE_UNAVAILABLE


class ReplacedError(AgentError):
    """A newer start replaced the one that the caller waits for."""

    code = ErrorCode.REPLACED


class InvalidTransitionError(AgentError):
    """The request is not possible in the current state."""

    code = ErrorCode.INVALID_TRANSITION


class PlayerUnavailableError(AgentError):
    """There is no display, or no player can be started; the text says what to do."""

    code = ErrorCode.PLAYER_UNAVAILABLE


class DisplayRefusedError(PlayerUnavailableError):
    """A player process cannot open the display that the agent has."""


class PlayerTimeoutError(AgentError):
    """A player process did not answer in time. One that died raises PlayerUnavailableError."""

    code = ErrorCode.PLAYER_TIMEOUT


class NotSupportedError(AgentError):
    """This box is not set up for this; the text says what to do."""

    code = ErrorCode.NOT_SUPPORTED


class StreamNotFoundError(AgentError):
    """The central API has no such stream, or not any more."""

    code = ErrorCode.STREAM_NOT_FOUND


class CentralUnavailableError(AgentError):
    """The central API could not be asked; the text says why, and what to do. `retry_after_s` is what it asked for."""

    code = ErrorCode.CENTRAL_UNAVAILABLE

    def __init__(self, message: str, *, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s

    @property
    def failure(self) -> Failure:
        return Failure(self.code, str(self), self.retry_after_s)


class CentralRefusedError(CentralUnavailableError):
    """The central API does not know this box, or not any more: it gets nothing, whatever it had before."""


class MediaError(AgentError):
    """The media cannot be played; the code is one of the `media_` codes. `kind` is what it turned out to be when
    another engine is there for that; `is_full` as in Failure."""

    def __init__(self, code: ErrorCode, message: str, *, kind: MediaType | None = None, is_full: bool = False) -> None:
        super().__init__(message)
        self._code = code
        self.kind = kind
        self._is_full = is_full

    @property
    def failure(self) -> Failure:
        return Failure(self._code, str(self), is_full=self._is_full)


class PlaylistError(AgentError):
    """The media is a list of addresses; `entries` holds them, in order and unchecked."""

    code = ErrorCode.MEDIA_UNSUPPORTED

    def __init__(self, entries: tuple[str, ...]) -> None:
        super().__init__("This is a playlist: ask for the address of one of its entries instead.")
        self.entries = entries
