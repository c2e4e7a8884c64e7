"""What the players of an attempt are told to open."""

from __future__ import annotations

from agent.casting.limits import Check, require_playable
from agent.casting.parts import SessionParts
from agent.casting.session import Session
from agent.config.logins import BoundLogin, bound
from agent.player.base import Media
from agent.types import MediaType


class Opening:
    """The address of a session as players can open it, and how the session wants it shown. `check` is what the URL must
    pass first."""

    def __init__(self, session: Session, *, parts: SessionParts, check: Check) -> None:
        self._session = session
        self._parts = parts
        self._check = check
        self.located = session.url
        """The address that players can open, as it was found last."""
        self.is_ready = False
        """True if that is the address of a camera that is kept ready."""
        self._logins: tuple[BoundLogin, ...] = ()

    async def find(self) -> None:
        """Find the address. Raises MediaError for one that may not be played."""
        url = self._session.url
        await require_playable(self._check, url)
        asked = self._session.request
        is_stream = asked.kind in (None, MediaType.VIDEO)
        ready = self._parts.cameras.address(url, at_most=asked.quality.lines) if is_stream else None
        self.is_ready = ready is not None
        self.located = ready or await self._parts.locate(url)
        self._logins = bound(self._parts.logins(), url, self.located)

    def media(self) -> Media:
        """The media, as the session wants it now."""
        session, asked = self._session, self._session.request
        return Media(
            self.located,
            asked.quality,
            session.volume,
            session.muted,
            position=session.progress.resume_position,
            refresh=asked.refresh,
            page=asked.page,
            logins=self._logins,
            web=self._parts.web(),
            ready=self.is_ready,
        )
