"""Presets: what people put on again and again, under a name. Those of the configuration no caller changes."""

from __future__ import annotations

import asyncio
import hashlib
import json
import re
import unicodedata
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from typing import Any, Final

import structlog

from agent.casting.entries import Entries
from agent.casting.forms import PresetForm
from agent.casting.wish import Policy, Wish, check_page
from agent.errors import (
    FieldError,
    FileAwayError,
    InvalidRequestError,
    PresetBrokenError,
    PresetConflictError,
    PresetNotFoundError,
    PresetReadOnlyError,
    StorageError,
)
from agent.events.bus import Emit, nobody
from agent.media.redaction import redact
from cast_wire.kinds import EventKind

PRESETS_LIMIT: Final = 200
"""Saved ones. A page with more is not to be overlooked, and their file stays below a megabyte or two."""

READY_SCHEMES: Final = ("rtsp:", "rtsps:", "http:", "https:")
"""The beginnings of the addresses of cameras and live streams that can be kept ready. Not of those for which this box
waits at a port of its own (udp, rtp, srt): a start could not do so beside."""

NAMES_SHOWN: Final = 10
"""The number of presets that an error names."""

log = structlog.get_logger(__name__)


class Source(StrEnum):
    """The origin of a preset."""

    CONFIGURATION = "configuration"
    SAVED = "saved"


@dataclass(frozen=True)
class Preset:
    """One preset in its current state."""

    id: str
    source: Source
    given: Mapping[str, Any] = field(repr=False)
    """Its fields as they were given."""
    form: PresetForm | None = field(repr=False)
    """The same, checked; None when it is broken."""
    problem: str | None = None
    """The mistake in the preset; empty if there is none."""

    @property
    def title(self) -> str:
        """The name of the preset for people."""
        title = self.given.get("title")
        return title if isinstance(title, str) and title.strip() else self.id

    @property
    def where(self) -> str:
        """The place to correct it, as a sentence ends."""
        return "in the configuration" if self.source is Source.CONFIGURATION else f"with PATCH /presets/{self.id}"

    @cached_property
    def etag(self) -> str:
        """Another one as soon as any field is."""
        text = json.dumps(self.given, sort_keys=True, default=str)
        return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class PresetList:
    """All presets: first those of the configuration, then the saved ones, the oldest first."""

    presets: tuple[Preset, ...]
    problem: str | None = None
    """The reason why the saved presets are missing."""


