"""What is answered to those who ask whether all is well."""

from __future__ import annotations

from typing import Literal, Self

from agent.frontends.http.responses import Answer
from agent.types import Auth, Check, DisplayHealth, PlayerHealth, TrackerSnapshot


class Alive(Answer):
    """The answer of `GET /health/live`."""

    status: Literal["alive"] = "alive"
    auth: Auth
    """What a caller from the network needs for all else."""


class DisplayCheck(Answer):
    """Whether there is a screen."""

    status: Literal["ok", "fail"]
    message: str
    display: str | None
    width: int
    height: int
    covered: bool
    """Windows of other programs hide all of what is on."""


class PlayerCheck(Answer):
    """Whether a start would get a player."""

    status: Literal["ok", "fail"]
    message: str
    spare_ready: bool
    engine: str
    version: str
    features: dict[str, bool | str]


class SimpleCheck(Answer):
    """Whether a part of the agent works that has nothing else to tell."""

    status: Literal["ok", "fail"]
    message: str

    @classmethod
    def of(cls, check: Check) -> Self:
        return cls(status="ok" if check.available else "fail", message=check.message)


class Checks(Answer):
    """What `healthy` is made of."""

    display: DisplayCheck
    player: PlayerCheck
    tasks: SimpleCheck
    """The long-lived tasks of the agent."""
    storage: SimpleCheck
    """The state directory: what must outlive a restart."""


class HealthAnswer(Answer):
    """The answer of `GET /health`; always 200, so that a monitor tells "degraded" from "down"."""

    status: Literal["healthy", "degraded"]
    active_streams: int
    """Sessions that play or are being prepared; what waits underneath is not counted."""
    player: Literal["available", "unavailable"]
    display: Literal["available", "unavailable"]
    checks: Checks

    @classmethod
    def of(
        cls, snapshot: TrackerSnapshot, display: DisplayHealth, player: PlayerHealth, *, tasks: Check, storage: Check
    ) -> Self:
        active = {session.session_id for session in (snapshot.stream, snapshot.on_screen) if session is not None}
        return cls(
            status="healthy"
            if display.is_well and player.available and tasks.available and storage.available
            else "degraded",
            active_streams=len(active),
            player="available" if player.available else "unavailable",
            display="available" if display.available else "unavailable",
            checks=Checks(
                display=DisplayCheck(
                    status="ok" if display.is_well else "fail",
                    message=display.message,
                    display=display.display,
                    covered=display.covered,
                    width=display.width,
                    height=display.height,
                ),
                player=PlayerCheck(
                    status="ok" if player.available else "fail",
                    message=player.message,
                    spare_ready=player.spare_ready,
                    engine=player.engine,
                    version=player.version,
                    features=player.features,
                ),
                tasks=SimpleCheck.of(tasks),
                storage=SimpleCheck.of(storage),
            ),
        )
