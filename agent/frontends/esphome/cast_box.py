"""The box for clients of the ESPHome API: lists, states, events and commands."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import structlog
from google.protobuf.message import Message

from agent.casting.service import CastingService
from agent.errors import AgentError
from agent.events.bus import Event, EventBus, SlowFollowerError, Subscription
from agent.events.event import MESSAGE_LIMIT, TITLE_LIMIT, URL_LIMIT
from agent.frontends.esphome.actions import Actions
from agent.frontends.esphome.box import Peer
from agent.frontends.esphome.commands import Buttons, Commands
from agent.frontends.esphome.entities import ACTIVITY, COMMAND_FAILED, EVENT_TYPES, entities_of
from agent.frontends.esphome.messages import api
from agent.frontends.esphome.picture import Pictures
from agent.frontends.esphome.seen import Option, Seen, options_of
from agent.health import ReportingStatus
from agent.stage.snapshots import Snapshots
from cast_util.tasks import Supervisor
from cast_wire.kinds import SEEN_ON_SCREEN, EventKind
from cast_wire.storable import storable

LOOK_EVERY_S: Final = 5.0
"""The interval at which the states without events, such as the health of the players, are checked. A check takes less
than 1 ms."""

SETTLED_S: Final = 0.5
"""The time from an event to the picture of it: windows close, and the idle screen is drawn, after the event."""

HOME_ASSISTANT_EVENT: Final = "esphome.cast_agent"

_LIMITS: Final = {"title": TITLE_LIMIT, "url": URL_LIMIT, "message": MESSAGE_LIMIT}

Data = Mapping[str, str | float | bool | None]
"""The data of an event, by name."""

log = structlog.get_logger(__name__)


class CastBox:
    """Implements `agent.frontends.esphome.box.Box`. `problems` are sentences that say what is wrong with the box."""

    def __init__(
        self,
        casting: CastingService,
        bus: EventBus,
        *,
        snapshots: Snapshots,
        problems: Callable[[], Sequence[str]],
        reporting: Callable[[], ReportingStatus],
        buttons: Buttons,
        supervisor: Supervisor,
    ) -> None:
        self._casting = casting
        self._bus = bus
        self._problems = problems
        self._reporting = reporting
        self._restarts = buttons.restart is not None
        self._supervisor = supervisor
        self._actions = Actions(casting, preset_id=self._preset_id)
        self._commands = Commands(casting, buttons, preset_id=self._preset_id)
        self._pictures = Pictures(snapshots)
        self._picture_timer: asyncio.TimerHandle | None = None
        self._peers: set[Peer] = set()
        self._options: Mapping[str, Option] = {}
        self._refusal: str | None = None
        self._listed: list[Message] = []
        self._states: dict[int, Message] = {}
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Begin to follow events. Clients may connect after that: their first list includes the presets."""
        await self._read_presets()
        work = {"esphome-states": self._follow, "esphome-pictures": self._pictures.run}
        self._tasks = [self._supervisor.start(run, name=name) for name, run in work.items()]

    async def stop(self) -> None:
        """Tell nobody anything any more. Idempotent."""
        if self._picture_timer is not None:
            self._picture_timer.cancel()
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def entities(self) -> Sequence[Message]:
        self._look()
        return [*self._listed, *self._actions.listings]

    def states(self) -> Mapping[int, Message]:
        self._look()  # all followers have the same state, and get every difference from it
        return self._states

    def subscribe(self, peer: Peer) -> Callable[[], None]:
        self._peers.add(peer)
        self._pictures.want({peer})  # a camera is unavailable until there is one

        def unsubscribe() -> None:
            self._peers.discard(peer)
            self._pictures.forget(peer)

        return unsubscribe

    async def command(self, message: Message, peer: Peer) -> None:
        match message:
            case api.ExecuteServiceRequest():
                await self._execute(message, peer)
            case api.CameraImageRequest():
                self._pictures.want({peer})
            case _:
                try:
                    await self._commands.run(message)
                except AgentError as error:
                    self._refused(error)

    # --- commands ---

    async def _execute(self, request: Any, peer: Peer) -> None:
        answer = api.ExecuteServiceResponse(call_id=request.call_id)
        answer.error_message = "Something went wrong inside the agent; its log has the details."
        try:
            done = await self._actions.run(request.key, request.args)
        except AgentError as error:
            answer.error_message = str(storable(str(error)))
            if not request.call_id:
                self._refused(error)
        else:
            answer.success, answer.error_message = True, ""
            answer.response_data = json.dumps(done).encode()
        finally:
            if request.call_id:
                peer.put(answer)

    def _refused(self, error: AgentError) -> None:
        """Show an error in a sensor and an event: nobody waits for an answer."""
        self._refusal = str(error)
        self._send(COMMAND_FAILED, {"code": error.failure.code, "message": str(error)})
        self._look()

    def _preset_id(self, name: str) -> str:
        option = self._options.get(name)
        return name if option is None else option.preset_id

    # --- what clients are told ---

    async def _follow(self) -> None:
        while True:
            follower = self._bus.subscribe()
            try:
                await self._tell_all(follower)
            except SlowFollowerError:
                log.warning("esphome_events_dropped", hint="States are right; automations missed some events.")
            finally:
                follower.close()

    async def _tell_all(self, follower: Subscription) -> None:
        await self._read_presets()
        while True:
            if self._peers:  # who comes next has a look of their own
                self._look()
            try:
                async with asyncio.timeout(LOOK_EVERY_S):
                    await self._tell_waiting(follower)
            except TimeoutError:
                await self._read_presets()  # a disk that failed may work again

    async def _tell_waiting(self, follower: Subscription) -> None:
        """Tell of one event and of all that wait behind it, for which one look at the box will do."""
        is_last = False
        while not is_last:
            event = await follower.next()
            is_last = event.id == self._bus.last_id
            self._tell(event)
            if event.kind is EventKind.PRESETS_CHANGED:
                await self._read_presets()

    def _tell(self, event: Event) -> None:
        if event.kind is EventKind.SESSION_STARTED:
            self._refusal = None
        if not self._peers:
            return
        if event.kind in EVENT_TYPES:
            self._send_session(event)
        if event.kind in SEEN_ON_SCREEN:
            if self._picture_timer is not None:
                self._picture_timer.cancel()
            later = asyncio.get_running_loop().call_later
            self._picture_timer = later(SETTLED_S, self._pictures.want, self._peers)

    def _send_session(self, event: Event) -> None:
        """Send the event, and the session that it is about."""
        snapshot = self._casting.snapshot()
        known = (*snapshot.sessions, snapshot.last)
        session = next((one for one in known if one is not None and one.session_id == event.session_id), None)
        about: dict[str, str | None] = {"session_id": event.session_id}
        if session is not None:
            if event.kind is EventKind.SESSION_FAILING and session.first_frame_at is None:
                return  # a start has many attempts; only its end is an event
            about |= {"title": session.title, "url": session.url}
            about |= {"message": None if session.error is None else session.error.message}
        self._send(event.kind, {**about, **event.data})

    def _send(self, kind: str, data: Data) -> None:
        values = [
            api.HomeassistantServiceMap(key=name, value=str(storable(str(value)))[: _LIMITS.get(name)])
            for name, value in {"kind": kind, **data}.items()
            if value is not None
        ]
        for peer in tuple(self._peers):
            peer.put(api.EventResponse(key=ACTIVITY.key, event_type=kind))
            peer.put(api.HomeassistantActionRequest(service=HOME_ASSISTANT_EVENT, is_event=True, data=values))

    async def _read_presets(self) -> None:
        self._options = options_of((await self._casting.presets.all()).presets)

    def _look(self) -> None:
        """Send clients the changes since the last look."""
        casting = self._casting
        seen = Seen(
            casting.snapshot(),
            casting.volume,
            self._reporting(),
            self._problems(),
            self._options,
            casting.screen_is_on,
            self._refusal,
        )
        entities = list(entities_of(seen, restarts=self._restarts))
        listed = [entity.listing for entity in entities]
        if listed != self._listed:
            self._listed = listed
            for peer in tuple(self._peers):
                peer.relist()
        before, self._states = self._states, {each.key: each.state(seen) for each in entities if each.state}
        for key, state in self._states.items():
            if before.get(key) != state:
                for peer in tuple(self._peers):
                    peer.put_state(key, state)
