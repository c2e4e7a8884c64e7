"""The actions of the three services, on the casting service."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Final
from urllib.parse import parse_qsl

import structlog

from agent.casting.fields import TITLE_LIMIT
from agent.casting.forms import PlayForm
from agent.casting.service import CastingService
from agent.casting.wish import WHAT, Wish
from agent.errors import AgentError
from agent.frontends.dlna.errors import (
    INVALID_ACTION,
    INVALID_ARGUMENTS,
    SEEK_MODE_NOT_SUPPORTED,
    TRANSITION_NOT_AVAILABLE,
    UpnpError,
)
from agent.frontends.dlna.events import DELIVERED_S
from agent.frontends.dlna.seen import CONNECTION, Named, av_transport, place, rendering
from agent.frontends.dlna.services import AV_TRANSPORT, CONNECTION_MANAGER, RENDERING_CONTROL, Arguments, Service
from agent.frontends.dlna.xml import XmlError, local_name, parse
from agent.media.redaction import redact
from agent.types import PlayerState, SessionId

PLAY_WAITS_S: Final = 3.0
"""The longest wait for a first frame, or for the reason why there is none: the callers' own patience is 5 s."""

PICTURE_STAYS_S: Final = 0.6
"""Callers stop one film before they name the next, 10-40 ms after the answer; a slow one in a busy network takes some
0.3 s, and as long again to the Play after it."""

UNTIL_ANSWER_S: Final = DELIVERED_S + PICTURE_STAYS_S
"""The time for which the picture stays before the caller has its answer, which waits for events."""

OPTIONS: Final = frozenset(PlayForm.model_fields) - set(WHAT)
"""The fields of a start that may follow the # of an address."""

_TIME: Final = re.compile(r"\+?(\d{1,6}):([0-5]?\d):([0-5]?\d(?:\.\d{1,9})?)", re.ASCII)

log = structlog.get_logger(__name__)


