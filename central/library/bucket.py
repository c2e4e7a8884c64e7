"""The storage in an S3 bucket: an object for each video, in `videos/`, and for each thing that is made, in
`renditions/`.

An upload is one of S3's own, in parts, to which callers send their bytes themselves.
"""

from __future__ import annotations

import asyncio
import errno
from collections import deque
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager, suppress
from datetime import datetime, timedelta
from io import BytesIO
from itertools import dropwhile, islice
from pathlib import Path
from typing import BinaryIO, Final

from central.core.errors import (
    LibraryUnavailableError,
    MissingError,
    OverloadedError,
    UploadIncompleteError,
    UploadInUseError,
    WrongOffsetError,
)
from central.core.ids import is_id
from central.core.pages import Clock
from central.core.replies import StreamReply
from central.core.threads import in_thread, open_in_thread
from central.core.uploads import Upload
from central.core.workers import Worker, repeated
from central.library.multipart import Multipart
from central.library.parts import TOLD, Part, Plan, bounds, part_size, too_much
from central.library.s3 import S3, SEND_S
from central.library.scratch import Scratch, full

LOOK_EVERY_S: Final = 30.0
"""Seconds between two looks at whether the bucket is there."""
RECEIVED_S: Final = 2.0
"""Seconds for which a list waits for the bucket."""
AT_ONCE: Final = 4
"""Parts that a caller may send at the same time: enough for most lines."""
ASKED_AT_ONCE: Final = 8
"""Uploads that are looked at together."""
RECEIVED_AT_ONCE: Final = 4
"""Uploads that come through this service: each holds a part in memory, and perhaps a copy of it."""
VALID_FOR: Final = timedelta(hours=6)
"""Of the addresses of parts: TOLD of them take less, at 1 Mbit/s."""
MOST: Final = 1_000
"""Entries of one answer of S3."""


