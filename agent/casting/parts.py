"""The parts of the agent that sessions need."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from agent.casting.joined_source import NoStreams, Streams
from agent.casting.limits import Check, any_url
from agent.config.logins import LoginSettings
from agent.config.web import WebSettings
from agent.media.doors import Knock, always_open
from agent.media.names import Locate, LookUp, as_it_is
from agent.player.base import PlayerSource
from agent.raw_picture import RawPicture
from agent.stage.base import Stage


class Cameras(Protocol):
    """The cameras that are kept ready."""

    def address(self, url: str, *, at_most: int | None = None) -> str | None:
        """The address at which a player has the pictures of this camera at once, or None where it is not ready, or has
        another rendition for pictures of `at_most` so many lines."""

    async def still(self, address: str, size: tuple[int, int]) -> RawPicture | None:
        """The last key frame of the camera at this address of ours, as large as it fits into so many pixels; None if
        none is to be had within a moment, or if it is watched already."""

    def failed(self, url: str) -> None:
        """Record that it could not be played from there: the next attempts go to the camera itself."""


class NoCameras:
    """None is kept ready."""

    def address(self, url: str, *, at_most: int | None = None) -> None:
        return None

    async def still(self, address: str, size: tuple[int, int]) -> None:
        return None

    def failed(self, url: str) -> None:
        """Do nothing: no address comes from here."""


@dataclass(frozen=True, slots=True)
class SessionParts:
    """The same for all sessions."""

    players: PlayerSource
    stage: Stage
    redact: Callable[[str], str]
    """Takes the credentials out of a URL."""
    check: Check = any_url
    """The check that raises for a URL that may not be played. Called for a submitted URL, for each entry of a playlist,
    and for a file before each attempt, because its disk may be gone for a while."""
    look_up: LookUp | None = None
    """Asked why the host of a silent source cannot be found; None asks nobody."""
    locate: Locate = as_it_is
    """Makes of a URL the one that players can open."""
    knock_at: Callable[[str], Knock] = lambda _url: always_open
    """Makes a way to tell whether the source of this address takes connections."""
    cameras: Cameras = field(default_factory=NoCameras)
    """Knows the cameras that are kept ready."""
    logins: Callable[[], tuple[LoginSettings, ...]] = tuple
    """The logins of web pages."""
    web: Callable[[], WebSettings] = WebSettings
    """The current settings of web pages."""
    streams: Streams = field(default_factory=NoStreams)
    """Knows the streams of the central API."""