class Presets:
    """The presets of this box. `configured` gives those of the configuration, `policy` says what may be played."""

    def __init__(
        self,
        file: Entries,
        *,
        configured: Callable[[], Sequence[Mapping[str, Any]]] = tuple,
        policy: Policy,
        emit: Emit = nobody,
    ) -> None:
        self._file = file
        self._configured = configured
        self._policy = policy
        self._emit = emit
        self._fixed: tuple[Preset, ...] = ()
        self._saved: tuple[Preset, ...] | None = None
        """None until the file is read."""
        self._changing = asyncio.Lock()

    async def look(self) -> None:
        """Take over the presets of the configuration, at the start and after a reload. Never raises for a preset."""
        before = self._fixed
        found: list[Preset] = []
        for number, given in enumerate(self._configured(), 1):
            preset = await self._examined(given, Source.CONFIGURATION, f"#{number}")
            if any(preset.id == other.id for other in found):
                problem = f"There is another preset {preset.id} in the configuration."
                preset = Preset(f"#{number}", Source.CONFIGURATION, given, None, problem)
            found.append(preset)
        self._fixed = tuple(found)
        for preset in found:
            if preset.problem is not None and preset not in before:
                log.warning("preset_refused", preset=preset.id, reason=preset.problem)
        if before != self._fixed:
            self._emit(EventKind.PRESETS_CHANGED)

    async def all(self) -> PresetList:
        """All presets, also the broken ones. Those of the configuration are there whatever becomes of the disk."""
        try:
            saved = await self._read()
        except StorageError as error:
            return PresetList(self._fixed, str(error))
        return PresetList((*self._fixed, *self._not_hidden(saved)))

    async def wish(self, id_: str) -> Wish:
        """The wish that plays the preset of this id. Raises PresetNotFoundError, PresetBrokenError, StorageError."""
        preset = await self._find(id_)
        if preset.form is None:
            raise PresetBrokenError(f"The preset {id_} cannot be played: {preset.problem} Correct it {preset.where}.")
        return preset.form.wish()

    async def add(self, given: Mapping[str, Any]) -> Preset:
        """Save a preset. Without an `id` it gets one that is made of its `title`.

        Raises InvalidRequestError with the field, PresetConflictError when there is one of that id, StorageError.
        """
        async with self._changing:
            saved = await self._read()
            taken = {preset.id: preset for preset in (*self._fixed, *saved)}
            if not given.get("id") and isinstance(title := given.get("title"), str):
                given = {**given, "id": _free_id(title, taken)}
            form = await self._checked(given)
            if form.id in taken:
                text = f"There is a preset {form.id} already: change that one, or take another id."
                raise PresetConflictError(text, taken[form.id])
            if len(saved) >= PRESETS_LIMIT:
                text = f"there are {PRESETS_LIMIT} already, the most there may be: delete one that is not used"
                raise InvalidRequestError(f"No preset can be added: {text}.", (FieldError("", text),))
            preset = Preset(form.id, Source.SAVED, form.given(), form)
            await self._write((*saved, preset))
        return preset

    async def change(self, id_: str, given: Mapping[str, Any], *, etag: str | None) -> Preset:
        """Change the fields that are given of a saved preset; None takes one away. `etag` is what the caller knows,
        None when it does not care.

        Raises InvalidRequestError with the field, PresetNotFoundError, PresetReadOnlyError, PresetConflictError when
        the preset is another one now, StorageError.
        """
        async with self._changing:
            before = await self._own(id_, etag)
            given = dict(given)
            url = before.given.get("url")
            if isinstance(url, str) and given.get("url") == redact(url):
                given["url"] = url  # a page that sends back what it was shown
            if given.setdefault("id", id_) != id_:
                text = "cannot be changed: delete this preset, and add another one"
                raise InvalidRequestError(f"id {text}.", (FieldError("id", text),))
            merged = {**before.given, **given}
            form = await self._checked({name: value for name, value in merged.items() if value is not None})
            after = Preset(id_, Source.SAVED, form.given(), form)
            await self._write(tuple(after if one is before else one for one in await self._read()))
        return after

    async def remove(self, id_: str, *, etag: str | None) -> None:
        """Delete a saved preset. Raises as `change` does."""
        async with self._changing:
            before = await self._own(id_, etag)
            await self._write(tuple(one for one in await self._read() if one is not before))

    async def _find(self, id_: str) -> Preset:
        for preset in self._fixed:
            if preset.id == id_:
                return preset
        saved = await self._read()
        for preset in saved:
            if preset.id == id_:
                return preset
        names = [preset.id for preset in (*self._fixed, *saved)]
        more = ", ..." if len(names) > NAMES_SHOWN else ""
        there = f"There are: {', '.join(names[:NAMES_SHOWN])}{more}." if names else "There are none at all."
        raise PresetNotFoundError(f"There is no preset {id_}. {there}")

    async def _own(self, id_: str, etag: str | None) -> Preset:
        """The saved preset that a caller may change."""
        preset = await self._find(id_)
        if preset.source is Source.CONFIGURATION:
            raise PresetReadOnlyError(
                f"The preset {id_} is one of the configuration of this box. Change it there, under [[preset]]."
            )
        if etag is not None and etag != preset.etag:
            text = f"The preset {id_} was changed meanwhile: look at what it is now, and try again."
            raise PresetConflictError(text, preset)
        return preset

    def _not_hidden(self, saved: Sequence[Preset]) -> list[Preset]:
        """The saved presets without those that a preset of the configuration with the same id hides."""
        fixed = {preset.id for preset in self._fixed}
        return [preset for preset in saved if preset.id not in fixed]

    async def _examined(self, given: Mapping[str, Any], source: Source, name: str) -> Preset:
        """The preset with its problem, if any; `name` stands for an invalid id."""
        try:
            form = PresetForm.parse(given)
            await check_page(self._policy, form.wish())
            # A file may be on a disk that sleeps or hangs: it is looked at when it is to be played.
            if form.url is not None and not form.url.lower().startswith("file:"):
                await self._policy.check(form.url)
            _check_ready(form)
        except InvalidRequestError as error:
            return Preset(_id_of(given) or name, source, given, None, str(error))
        return Preset(form.id, source, given, form)

    async def _checked(self, given: Mapping[str, Any]) -> PresetForm:
        form = PresetForm.parse(given)
        _check_ready(form)
        await check_page(self._policy, form.wish())
        if form.url is not None:
            try:
                await self._policy.check(form.url)
            except FileAwayError:
                log.debug("preset_file_not_found", preset=form.id)  # it may be there when it is to be played
        return form

    async def _read(self) -> tuple[Preset, ...]:
        if self._saved is None:
            entries = await self._file.read()
            found = [await self._examined(entry, Source.SAVED, f"saved#{n}") for n, entry in enumerate(entries, 1)]
            if self._saved is None:  # another call may have read, and changed, them meanwhile
                self._saved = tuple(found)
        return self._saved

    async def _write(self, presets: tuple[Preset, ...]) -> None:
        await self._file.write([preset.given for preset in presets])
        self._saved = presets
        self._emit(EventKind.PRESETS_CHANGED)


def _check_ready(form: PresetForm) -> None:
    """Raises InvalidRequestError for a preset that is no camera and no live stream, and is to be kept ready."""
    if form.keep_ready and (form.shown_as or not (form.url or "").lower().startswith(READY_SCHEMES)):
        text = (
            "is for cameras and live streams: give an rtsp, rtsps, http or https address as url, without as, or leave "
            "keep_ready out"
        )
        raise InvalidRequestError(f"keep_ready {text}.", (FieldError("keep_ready", text),))


def _id_of(given: Mapping[str, Any]) -> str | None:
    """The id of a broken preset, if that is good itself."""
    try:
        return PresetForm.parse({"id": given.get("id"), "url": "http://x"}).id
    except InvalidRequestError:
        return None


def _free_id(title: str, taken: Collection[str]) -> str:
    plain = unicodedata.normalize("NFKD", title).encode("ascii", "ignore").decode().lower()
    base = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:50] or "preset"
    numbers = (f"{base}-{number}" for number in range(2, len(taken) + 3))
    return next(id_ for id_ in (base, *numbers) if id_ not in taken)
