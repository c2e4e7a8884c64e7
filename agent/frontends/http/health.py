"""The answer to health checks."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field

from agent.frontends.http.answer import Answer
from agent.frontends.http.connections import CameraAnswer, DlnaAnswer, EspHomeAnswer
from agent.health import CameraHealth, DisplayHealth, DlnaStatus, EspHomeStatus, PlayerHealth
from agent.snapshot import TrackerSnapshot
from agent.types import Auth
from cast_util.health import Check


class Alive(Answer):
    """The answer of `GET /health/live`."""

    status: Literal["alive"] = "alive"
    auth: Auth
    """The credentials that a caller from the network needs for all other calls."""


class DisplayCheck(Answer):
    """The check of the screen."""

    status: Literal["ok", "fail"]
    message: str
    display: str | None
    width: int
    height: int
    covered: bool
    """Windows of other programs hide all of what is on."""


class EngineCheck(Answer):
    """The check of one engine, and the media that it can play."""

    status: Literal["ok", "fail"]
    message: str
    spare_ready: bool
    version: str
    """Empty before the engine has said it."""
    plays: tuple[str, ...]
    """The schemes and kinds of media that `[player] engines` gives to it."""
    features: dict[str, bool | str]
    """The features that the engine reports, such as `confinement`."""

    @classmethod
    def of(cls, engine: PlayerHealth) -> Self:
        return cls(
            status="ok" if engine.available else "fail",
            message=engine.message,
            spare_ready=engine.spare_ready,
            version=engine.version,
            plays=engine.plays,
            features=engine.features,
        )


class PlayerCheck(Answer):
    """The check of whether a start would get a player."""

    status: Literal["ok", "fail"]
    message: str
    spare_ready: bool
    engine: str
    version: str
    engines: dict[str, EngineCheck]
    features: dict[str, bool | str] = Field(deprecated=True)
    """The features of all engines, flat; `engines` has them by engine."""


class SimpleCheck(Answer):
    """The check of a part of the agent that has nothing else to report."""

    status: Literal["ok", "fail"]
    message: str

    @classmethod
    def of(cls, check: Check) -> Self:
        return cls(status="ok" if check.available else "fail", message=check.message)


class Checks(Answer):
    """The checks that `healthy` is made of."""

    display: DisplayCheck
    player: PlayerCheck
    tasks: SimpleCheck
    """The long-lived tasks of the agent."""
    storage: SimpleCheck
    """The state directory: what must outlive a restart."""
    cache: SimpleCheck
    """The videos of the library that are kept here; without that they play from the central API."""


class HealthAnswer(Answer):
    """The answer of `GET /health`; always 200, so that a monitor tells "degraded" from "down"."""

    status: Literal["healthy", "degraded"]
    active_streams: int
    """Sessions that play or are being prepared; what waits underneath is not counted."""
    player: Literal["available", "unavailable"]
    display: Literal["available", "unavailable"]
    checks: Checks
    cameras: tuple[CameraAnswer, ...]
    """The cameras and live streams of the presets with `keep_ready`. Starts work without them."""
    esphome: EspHomeAnswer | None
    """The reachability of the box for Home Assistant; null if `[esphome] enabled` is false. Starts work without it."""
    dlna: DlnaAnswer | None
    """The reachability of the box for DLNA controllers; null if `[dlna] enabled` is false. Starts work without it."""

    @classmethod
    def of(
        cls,
        snapshot: TrackerSnapshot,
        display: DisplayHealth,
        player: PlayerHealth,
        *,
        tasks: Check,
        storage: Check,
        cache: Check,
        cameras: tuple[CameraHealth, ...] = (),
        esphome: EspHomeStatus | None = None,
        dlna: DlnaStatus | None = None,
    ) -> Self:
        active = {session.session_id for session in (snapshot.stream, snapshot.on_screen) if session is not None}
        return cls(
            status="healthy"
            if display.is_well and all(check.available for check in (player, tasks, storage, cache))
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
                    engines={name: EngineCheck.of(engine) for name, engine in player.engines.items()},
                    features=player.features,
                ),
                tasks=SimpleCheck.of(tasks),
                storage=SimpleCheck.of(storage),
                cache=SimpleCheck.of(cache),
            ),
            cameras=tuple(map(CameraAnswer.model_validate, cameras)),
            esphome=None if esphome is None else EspHomeAnswer.model_validate(esphome),
            dlna=None if dlna is None else DlnaAnswer.model_validate(dlna),
        )
