"""The entities of a box with the real casting service behind them, and a client that keeps what it is told."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from itertools import count
from typing import Any

from google.protobuf.message import Message

from agent.frontends.esphome.cast_box import CastBox
from agent.frontends.esphome.commands import Buttons
from agent.frontends.esphome.messages import api
from agent.health import ReportingStatus
from agent.stage.snapshots import Snapshots
from cast_util.tasks import Supervisor
from tests.support.api import Rooms


class Client:
    """Implements Peer: what a client was told."""

    def __init__(self) -> None:
        self.states: list[tuple[int, Any]] = []
        """The states in order, none left out."""
        self.messages: list[Any] = []
        self.relists = 0

    def put_state(self, key: int, message: Message) -> None:
        self.states.append((key, message))

    def put(self, message: Message) -> None:
        self.messages.append(message)

    def relist(self) -> None:
        self.relists += 1

    @property
    def pictures(self) -> list[bytes]:
        """The pictures that came to their end."""
        pictures = [b""]
        for message in self.of(api.CameraImageResponse):
            pictures[-1] += message.data
            pictures += [b""] if message.done else []
        return pictures[:-1]

    @property
    def events(self) -> list[dict[str, str]]:
        """The data of the events `esphome.cast_agent`."""
        return [{pair.key: pair.value for pair in one.data} for one in self.of(api.HomeassistantActionRequest)]

    def of(self, kind: Any) -> list[Any]:
        """The messages of this kind."""
        return [message for message in self.messages if isinstance(message, kind)]


class Boxed:
    """A box, a client that follows it, and what is behind it."""

    def __init__(
        self, *, configured: Sequence[Mapping[str, object]] = (), restart: Callable[[], None] | None = None
    ) -> None:
        self.rooms = Rooms(configured=configured)
        self.problems: tuple[str, ...] = ()
        self.reporting = ReportingStatus()
        self.client = Client()
        self.box = CastBox(
            self.rooms.casting,
            self.rooms.bus,
            snapshots=Snapshots(self.rooms.stage),
            problems=lambda: self.problems,
            reporting=lambda: self.reporting,
            buttons=Buttons(self._identify, restart),
            supervisor=Supervisor(),
        )
        self._calls = count(1)
        self.identified = 0

    def listed(self, kind: Any = Message) -> dict[str, Any]:
        """The listed entities, by name."""
        return {message.name: message for message in self.box.entities() if isinstance(message, kind)}

    def state(self, name: str) -> Any:
        """The state of an entity; None where it has none now."""
        message: Any = self.box.states()[self.listed()[name].key]
        return None if getattr(message, "missing_state", False) else message.state

    async def _identify(self) -> None:
        self.identified += 1

    async def play(self, **fields: object) -> None:
        """Command the media player."""
        given = {f"has_{name}": True for name in fields} | fields
        await self.box.command(api.MediaPlayerCommandRequest(key=self.listed()[""].key, **given), self.client)

    async def press(self, name: str) -> None:
        await self.box.command(api.ButtonCommandRequest(key=self.listed()[name].key), self.client)

    async def act(self, name: str, *values: object) -> Any:
        """Call an action; its answer, or the sentence why it failed."""
        listing = self.listed(api.ListEntitiesServicesResponse)[name]
        fields = {str: "string_", float: "float_", bool: "bool_"}
        arguments = [api.ExecuteServiceArgument(**{fields[type(value)]: value}) for value in values]
        call_id = next(self._calls)
        await self.box.command(api.ExecuteServiceRequest(key=listing.key, call_id=call_id, args=arguments), self.client)
        (answer,) = [each for each in self.client.of(api.ExecuteServiceResponse) if each.call_id == call_id]
        return json.loads(answer.response_data) if answer.success else answer.error_message


@asynccontextmanager
async def boxed(
    *, configured: Sequence[Mapping[str, object]] = (), restart: Callable[[], None] | None = None
) -> AsyncIterator[Boxed]:
    """A box that a client has connected to and follows."""
    boxed = Boxed(configured=configured, restart=restart)
    await boxed.rooms.casting.presets.look()
    await boxed.box.start()
    await asyncio.sleep(0)
    boxed.box.entities()
    boxed.box.states()
    unsubscribe = boxed.box.subscribe(boxed.client)
    try:
        yield boxed
    finally:
        unsubscribe()
        await boxed.box.stop()
        await boxed.rooms.tracker.close()
