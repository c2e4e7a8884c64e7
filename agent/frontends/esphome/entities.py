"""The entities of the box: how they are listed, and how their states are made. An entity's English name is its identity
in Home Assistant: it is never changed or translated."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from google.protobuf.message import Message

from agent.frontends.esphome.messages import api, key_of
from agent.frontends.esphome.seen import Seen
from agent.types import PlayerState
from cast_wire.kinds import FOLLOWED, REPORTED
from cast_wire.storable import storable

TEXT_LIMIT: Final = 255
"""Characters: Home Assistant takes a longer state for unknown."""

FEATURES: Final = 1 | 4 | 8 | 512 | 4096 | 16384 | 1 << 17 | 1 << 20
"""The features of Home Assistant's media players: pause, set the volume, mute, play media, stop, play, browse and
announce."""

SWITCHED: Final = FEATURES | 128 | 256
"""Those of a player whose screen can be switched: turn on and turn off, too."""

COMMAND_FAILED: Final = "command_failed"

EVENT_TYPES: Final = (*(kind for kind in REPORTED if kind in FOLLOWED), COMMAND_FAILED)
"""The events of the entity Activity: those of sessions, and commands that failed and could not be answered."""

_STATES: Final = {
    PlayerState.IDLE: api.MEDIA_PLAYER_STATE_IDLE,
    PlayerState.PLAYING: api.MEDIA_PLAYER_STATE_PLAYING,
    PlayerState.PAUSED: api.MEDIA_PLAYER_STATE_PAUSED,
}
"""The player is ON while nothing advances: Home Assistant's ESPHome integration knows no other word for it."""


@dataclass(frozen=True, slots=True)
class Entity:
    """One entity of the box."""

    listing: Message
    state: Callable[[Seen], Message] | None = None
    """None for one that has no state of its own, such as a button."""

    @property
    def key(self) -> int:
        """The number by which messages identify the entity."""
        key: int = self.listing.key  # type: ignore[attr-defined]
        return key


def entities_of(seen: Seen, *, restarts: bool) -> Iterator[Entity]:
    """The entities of this box. `restarts` is true if a service manager restarts the agent when it ends."""
    yield MEDIA_PLAYER if seen.screen_is_on is None else SWITCHED_PLAYER
    yield from _SENSORS
    if seen.reporting.enabled:
        yield from _CENTRAL
    yield CAMERA
    yield ACTIVITY
    if seen.options:
        yield _select(seen)
    if seen.screen_is_on is not None:
        yield SCREEN
    yield STOP
    yield STOP_ALL
    yield IDENTIFY
    if restarts:
        yield RESTART


def cut(text: str | None) -> str:
    """A text that Home Assistant takes for a state."""
    return str(storable(text or ""))[:TEXT_LIMIT]


def _listed(kind: Any, platform: str, name: str, **fields: object) -> Any:
    """The listing of an entity. An entity without a name is the device itself."""
    object_id = name.lower().replace(" ", "_")
    return kind(object_id=object_id or platform, key=key_of(platform, object_id), name=name, **fields)


def _text(name: str, value: Callable[[Seen], str | None], **fields: object) -> Entity:
    listing = _listed(api.ListEntitiesTextSensorResponse, "text_sensor", name, **fields)

    def state(seen: Seen) -> Message:
        text = cut(value(seen))
        made: Message = api.TextSensorStateResponse(key=listing.key, state=text, missing_state=not text)
        return made

    return Entity(listing, state)


def _number(name: str, value: Callable[[Seen], float | None], **fields: object) -> Entity:
    listing = _listed(api.ListEntitiesSensorResponse, "sensor", name, **fields)

    def state(seen: Seen) -> Message:
        number = value(seen)
        made: Message = api.SensorStateResponse(key=listing.key, state=number or 0.0, missing_state=number is None)
        return made

    return Entity(listing, state)


def _binary(name: str, value: Callable[[Seen], bool], **fields: object) -> Entity:
    listing = _listed(api.ListEntitiesBinarySensorResponse, "binary_sensor", name, **fields)

    def state(seen: Seen) -> Message:
        made: Message = api.BinarySensorStateResponse(key=listing.key, state=value(seen))
        return made

    return Entity(listing, state)


def _button(name: str, **fields: object) -> Entity:
    return Entity(_listed(api.ListEntitiesButtonResponse, "button", name, **fields))


