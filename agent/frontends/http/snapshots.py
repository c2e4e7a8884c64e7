"""`GET /snapshot`: what the screen shows, taken once for all who ask at the same moment."""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections import OrderedDict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Annotated, Final, Literal

from aiohttp import ETag, web
from pydantic import BaseModel, Field

from agent.errors import FieldError, InvalidRequestError, PlayerUnavailableError
from agent.frontends.http.app_keys import STAGE
from agent.stage.base import ImageFormat, Stage
from cast_http.negotiate import preference

SNAPSHOT_TIMEOUT_S: Final = 10.0
"""Encoding a 4K screen as PNG takes about 2 s on a Raspberry Pi; an X server that hangs never answers."""

WIDTHS: Final = range(16, 7681)
"""Pixels: from an icon to 8K."""

MAX_AGE_LIMIT_S: Final = 10

KEPT_LIMIT: Final = 4
"""Kinds of pictures that are kept: a page on a phone, one on a desktop, Home Assistant, and one more."""


class SnapshotQuery(BaseModel):
    """The query parameters of `GET /snapshot`."""

    format: Literal["png", "jpeg", "jpg"] | None = None
    width: Annotated[int, Field(ge=WIDTHS.start, lt=WIDTHS.stop)] | None = None
    """Pixels."""
    max_age: Annotated[int, Field(ge=0, le=MAX_AGE_LIMIT_S)] | None = None
    """Seconds that a picture which others asked for may be old."""


@dataclass(frozen=True, slots=True)
class Kind:
    """What is asked for."""

    format: ImageFormat
    width: int | None = None


@dataclass(frozen=True, slots=True)
class Taken:
    """A picture, and the monotonic time at which it began to be taken."""

    content: bytes
    tag: str
    at: float


class Snapshots:
    """Takes one picture at a time, so that encoding never has more than one core. Whoever asks for the same kind while
    an earlier one is being taken shares the next one."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._busy = asyncio.Lock()
        self._next: dict[Kind, asyncio.Task[Taken]] = {}
        self._kept: OrderedDict[Kind, Taken] = OrderedDict()

    async def take(self, kind: Kind, *, max_age_s: float) -> Taken:
        """A picture that began to be taken after this call, or at most `max_age_s` before it. Raises
        PlayerUnavailableError."""
        kept = self._kept.get(kind)
        if kept is not None and asyncio.get_running_loop().time() - kept.at <= max_age_s:
            return kept
        task = self._next.get(kind)
        if task is None:
            task = self._next[kind] = asyncio.create_task(self._take(kind), name="snapshot")
            task.add_done_callback(_retrieve)
        return await asyncio.shield(task)

    async def _take(self, kind: Kind) -> Taken:
        try:
            async with asyncio.timeout(SNAPSHOT_TIMEOUT_S), self._turn(kind):
                at = asyncio.get_running_loop().time()
                content = await self._stage.snapshot(kind.format, width=kind.width)
        except TimeoutError as error:
            raise PlayerUnavailableError(
                f"The display did not answer within {SNAPSHOT_TIMEOUT_S:g} s. See /health; restart the display if it "
                "hangs."
            ) from error
        taken = Taken(content, hashlib.blake2b(content, digest_size=16).hexdigest(), at)
        self._kept[kind] = taken
        self._kept.move_to_end(kind)
        if len(self._kept) > KEPT_LIMIT:
            self._kept.popitem(last=False)
        return taken

    @asynccontextmanager
    async def _turn(self, kind: Kind) -> AsyncIterator[None]:
        try:
            await self._busy.acquire()
        finally:
            del self._next[kind]  # who asks from now on wants a newer one
        try:
            yield
        finally:
            self._busy.release()


def _retrieve(task: asyncio.Task[Taken]) -> None:
    """All who asked may have hung up."""
    if not task.cancelled():
        task.exception()


SNAPSHOTS: Final = web.AppKey[Snapshots]("snapshots")


async def snapshot(request: web.Request) -> web.Response:
    """`GET /snapshot`: what the screen shows, as PNG, or as JPEG when `?format=jpeg` or `Accept` asks for it; `?width=`
    makes it smaller, `?max_age=` takes one that others have asked for so many seconds ago."""
    # Other parameters are passed over: pages and dashboards add one to every address, against caches.
    kind = Kind(_image_format(request), _whole(request, "width", WIDTHS.start, WIDTHS.stop - 1))
    max_age_s = _whole(request, "max_age", 0, MAX_AGE_LIMIT_S) or 0
    taken = await request.app[SNAPSHOTS].take(kind, max_age_s=max_age_s)
    known = any(tag.value in (taken.tag, "*") for tag in request.if_none_match or ())
    answer = web.Response(status=304) if known else web.Response(body=taken.content)
    if not known:
        answer.content_type = f"image/{kind.format}"
    answer.etag = ETag(taken.tag)
    # To be kept by this caller alone, and only with a question whether it is still right.
    answer.headers.update({"Cache-Control": "private, no-cache", "Vary": "Accept", "X-Content-Type-Options": "nosniff"})
    return answer


def make_snapshots(app: web.Application) -> None:
    """Give the application what it takes pictures with."""
    app[SNAPSHOTS] = Snapshots(app[STAGE])


def _whole(request: web.Request, name: str, least: int, most: int) -> int | None:
    value = request.query.get(name, "").strip()
    if not value:
        return None
    if not re.fullmatch(r"[0-9]{1,5}", value) or not least <= int(value) <= most:
        message = f"must be a whole number from {least} to {most}"
        raise InvalidRequestError(f"{name} {message}.", (FieldError(name, message),))
    return int(value)


def _image_format(request: web.Request) -> ImageFormat:
    match request.query.get("format", "").strip().lower():
        case "png":
            return "png"
        case "jpeg" | "jpg":
            return "jpeg"
        case "":
            wants_jpeg = preference(request, "image/jpeg") > preference(request, "image/png")
            return "jpeg" if wants_jpeg else "png"
    message = "must be png or jpeg"
    raise InvalidRequestError(f"format {message}.", (FieldError("format", message),))
