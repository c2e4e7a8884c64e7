"""The parts of the agent that sessions need."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from agent.casting.joined_source import NoStreams, Streams
from agent.casting.limits import Check, any_url
from agent.config.logins import LoginSettings
from agent.config.web import WebSettings
from agent.media.names import Locate, LookUp, as_it_is
from agent.player.base import PlayerSource
from agent.stage.base import Stage


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
    logins: Callable[[], tuple[LoginSettings, ...]] = tuple
    """The logins of web pages."""
    web: Callable[[], WebSettings] = WebSettings
    """The current settings of web pages."""
    streams: Streams = field(default_factory=NoStreams)
    """Knows the streams of the central API."""
