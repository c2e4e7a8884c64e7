"""The screen as the rules of casting know it."""

from __future__ import annotations

from typing import Final, Protocol

from agent.errors import NotSupportedError


class Screen(Protocol):
    """The power of the screen."""

    @property
    def is_on(self) -> bool | None:
        """The screen is lit; None where it cannot be switched."""

    def require(self) -> None:
        """Raise NotSupportedError or PlayerUnavailableError if it cannot be switched now."""

    async def switch(self, on: bool) -> None:
        """Switch it on; or off, for as long as nothing is shown. Raises as `require` does."""


class ScreenWish(Protocol):
    """The power that the screen is to have."""

    @property
    def is_off(self) -> bool:
        """It is to be off while nothing is shown."""

    def restore(self, is_off: bool) -> None:
        """Have it as it was before a restart."""


class NoScreen:
    """A screen that cannot be switched."""

    is_on: Final = None

    def require(self) -> None:
        raise NotSupportedError("This box has no screen that could be switched.")

    async def switch(self, on: bool) -> None:
        self.require()
