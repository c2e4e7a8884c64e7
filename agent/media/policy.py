"""The check of what may be played, which never blocks the event loop."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Final

from agent.errors import FieldError, FileAwayError
from agent.media.urls import MediaPolicy
from agent.util.threads import Threads

FILE_CHECK_TIMEOUT_S: Final = 5.0
"""A disk that sleeps spins up within this time; a network share that is gone never answers."""

THREADS_PER_FOLDER: Final = 4
"""A check takes a millisecond. More than this at once are those that hang, and one more would hang, too."""


class MediaChecks:
    """Asks the policy. Files are looked at in threads; a media folder whose disk hangs keeps no other one waiting."""

    def __init__(self, policy: MediaPolicy) -> None:
        self._policy = policy
        self._threads: dict[Path | None, Threads] = {}

    async def check(self, url: str) -> str:
        """The URL to play. All that is not a file is checked at once, so that starts keep the order of their coming.

        Raises InvalidRequestError; FileAwayError for a file that is not there or whose disk does not answer.
        """
        if not self._policy.is_file(url):
            return self._policy.check(url)
        folder = self._policy.folder_of(url)
        threads = self._threads.setdefault(folder, Threads("media-check", limit=THREADS_PER_FOLDER))
        try:
            return await threads.call(partial(self._policy.check, url), timeout_s=FILE_CHECK_TIMEOUT_S)
        except TimeoutError as error:
            where = "disk with this file" if folder is None else f"media folder {folder}"
            message = f"The {where} does not answer. Check its disk or network share."
            raise FileAwayError(message, (FieldError("url", message),)) from error