class Renderer:
    """Stores the media that a caller has named until Play; everything else is the casting service's."""

    def __init__(self, casting: CastingService) -> None:
        self._casting = casting
        self._form: PlayForm | None = None
        self._named = Named()
        self._is_new = False
        """True if media has been named, and not played yet."""
        self._actions: Mapping[tuple[str, str], Callable[[Arguments], Awaitable[None]]] = {
            (AV_TRANSPORT.name, "SetAVTransportURI"): self._name,
            (AV_TRANSPORT.name, "Play"): self._play,
            (AV_TRANSPORT.name, "Pause"): self._pause,
            (AV_TRANSPORT.name, "Stop"): self._stop,
            (AV_TRANSPORT.name, "Seek"): self._seek,
            (AV_TRANSPORT.name, "Next"): self._no_track,
            (AV_TRANSPORT.name, "Previous"): self._no_track,
            (RENDERING_CONTROL.name, "SelectPreset"): self._reset,
            (RENDERING_CONTROL.name, "SetMute"): self._set_mute,
            (RENDERING_CONTROL.name, "SetVolume"): self._set_volume,
        }

    def variables(self, service: Service) -> Mapping[str, str]:
        """The evented variables, with their values."""
        if service is CONNECTION_MANAGER:
            return {name: CONNECTION[name] for name, each in service.variables.items() if each.is_event}
        if service is RENDERING_CONTROL:
            return rendering(self._casting.volume)
        return av_transport(self._casting.snapshot(), self._named, is_new=self._is_new)

    async def run(self, service: Service, name: str, given: Arguments) -> Arguments:
        """Do it; the answer by the names of its arguments. Raises UpnpError."""
        action = service.actions.get(name)
        if action is None:
            raise UpnpError(INVALID_ACTION, f"{service.name} has no action of that name.")
        for argument, variable in action.takes.items():
            if argument not in given:
                raise UpnpError(INVALID_ARGUMENTS, f"{name} needs the argument {argument}.")
            allowed = service.variables[variable]
            if argument in ("InstanceID", "ConnectionID") and given[argument].strip() != "0":
                raise UpnpError(718 if argument == "InstanceID" else 706, f"There is one {argument} only: 0.")
            if not allowed.allows(given[argument]):
                hint = f"one of {', '.join(allowed.values)}" if allowed.values else f"a number, {allowed.limits}"
                code = SEEK_MODE_NOT_SUPPORTED if argument == "Unit" else INVALID_ARGUMENTS
                raise UpnpError(code, f"{argument} must be {hint}.")
        if (do := self._actions.get((service.name, name))) is not None:
            try:
                await do(given)
            except AgentError as error:
                raise UpnpError.of(error) from error
        if not action.gives:
            return {}
        values = {**CONNECTION, **self.variables(service), **place(self._casting.snapshot().stream)}
        return {argument: values[variable] for argument, variable in action.gives.items()}

    def answers(self, name: str) -> None:
        """Called when the caller of this action gets the answer: from now on the next call is the caller's to make."""
        if name in ("Stop", "SetAVTransportURI"):
            self._casting.keep_picture(PICTURE_STAYS_S)

    # --- AVTransport ---

    async def _name(self, given: Arguments) -> None:
        """Rename what plays now. It does not stop for that, because Play may never come."""
        self._form = form = _form_of(given["CurrentURI"].strip(), _title_of(given["CurrentURIMetaData"]))
        self._named, self._is_new = Named(redact(form.url or ""), form.title), True
        stream = self._casting.snapshot().stream
        if stream is not None and stream.state is not PlayerState.PAUSED:
            await self._start(form, wait_s=None)
        self._casting.keep_picture(UNTIL_ANSWER_S)

    async def _play(self, given: Arguments) -> None:
        stream = self._casting.snapshot().stream
        if self._form is not None and (self._is_new or stream is None):
            await self._start(self._form, wait_s=PLAY_WAITS_S)
        elif stream is None:
            raise UpnpError(TRANSITION_NOT_AVAILABLE, "There is nothing to play: SetAVTransportURI names it.")
        elif stream.state is PlayerState.PAUSED:
            await self._casting.pause(False)
        elif stream.first_frame_at is None:  # it was begun when it was named
            await self._casting.start(Wish(session_id=stream.session_id), wait_s=PLAY_WAITS_S)

    async def _start(self, form: PlayForm, *, wait_s: float | None) -> None:
        def accepted(session_id: SessionId) -> None:
            self._is_new = False

        await self._casting.start(form.wish(), wait_s=wait_s, accepted=accepted)

    async def _pause(self, given: Arguments) -> None:
        await self._casting.pause(True)

    async def _stop(self, given: Arguments) -> None:
        await self._casting.stop(picture_stays_s=UNTIL_ANSWER_S)

    async def _seek(self, given: Arguments) -> None:
        match = _TIME.fullmatch(given["Target"].strip())
        if match is None:
            raise UpnpError(INVALID_ARGUMENTS, "Target must be a time such as 1:02:03.")
        await self._casting.seek(int(match[1]) * 3600 + int(match[2]) * 60 + float(match[3]))

    async def _no_track(self, given: Arguments) -> None:
        raise UpnpError(TRANSITION_NOT_AVAILABLE, "There is one track only: SetAVTransportURI names another one.")

    # --- RenderingControl ---

    async def _reset(self, given: Arguments) -> None:
        await self._casting.set_volume(1.0, False)

    async def _set_mute(self, given: Arguments) -> None:
        await self._casting.set_volume(None, given["DesiredMute"].lower() in ("1", "true", "yes"))

    async def _set_volume(self, given: Arguments) -> None:
        await self._casting.set_volume(int(given["DesiredVolume"]) / 100, None)


def _form_of(address: str, title: str | None) -> PlayForm:
    """A start of this address. What follows its # are fields of the start, `interrupt&duration=30`, where all of it
    is; those of a switch need no value. Raises UpnpError."""
    url, _, fragment = address.partition("#")
    options = dict(parse_qsl(fragment, keep_blank_values=True))
    if not OPTIONS.issuperset(options):
        url, options = address, {}
    fields = {"title": title, **{name: value or "true" for name, value in options.items()}, "url": url}
    try:
        form = PlayForm.parse(fields)
    except AgentError as error:
        raise UpnpError.of(error) from error
    if form.url is None:
        raise UpnpError(INVALID_ARGUMENTS, "CurrentURI must be the address of what is to be played.")
    return form


def _title_of(metadata: str) -> str | None:
    """The title in a DIDL-Lite document; None where there is none."""
    if not metadata.strip():
        return None
    try:
        root = parse(metadata)
    except XmlError as error:
        log.debug("metadata_skipped", reason=str(error))
        return None
    titles = (each.text for each in root.iter() if local_name(each) == "title")
    return " ".join((next(titles, None) or "").split())[:TITLE_LIMIT] or None
