"""The commands of Home Assistant's cards and services to the entities of the box. They have no answers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from google.protobuf.message import Message

from agent.casting.forms import PlayForm
from agent.casting.service import CastingService
from agent.casting.wish import Wish
from agent.errors import NotSupportedError
from agent.frontends.esphome.entities import IDENTIFY, RESTART, SCREEN, STOP, STOP_ALL
from agent.frontends.esphome.messages import api


@dataclass(frozen=True, slots=True)
class Buttons:
    """The actions of the buttons that concern the box itself."""

    identify: Callable[[], Awaitable[None]]
    """Show people which screen this is."""
    restart: Callable[[], None] | None
    """Restart the agent; None where nothing would start it again."""


class Commands:
    """The commands on one casting service. `preset_id` knows a preset by the name under which it is selected."""

    def __init__(self, casting: CastingService, buttons: Buttons, *, preset_id: Callable[[str], str]) -> None:
        self._casting = casting
        self._buttons = buttons
        self._preset_id = preset_id

    async def run(self, message: Message) -> None:
        """Execute a command. Raises AgentError."""
        match message:
            case api.MediaPlayerCommandRequest():
                await self._play(message)
            case api.SelectCommandRequest():
                await self._casting.start(Wish(preset=self._preset_id(message.state)))
            case api.SwitchCommandRequest() if message.key == SCREEN.key:
                await self._casting.switch_screen(message.state)
            case api.ButtonCommandRequest() if message.key in (STOP.key, STOP_ALL.key):
                await self._casting.stop(everything=message.key == STOP_ALL.key)
            case api.ButtonCommandRequest() if message.key == IDENTIFY.key:
                await self._buttons.identify()
            case api.ButtonCommandRequest() if message.key == RESTART.key and self._buttons.restart is not None:
                self._buttons.restart()
            case _:
                raise NotSupportedError("This box has nothing that takes such a command.")

    async def _play(self, message: Any) -> None:
        if message.has_media_url:
            form = PlayForm.parse({"url": message.media_url, "interrupt": message.announcement})
            await self._casting.start(form.wish())
        if message.has_volume:
            # A float32 makes 0.30000001 of 0.3.
            await self._casting.set_volume(PlayForm.parse({"volume": round(message.volume, 3)}).volume, None)
        if message.has_command:
            await self._control(message.command)

    async def _control(self, command: int) -> None:
        casting = self._casting
        controls: dict[int, Callable[[], Awaitable[object]]] = {
            api.MEDIA_PLAYER_COMMAND_PLAY: lambda: casting.pause(False),
            api.MEDIA_PLAYER_COMMAND_PAUSE: lambda: casting.pause(True),
            api.MEDIA_PLAYER_COMMAND_STOP: casting.stop,
            api.MEDIA_PLAYER_COMMAND_MUTE: lambda: casting.set_volume(None, True),
            api.MEDIA_PLAYER_COMMAND_UNMUTE: lambda: casting.set_volume(None, False),
            api.MEDIA_PLAYER_COMMAND_TURN_ON: lambda: casting.switch_screen(True),
            api.MEDIA_PLAYER_COMMAND_TURN_OFF: lambda: casting.switch_screen(False),
        }
        if command not in controls:
            raise NotSupportedError("This player has no such command.")
        await controls[command]()
