"""Uploads of an S3 bucket in parts. What the server lists is how far one is, so nothing can differ from that after a
crash."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import timedelta
from io import BytesIO
from typing import Any

from central.library.parts import bounds
from central.library.s3 import COMPLETE_S, S3, SEND_S


class Multipart:
    """The uploads of one bucket, each of one object."""

    def __init__(self, s3: S3) -> None:
        self._s3 = s3

    async def begin(self, key: str) -> str:
        """The upload of an object; a new one, if there is none."""
        if (found := await self.find(key)) is not None:
            return found
        made: str = (await self._s3.ask("create_multipart_upload", Key=key))["UploadId"]
        return await self.find(key) or made  # another caller may have been quicker

    async def find(self, key: str) -> str | None:
        """The upload of an object. Should there be several, the first one is it for everybody."""
        found = await self.all(key)
        first = min(found, key=lambda upload: (upload["Initiated"], upload["UploadId"]), default=None)
        return None if first is None else str(first["UploadId"])

    async def all(self, prefix: str) -> list[dict[str, Any]]:
        """The uploads of objects with such names, as S3 tells them: the first thousand."""
        return list((await self._s3.ask("list_multipart_uploads", Prefix=prefix)).get("Uploads", ()))

    async def parts(self, key: str, upload_id: str) -> list[dict[str, Any]]:
        """What is there of an upload, as S3 tells it."""
        found: list[dict[str, Any]] = []
        while True:
            after = found[-1]["PartNumber"] if found else 0
            answer = await self._s3.ask("list_parts", Key=key, UploadId=upload_id, PartNumberMarker=after)
            found += answer.get("Parts", ())
            if not answer.get("IsTruncated"):
                return found

    async def sizes(self, key: str, upload_id: str, size: int) -> dict[int, int]:
        """The bytes of the parts that are there of an object of that size, by number. One that has another size than it
        should counts for nothing."""
        return {part["PartNumber"]: part["Size"] for part in _right(await self.parts(key, upload_id), size)}

    async def address(self, key: str, upload_id: str, number: int, length: int, valid_for: timedelta) -> str:
        """A signed address to which as many bytes are sent, and no others."""
        part = {"Key": key, "UploadId": upload_id, "PartNumber": number, "ContentLength": length}
        return await self._s3.address("upload_part", valid_for, **part)

    async def send(self, key: str, upload_id: str, number: int, piece: bytes) -> None:
        """Send a part from here."""
        part = {"Key": key, "UploadId": upload_id, "PartNumber": number, "Body": BytesIO(piece)}
        await self._s3.ask("upload_part", within_s=SEND_S, **part)

    async def put_together(self, key: str, size: int) -> None:
        """Make the object of its parts, if all of them are there."""
        if (upload_id := await self.find(key)) is None:
            return
        parts = _right(await self.parts(key, upload_id), size)
        if sum(part["Size"] for part in parts) != size:
            return
        listed = [{"PartNumber": part["PartNumber"], "ETag": part["ETag"]} for part in parts]
        whole = {"Key": key, "UploadId": upload_id, "MultipartUpload": {"Parts": listed}}
        with suppress(FileNotFoundError):  # another instance was quicker
            await self._s3.ask("complete_multipart_upload", within_s=COMPLETE_S, **whole)

    async def abort(self, upload: Mapping[str, Any]) -> None:
        """End an upload without an object. Idempotent."""
        with suppress(FileNotFoundError):
            await self._s3.ask("abort_multipart_upload", Key=upload["Key"], UploadId=upload["UploadId"])


def _right(parts: Sequence[dict[str, Any]], size: int) -> list[dict[str, Any]]:
    wanted = {number: length for number, _, length in bounds(size)}
    return [part for part in parts if wanted.get(part["PartNumber"]) == part["Size"]]