class Bucket:
    """A Storage."""

    def __init__(self, s3: S3, scratch: Scratch, *, prefix: str, now: Clock) -> None:
        """All names begin with `prefix`."""
        self._s3 = s3
        self._uploads = Multipart(s3)
        self._scratch = scratch
        self._prefix = prefix
        self._now = now
        self._holders: set[str] = set()
        self._receiving = 0
        self.workers: Mapping[str, Worker] = {"bucket": repeated(s3.require_bucket, every_s=LOOK_EVERY_S)}

    async def reserve(self, video_id: str, size: int, *, begun: Mapping[str, int]) -> None:
        """See Storage. The bucket has room; to be checked, a video needs some on this machine, too."""
        await in_thread(self._scratch.require_room, size)
        await self._uploads.begin(self._key(video_id))

    async def received(self, sizes: Mapping[str, int]) -> Mapping[str, int]:
        """See Storage."""
        found, turns = dict.fromkeys(sizes, 0), asyncio.Semaphore(ASKED_AT_ONCE)

        async def look(video_id: str, size: int) -> None:
            async with turns:
                with suppress(LibraryUnavailableError):  # its worker tells that the bucket is away
                    found[video_id] = sum((await self._there(video_id, size)).values())

        with suppress(TimeoutError):
            async with asyncio.timeout(RECEIVED_S):
                await asyncio.gather(*(look(*each) for each in sizes.items()))
        return found

    async def plan(self, video_id: str, size: int) -> Plan:
        """See Storage. An upload that was ended behind our back begins anew."""
        key = self._key(video_id)
        upload_id = await self._uploads.begin(key)
        there = await self._uploads.sizes(key, upload_id, size)
        missing = (each for each in bounds(size) if each[0] not in there)
        expires_at = (self._now() + VALID_FOR).replace(microsecond=0)
        parts = [
            Part(number, offset, length, await self._uploads.address(key, upload_id, number, length, VALID_FOR))
            for number, offset, length in islice(missing, TOLD)
        ]
        return Plan(part_size(size), AT_ONCE, sum(there.values()), tuple(parts), expires_at)

    async def receive(self, video_id: str, size: int, upload: Upload, *, offset: int) -> None:
        """See Storage. Parts that are whole stay; one at a time is held in memory."""
        if self._receiving == RECEIVED_AT_ONCE:
            raise OverloadedError(
                f"{RECEIVED_AT_ONCE} uploads come through this service already. Try again later, or send the parts to "
                "the bucket: GET /api/v1/videos/{id}/upload tells where."
            )
        self._receiving += 1
        try:
            async with self.held(video_id):
                await self._pass_on(video_id, size, upload, offset)
        finally:
            self._receiving -= 1

    @asynccontextmanager
    async def held(self, video_id: str) -> AsyncIterator[None]:
        """See Storage, within this process. Another instance may check the same video; the result of one counts."""
        if video_id in self._holders:
            raise UploadInUseError("This video is being checked or removed. Try again in a moment.")
        self._holders.add(video_id)
        try:
            yield
        finally:
            self._holders.discard(video_id)

    async def require_whole(self, video_id: str, size: int) -> None:
        """See Storage. The object is made of its parts when it is checked."""
        if (length := sum((await self._there(video_id, size)).values())) != size:
            raise UploadIncompleteError(
                f"{length} of {size} bytes are there. GET /api/v1/videos/{video_id}/upload tells the missing parts."
            )

    @asynccontextmanager
    async def local(self, video_id: str, size: int) -> AsyncIterator[Path]:
        """A copy of the object in the scratch folder."""
        key = self._key(video_id)
        length = await self._length(key)
        if length is None:
            await self._uploads.put_together(key, size)
            length = await self._length(key)
        if length is None:
            raise FileNotFoundError(errno.ENOENT, "it is not in the bucket")
        if length != size:
            raise OSError(errno.EIO, f"{length} bytes are in the bucket, and it has {size}")
        file = await in_thread(self._scratch.begin, size)
        try:
            await self._copy(key, file, size)
            yield Path(file.name)
        finally:
            await in_thread(self._scratch.end, file)

    async def touched(self, video_id: str) -> datetime:
        """See Storage."""
        key = self._key(video_id)
        moments: list[datetime] = []
        for upload in await self._uploads.all(key):
            parts = await self._uploads.parts(key, upload["UploadId"])
            moments += [upload["Initiated"], *(part["LastModified"] for part in parts)]
        if moments:
            return max(moments)
        found: datetime = (await self._s3.ask("head_object", Key=key))["LastModified"]
        return found

    async def keep(self, video_id: str, rendition_id: str, made: Path) -> None:
        """Send it, in parts if it is large."""
        key = self._key(video_id, rendition_id)
        size = (await in_thread(made.stat)).st_size

        def take() -> BinaryIO:
            return made.open("rb")

        async with open_in_thread(take) as file:
            if size <= part_size(size):
                body = BytesIO(await in_thread(file.read))
                await self._s3.ask("put_object", within_s=SEND_S, Key=key, Body=body)
                return
            upload_id = await self._uploads.begin(key)
            for number, _, length in bounds(size):
                await self._uploads.send(key, upload_id, number, await in_thread(file.read, length))
            await self._uploads.put_together(key, size)

    async def discard(self, video_id: str, rendition_id: str) -> None:
        """See Storage."""
        await self._remove(self._key(video_id, rendition_id))

    async def delete(self, video_id: str) -> None:
        """See Storage."""
        await self._remove(self._key(video_id))
        await self._remove(self._key(video_id, ""))

    async def tidy(self, before: datetime) -> Sequence[str]:
        """See Storage."""
        await in_thread(self._scratch.sweep)
        old = [upload for upload in await self._uploads.all(self._prefix) if upload["Initiated"] < before]
        for upload in old:
            if upload["Key"].startswith(f"{self._prefix}renditions/"):
                await self._uploads.abort(upload)
        names = (upload["Key"].removeprefix(f"{self._prefix}videos/") for upload in old)
        return [name for name in names if is_id(name)]

    async def address(self, video_id: str, rendition_id: str | None, media_type: str, valid_for: timedelta) -> str:
        """See Storage."""
        key = self._key(video_id, rendition_id)
        return await self._s3.address("get_object", valid_for, Key=key, ResponseContentType=media_type)

    async def reply(self, video_id: str, rendition_id: str | None, media_type: str) -> StreamReply:
        """See Storage."""
        key = self._key(video_id, rendition_id)
        if await self._length(key) is None:
            raise MissingError("This is not there any more.")
        return StreamReply(self._s3.read(key), media_type)

    def _key(self, video_id: str, rendition_id: str | None = None) -> str:
        """The name of the object. With an empty id, the beginning of the names of all renditions."""
        if rendition_id is None:
            return f"{self._prefix}videos/{video_id}"
        return f"{self._prefix}renditions/{video_id}/{rendition_id}"

    async def _length(self, key: str) -> int | None:
        """Bytes of an object; None if there is none."""
        try:
            length: int = (await self._s3.ask("head_object", Key=key))["ContentLength"]
        except FileNotFoundError:
            return None
        return length

    async def _there(self, video_id: str, size: int) -> Mapping[int, int]:
        """The bytes of the parts that are there, by number."""
        key = self._key(video_id)
        upload_id = await self._uploads.find(key)
        return {} if upload_id is None else await self._uploads.sizes(key, upload_id, size)

    async def _pass_on(self, video_id: str, size: int, upload: Upload, offset: int) -> None:
        key = self._key(video_id)
        upload_id = await self._uploads.begin(key)
        there = await self._uploads.sizes(key, upload_id, size)
        left = deque(dropwhile(lambda each: each[0] in there, bounds(size)))
        if offset != (begin := left[0][1] if left else size):
            raise WrongOffsetError(
                f"{begin} bytes are there in a row. Send those behind them, with ?offset={begin}, or the parts that "
                f"GET /api/v1/videos/{video_id}/upload tells."
            )
        rest, piece = size - offset, bytearray()
        if upload.length is not None and upload.length > rest:
            raise too_much(size)
        async for chunk in upload.chunks:
            rest -= len(chunk)
            if rest < 0:
                raise too_much(size)
            piece += chunk
            while left and len(piece) >= left[0][2]:
                number, _, length = left.popleft()
                await self._uploads.send(key, upload_id, number, bytes(piece[:length]))
                del piece[:length]

    async def _copy(self, key: str, file: BinaryIO, size: int) -> None:
        """Fetch an object of that size. Raises OSError when it ends early."""
        rest = size
        async with aclosing(self._s3.read(key)) as pieces:
            async for piece in pieces:
                rest -= len(piece)
                if rest < 0:
                    break
                try:
                    await in_thread(file.write, piece)
                except OSError as error:
                    raise full(error) from error
        if rest:
            raise OSError(errno.EIO, "another number of bytes came from the bucket")

    async def _remove(self, prefix: str) -> None:
        """Delete the objects and uploads whose names begin so."""
        for upload in await self._uploads.all(prefix):
            await self._uploads.abort(upload)
        while True:
            found = (await self._s3.ask("list_objects_v2", Prefix=prefix)).get("Contents", ())
            for each in found:
                await self._s3.ask("delete_object", Key=each["Key"])
            if len(found) < MOST:
                return
