"""The actions that Home Assistant gets of this box, such as `esphome.living_room_play`: each answers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from google.protobuf.message import Message

from agent.casting.forms import PlayForm
from agent.casting.service import CastingService
from agent.casting.wish import Wish
from agent.errors import FieldError, InvalidRequestError, InvalidTransitionError
from agent.frontends.esphome.messages import api, key_of

FIRST_FRAME_S: Final = 25.0
"""Wait for a first frame: Home Assistant waits 30 s for the answer."""

TEXT, NUMBER, SWITCH = api.SERVICE_ARG_TYPE_STRING, api.SERVICE_ARG_TYPE_FLOAT, api.SERVICE_ARG_TYPE_BOOL

_FIELDS: Final = {TEXT: ("string_", ""), NUMBER: ("float_", "0"), SWITCH: ("bool_", "false")}
"""The field that holds a value of each type, and the value of one that is not given."""

Given = Mapping[str, Any]
"""The arguments of a call by name, without those that are not given."""

Answer = dict[str, object]
"""The answer, for JSON."""

Do = Callable[[Given], Awaitable[Answer]]


@dataclass(frozen=True, slots=True)
class Argument:
    """One argument. Home Assistant has every argument filled in, so an optional one that is empty or 0 is not given."""

    name: str
    type: int
    description: str
    example: str
    optional: bool = False

    def value(self, argument: Any) -> Any:
        """The given value; None if it is empty. Raises InvalidRequestError."""
        value = getattr(argument, _FIELDS[self.type][0])
        value = round(value, 3) if isinstance(value, float) else value  # a float32 makes 12.3000002 of 12.3
        if not value and not self.optional:
            message = f"is required, for example {self.example}"
            raise InvalidRequestError(f"{self.name} {message}.", (FieldError(self.name, message),))
        return value or None


@dataclass(frozen=True, slots=True)
class Action:
    """One action, and its function."""

    name: str
    description: str
    do: Do
    arguments: Sequence[Argument] = ()

    @property
    def listing(self) -> Message:
        """The entry in the list for clients."""
        arguments = [
            api.ListEntitiesServicesArgument(
                name=argument.name,
                type=argument.type,
                description=argument.description,
                example=argument.example,
                optional=argument.optional,
                default_value=_FIELDS[argument.type][1] if argument.optional else "",
            )
            for argument in self.arguments
        ]
        listing: Message = api.ListEntitiesServicesResponse(
            name=self.name,
            key=key_of("action", self.name),
            args=arguments,
            supports_response=api.SUPPORTS_RESPONSE_OPTIONAL,
            description=self.description,
        )
        return listing


class Actions:
    """The actions on one casting service. `preset_id` knows a preset by its title, too."""

    def __init__(self, casting: CastingService, *, preset_id: Callable[[str], str]) -> None:
        self._casting = casting
        self._preset_id = preset_id
        self._by_key = {key_of("action", action.name): action for action in self._made()}
        self.listings: Final = [action.listing for action in self._by_key.values()]

    async def run(self, key: int, arguments: Sequence[Any]) -> Answer:
        """Do the action of this key and return its answer. Raises AgentError, whose text is the answer then."""
        action = self._by_key.get(key)
        if action is None or len(arguments) != len(action.arguments):
            raise InvalidRequestError("This box has no such action: reload its ESPHome integration in Home Assistant.")
        values = {known.name: known.value(each) for known, each in zip(action.arguments, arguments, strict=True)}
        return await action.do({name: value for name, value in values.items() if value is not None})

    def _made(self) -> list[Action]:
        url = Argument("url", TEXT, "What to play.", "http://example.org/film.mp4")
        show = (
            url,
            Argument("title", TEXT, "What it is called.", "Front door", optional=True),
            Argument("duration", NUMBER, "Seconds until it is stopped; 0 for no end.", "30", optional=True),
            Argument("interrupt", SWITCH, "Continue afterwards what is on now.", "true", optional=True),
        )
        preset = Argument("preset", TEXT, "The id or the title of a preset.", "front-door")
        code = Argument("code", TEXT, "The join code of a stream of the central API.", "K7QF2M")
        position = Argument("position", NUMBER, "Seconds into the media.", "90", optional=True)
        duration = Argument("duration", NUMBER, "Seconds from now until it is stopped.", "60")
        return [
            Action("play", "Play an address.", self._play, (url,)),
            Action("show", "Play an address with a title, for a time, or on top of what is on.", self._play, show),
            Action("page", "Show a web page, with a title, for a time, or on top of what is on.", self._page, show),
            Action("preset", "Play a preset.", self._preset, (preset,)),
            Action("play_code", "Join a stream of the central API.", self._play, (code,)),
            Action("stop", "Stop what is on. What it interrupted continues.", self._stop),
            Action("stop_all", "Stop everything.", self._stop_all),
            Action("seek", "Continue what is on at another position.", self._seek, (position,)),
            Action("extend", "Change when what is on is stopped.", self._extend, (duration,)),
        ]

    async def _play(self, given: Given) -> Answer:
        return await self._start(PlayForm.parse(given).wish())

    async def _page(self, given: Given) -> Answer:
        return await self._play({**given, "as": "page"})

    async def _preset(self, given: Given) -> Answer:
        return await self._start(Wish(preset=self._preset_id(given["preset"])))

    async def _start(self, wish: Wish) -> Answer:
        accepted = await self._casting.start(wish, wait_s=FIRST_FRAME_S)
        shown = accepted.first_frame
        if shown is None:
            return {"status": "pending", "session_id": accepted.session_id}
        seconds = shown.time_to_first_frame
        return {"status": "success", "session_id": accepted.session_id, "time_to_first_frame": seconds}

    async def _stop(self, _given: Given) -> Answer:
        return {"stopped": [session.session_id for session in await self._casting.stop()]}

    async def _stop_all(self, _given: Given) -> Answer:
        return {"stopped": [session.session_id for session in await self._casting.stop(everything=True)]}

    async def _seek(self, given: Given) -> Answer:
        session = await self._casting.seek(PlayForm.parse(given).position or 0.0)
        return {"session_id": session.session_id, "position": session.position}

    async def _extend(self, given: Given) -> Answer:
        duration = PlayForm.parse(given).duration
        shown = self._casting.snapshot().on_screen
        if shown is None:
            raise InvalidTransitionError("Nothing is on that could be extended.")
        await self._casting.start(Wish(session_id=shown.session_id, duration=duration))
        return {"session_id": shown.session_id}