def _player(features: int) -> Entity:
    listing = _listed(
        api.ListEntitiesMediaPlayerResponse, "media_player", "", supports_pause=True, feature_flags=features
    )

    def state(seen: Seen) -> Message:
        state, volume = _STATES.get(_playing(seen), api.MEDIA_PLAYER_STATE_ON), seen.volume
        if seen.current is None and seen.screen_is_on is False:
            state = api.MEDIA_PLAYER_STATE_OFF
        made: Message = api.MediaPlayerStateResponse(
            key=listing.key, state=state, volume=volume.level, muted=volume.muted
        )
        return made

    return Entity(listing, state)


def _switch(name: str, is_on: Callable[[Seen], bool], **fields: object) -> Entity:
    listing = _listed(api.ListEntitiesSwitchResponse, "switch", name, **fields)

    def state(seen: Seen) -> Message:
        made: Message = api.SwitchStateResponse(key=listing.key, state=is_on(seen))
        return made

    return Entity(listing, state)


def _select(seen: Seen) -> Entity:
    listing = _listed(api.ListEntitiesSelectResponse, "select", "Preset", options=list(seen.options))

    def state(seen: Seen) -> Message:
        name = seen.selected
        made: Message = api.SelectStateResponse(key=listing.key, state=name or "", missing_state=name is None)
        return made

    return Entity(listing, state)


def _playing(seen: Seen) -> PlayerState:
    return PlayerState.IDLE if seen.current is None else seen.current.state


def _on_screen(seen: Seen) -> str | None:
    shown = seen.snapshot.on_screen
    return None if shown is None else shown.title or shown.url


def _since(seen: Seen) -> str | None:
    """The moment at which the current session came to the screen, or the last one ended."""
    shown, last = seen.snapshot.on_screen, seen.snapshot.last
    if shown is not None:
        # `first_frame_at` follows the clock of the box, so it is another one at each look.
        at = shown.started_at + timedelta(seconds=shown.time_to_first_frame or 0.0)
    elif last is not None and last.ended_at is not None:
        at = last.ended_at
    else:
        return None
    return at.isoformat(timespec="seconds")


def _last_end(seen: Seen) -> str | None:
    last = seen.snapshot.last
    return None if last is None else last.reason


def _seconds(seen: Seen) -> float | None:
    shown = seen.snapshot.on_screen or seen.snapshot.last
    seconds = None if shown is None else shown.time_to_first_frame
    return None if seconds is None else round(seconds, 3)


_DIAGNOSTIC: Final = {"entity_category": api.ENTITY_CATEGORY_DIAGNOSTIC}

MEDIA_PLAYER: Final = _player(FEATURES)
SWITCHED_PLAYER: Final = _player(SWITCHED)

_SENSORS: Final = (
    _text("State", _playing, icon="mdi:television-play"),
    _text("On screen", _on_screen, icon="mdi:television"),
    _text("Since", _since, device_class="timestamp"),
    _text("Last end", _last_end, icon="mdi:stop-circle-outline"),
    _text("Last error", lambda seen: seen.error, icon="mdi:alert-circle-outline", **_DIAGNOSTIC),
    _number(
        "Time to first frame",
        _seconds,
        unit_of_measurement="s",
        accuracy_decimals=2,
        device_class="duration",
        state_class=api.STATE_CLASS_MEASUREMENT,
        **_DIAGNOSTIC,
    ),
    _binary("Problem", lambda seen: bool(seen.problems), device_class="problem", **_DIAGNOSTIC),
)

_CENTRAL: Final = (
    _text("Join code", lambda seen: seen.reporting.code, icon="mdi:qrcode"),
    _binary("Central", lambda seen: seen.reporting.connected, device_class="connectivity", **_DIAGNOSTIC),
)
"""The entities of boxes that report to a central API."""

CAMERA: Final = Entity(_listed(api.ListEntitiesCameraResponse, "camera", "Picture"))

ACTIVITY: Final = Entity(
    _listed(api.ListEntitiesEventResponse, "event", "Activity", icon="mdi:cast", event_types=list(EVENT_TYPES))
)

SCREEN: Final = _switch("Screen", lambda seen: bool(seen.screen_is_on), icon="mdi:monitor")
STOP: Final = _button("Stop", icon="mdi:stop")
STOP_ALL: Final = _button("Stop all", icon="mdi:stop-circle")
IDENTIFY: Final = _button("Identify", device_class="identify", **_DIAGNOSTIC)
RESTART: Final = _button("Restart", device_class="restart", entity_category=api.ENTITY_CATEGORY_CONFIG)
