"""Home Assistant as the box knows it: the client that it uses, and what it keeps of the box."""

from __future__ import annotations

import asyncio
import base64
import io
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from aioesphomeapi.client import APIClient
from aioesphomeapi.model import (
    CameraState,
    EntityInfo,
    EntityState,
    HomeassistantServiceCall,
    MediaPlayerEntityState,
    UserService,
)
from PIL import Image

from tests.support.colours import name_of
from tests.support.esphome import KEY
from tests.support.tools import until

SOON_S = 10.0


class HomeAssistant:
    """The entities of the box that it knows over one connection."""

    def __init__(self, client: APIClient) -> None:
        self.client = client
        self.entities: dict[str, EntityInfo] = {}
        self.actions: dict[str, UserService] = {}
        self.states: dict[int, EntityState] = {}
        self.events: list[dict[str, str]] = []
        self.is_lost = False
        self._news = asyncio.Event()

    async def connect(self) -> None:
        await self.client.connect(on_stop=self._lost)
        entities, actions = await self.client.list_entities_services()
        self.entities = {entity.name: entity for entity in entities}
        self.actions = {action.name: action for action in actions}
        self.client.subscribe_states(self._changed)
        self.client.subscribe_service_calls(self._called)

    def state(self, name: str) -> Any:
        """The state of an entity; None while it has none."""
        found: Any = self.states.get(self.entities[name].key)
        return None if found is None or getattr(found, "missing_state", False) else found.state

    @property
    def player(self) -> MediaPlayerEntityState:
        found = self.states[self.entities[""].key]
        assert isinstance(found, MediaPlayerEntityState)
        return found

    @property
    def picture(self) -> str:
        """The colour in the middle of the latest picture."""
        found = self.states.get(self.entities["Picture"].key)
        if not isinstance(found, CameraState):
            return "none"
        picture = Image.open(io.BytesIO(found.data)).convert("RGB")
        colour = picture.getpixel((picture.width // 2, picture.height // 2))
        assert isinstance(colour, tuple)
        return name_of((int(colour[0]), int(colour[1]), int(colour[2])))

    async def act(self, name: str, **data: str | float | bool) -> tuple[bool, Any]:
        """Call an action: whether it succeeded, and its answer or the sentence of the error."""
        answer = await self.client.execute_service(self.actions[name], {**data}, return_response=True)
        assert answer is not None
        return answer.success, json.loads(answer.response_data) if answer.success else answer.error_message

    async def wait_state(self, name: str, wanted: object) -> None:
        await until(lambda: self.state(name) == wanted, timeout_s=SOON_S, what=f"{name} is {wanted}")

    async def hear(self, true: Callable[[], object], *, timeout_s: float = SOON_S) -> None:
        """Return at once when a state makes it true. Raises TimeoutError."""
        async with asyncio.timeout(timeout_s):
            while not true():
                self._news.clear()
                await self._news.wait()

    def play(self, url: str, *, announcement: bool | None = None) -> None:
        self.client.media_player_command(self.entities[""].key, media_url=url, announcement=announcement)

    async def _lost(self, expected: bool) -> None:
        self.is_lost = True

    def _changed(self, state: EntityState) -> None:
        self.states[state.key] = state
        self._news.set()

    def _called(self, call: HomeassistantServiceCall) -> None:
        assert (call.service, call.is_event) == ("esphome.cast_agent", True)
        self.events.append(call.data)


@asynccontextmanager
async def connected(port: int) -> AsyncIterator[HomeAssistant]:
    client = APIClient("127.0.0.1", port, None, noise_psk=base64.b64encode(KEY).decode())
    hass = HomeAssistant(client)
    try:
        await hass.connect()
        yield hass
    finally:
        await client.disconnect(force=True)
