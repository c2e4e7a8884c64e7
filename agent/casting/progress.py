"""The position and length of a session's media, whichever of its players plays it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from agent.casting.liveness import Liveness
from agent.player.base import Opened, Player, Report
from agent.types import Capability, ErrorCode, Failure, MediaType, PlayerState, StreamType

SOUGHT_S = 0.5
"""The time after a seek, or after the beginning of a player, in which its reports may be missing or tell the old
position: a player sends two in this time."""

PATIENCE = (1.0, 3.0, 9.0)
"""The factors by which a second picture has more time to come, after so many tries in which it did not: nothing else
tells a source of a picture each 10 s from one that is dead. Media without times (MJPEG) begins with the second."""

SKIPPED_AT_MOST = 2.5
"""Pictures of a slow source that may be missing before it stands."""

SOUND_LOST: Final = Failure(
    ErrorCode.SOUND_LOST,
    "The sound was lost; the picture goes on. Check that the loudspeaker and the sound server of this box are on: the "
    "sound comes back within some seconds of them.",
)


class Progress:
    """The position and length of one session. `position` is where it begins, in seconds; `now` is the monotonic
    time."""

    def __init__(self, position: float, *, now: Callable[[], float]) -> None:
        self._now = now
        self._position = position
        self._player: Player | None = None
        self._report = Report()
        """The last report of the player before this one."""
        self._pictures_before = 0
        self._opened: Opened | None = None
        self._liveness: Liveness | None = None
        """None unless it is seen or heard."""
        self._rhythm = 0.0
        self._unmoved = 0
        """Players in a row that showed a picture and no other."""
        self._sought: tuple[float, float] | None = None
        """The target of the last seek, and the monotonic time of that seek."""
        self.engine: str | None = None
        """The engine of the player, or of the one before."""

    @property
    def media_type(self) -> MediaType | None:
        return self._opened.media_type if self._opened else None

    @property
    def report(self) -> Report:
        """The last report."""
        return self._player.progress if self._player else self._report

    @property
    def pictures(self) -> int:
        """Displayed by all its players."""
        return self._pictures_before + (self._player.progress.pictures if self._player else 0)

    @property
    def resume_position(self) -> float:
        """Seconds into the media at which to go on; 0 for a live stream."""
        self._keep_position()
        return self._position

    def goes_on_at(self, position: float) -> None:
        """The next player begins there."""
        self._position = position

    # --- its player ---

    def plays_on(self, player: Player) -> None:
        """Take the position from this player."""
        self._player, self.engine = player, player.engine
        self._liveness = None

    def goes_on_with(self, player: Player) -> None:
        """Another player has taken over, while it is seen."""
        self._pictures_before += self._player.progress.pictures if self._player else 0
        self._player, self.engine = player, player.engine
        if self._liveness is not None:
            self._liveness.begins_anew(at=self._now())

    def opened(self, opened: Opened) -> None:
        self._opened = opened

    def comes_on(self, *, again: bool, paused: bool) -> None:
        """Record that the session is seen or heard; `again` after another player."""
        assert self._opened is not None
        now = self._now()
        self._liveness = Liveness(self._opened.media_type, began_at=now, rhythm=self._rhythm)
        self._liveness.pause(paused, at=now)
        if again and self._position > 0:
            self._sought = self._position, now  # the player's first report may not know it yet

    def lets_go(self) -> None:
        """Its player is about to be ended: remember where it was."""
        self._keep_position()
        self._sought = None
        if self._player is not None:
            self._report = self._player.progress
            self._pictures_before += self._report.pictures
        if self._liveness is not None:
            self._rhythm = self._liveness.rhythm
            self._unmoved = 0 if self._liveness.has_moved else self._unmoved + 1
        self._player = self._liveness = None

    def pause(self, paused: bool) -> None:
        if self._liveness is not None:
            self._liveness.pause(paused, at=self._now())

    def jump(self, position: float) -> None:
        """Record a seek to `position` seconds, at most to the end."""
        length = self._player.progress.duration if self._player else None
        self._sought = position if length is None else min(position, length), self._now()
        if self._liveness is not None:
            self._liveness.jump(at=self._now())

    def observe(self) -> float:
        """Take in the player's latest report; seconds since something last advanced."""
        if self._liveness is None or self._player is None:
            return 0.0
        self._liveness.observe(self._player.progress)
        return self._liveness.still_for(self._now())

    def stall_after(self, timeout_s: float) -> float:
        """Seconds without anything new after which it stands: `timeout_s`, or more for what is slow or may be."""
        rhythm = self._liveness.rhythm if self._liveness else self._rhythm
        tries = max(self._unmoved, self.report.untimed)
        return max(timeout_s * PATIENCE[min(tries, len(PATIENCE) - 1)], rhythm * SKIPPED_AT_MOST)

    # --- what others see ---

    @property
    def state(self) -> PlayerState:
        if self._liveness is not None:
            return self._liveness.state(self._now())
        return PlayerState.IDLE if self._player is None else PlayerState.LOADING

    @property
    def is_on(self) -> bool:
        """Return True if the session is seen or heard."""
        return self._liveness is not None

    @property
    def place(self) -> tuple[float | None, float]:
        """Seconds into the media, None when that is not known; and the monotonic time at which it was there."""
        if self._liveness is not None:
            return self._place()
        known = self.report.position is not None or self._position > 0
        return (self._position if known else None), self._now()  # between two players: where the next one goes on

    @property
    def problem(self) -> Failure | None:
        """The defect of a session that plays nevertheless."""
        return SOUND_LOST if self.report.sound_lost else None

    @property
    def capabilities(self) -> dict[str, Capability]:
        now = Capability.AVAILABLE if self._liveness else Capability.UNAVAILABLE
        still = self.media_type in (MediaType.IMAGE, MediaType.WEB)
        if still or self.report.stream_type is StreamType.LIVE:
            seekable = Capability.UNSUPPORTED
        else:  # players find a position by the length of the media
            seekable = Capability.UNAVAILABLE if self.report.duration is None else now
        return {
            "pause": Capability.UNSUPPORTED if still else now,
            "seek": seekable,
            "volume_set": now,
            "snapshot": now,
        }

    def _keep_position(self) -> None:
        if self._player is not None and self._liveness is not None:
            position, _ = self._place()
            if position is not None:
                self._position = max(0.0, position)  # containers may begin before 0
            elif self._player.progress.stream_type is StreamType.LIVE:
                self._position = 0.0

    def _place(self) -> tuple[float | None, float]:
        report = self.report
        live = report.stream_type is StreamType.LIVE
        if self._sought is not None and not live and report.at < self._sought[1] + SOUGHT_S:
            return self._sought
        return report.position, report.at
