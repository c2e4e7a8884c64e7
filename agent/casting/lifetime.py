"""The times of a session: its milestones, and its scheduled end."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta


class Lifetime:
    """Begins when the session is accepted. `now` gives monotonic seconds, which is what all moments here are."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self.accepted_at = now()
        self.accepted_utc = datetime.now(UTC)
        """The time of acceptance, by the clock as it was then."""
        self.ended_utc: datetime | None = None
        self.first_frame_at: float | None = None
        self.deadline: float | None = None
        self.was_extended = False
        """True if its duration was changed while it was on."""

    @property
    def accepted_for(self) -> float:
        """Seconds since it was accepted."""
        return self._now() - self.accepted_at

    @property
    def on_for(self) -> float:
        """Seconds since its first frame, whatever happened since; 0 before."""
        return 0.0 if self.first_frame_at is None else self._now() - self.first_frame_at

    @property
    def time_to_first_frame(self) -> float | None:
        """Seconds; None before it came."""
        return None if self.first_frame_at is None else self.first_frame_at - self.accepted_at

    @property
    def remaining(self) -> float | None:
        """Seconds of its duration that are left; None when it has none, or the first frame has not come."""
        return None if self.deadline is None else max(0.0, self.deadline - self._now())

    def expires_in(self, seconds: float) -> None:
        """Set the end to so many seconds from now."""
        self.deadline = self._now() + max(0.0, seconds)

    def end(self) -> None:
        """Record the end."""
        self.ended_utc = datetime.now(UTC)

    def utc(self, moment: float | None) -> datetime | None:
        """A moment in UTC, by the current wall clock."""
        return None if moment is None else datetime.now(UTC) - timedelta(seconds=self._now() - moment)
