"""The part of a library video that a session has shown, for the statistics of the central API."""

from __future__ import annotations

from collections.abc import Callable

from agent.types import PlayerState


class Shown:
    """Counts the seconds for which the session is `playing`, and not those for which it is paused, loads or waits.
    Without a `video_id` nothing is counted, because nobody asks for it. `now` is the monotonic time."""

    def __init__(self, video_id: str | None, *, now: Callable[[], float]) -> None:
        self._video_id = video_id
        self._now = now
        self._seconds = 0.0
        self._playing_since: float | None = None
        self._completed = False

    @property
    def seconds(self) -> float:
        """The seconds so far, including those before a restart of the agent."""
        return self._seconds + (0.0 if self._playing_since is None else self._now() - self._playing_since)

    @property
    def completed(self) -> bool:
        """Return True if the end of the video was reached."""
        return self._completed

    def turns(self, state: PlayerState) -> None:
        """Take in the state of the player from now on."""
        self._seconds = self.seconds
        is_counted = self._video_id is not None and state is PlayerState.PLAYING
        self._playing_since = self._now() if is_counted else None

    def completes(self) -> None:
        """Record that the media has reached its end."""
        self._completed = self._video_id is not None

    def was(self, seconds: float, *, completed: bool) -> None:
        """Continue from the count before a restart of the agent."""
        self._seconds, self._completed = seconds, completed

    @property
    def told(self) -> dict[str, str | float | bool]:
        """The data of the event that ends the session; none without a `video_id`."""
        if self._video_id is None:
            return {}
        return {"video_id": self._video_id, "shown_s": round(self.seconds, 3), "completed": self._completed}
