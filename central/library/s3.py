"""The client of an S3 server. Each call ends in time, and what goes wrong is told in a sentence, without a secret."""

from __future__ import annotations

import asyncio
import errno
import logging
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from typing import Any, Final

from aiobotocore.config import AioConfig
from aiobotocore.session import get_session
from aiohttp import ClientError as HttpError
from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError, PartialCredentialsError

from central.core.errors import LibraryUnavailableError
from central.library.settings import S3Settings

CONNECT_S: Final = 5.0
SILENCE_S: Final = 30.0
"""A server from which nothing of an object comes for so long is gone; uploads to this service have the same."""
ANSWER_S: Final = 10.0
"""A whole call that moves no bytes of videos, with one more try: somebody may wait for it."""
SEND_S: Final = 300.0
"""The same with the bytes of a part: 16 MiB at 0.5 Mbit/s, and 96 MiB of the largest video at 3."""
COMPLETE_S: Final = 600.0
"""To make an object of its parts: some servers copy all of them."""
CONNECTIONS: Final = 32
PIECE: Final = 1024 * 1024
"""Bytes that are handed on together: a thread costs more than to write a few."""

_MISSING: Final = ("NoSuchKey", "NoSuchUpload", "NotFound", "404")


class S3:
    """One bucket."""

    def __init__(self, client: Any, signer: Any, settings: S3Settings) -> None:
        """`signer` is a client, too: of the address by which everybody else reaches the server."""
        self._client = client
        self._signer = signer
        self._bucket = settings.bucket
        self._at = settings.url or "Amazon"

    async def ask(self, operation: str, *, within_s: float = ANSWER_S, **parameters: Any) -> dict[str, Any]:
        """The answer to a call of S3. Raises FileNotFoundError for what is not there, LibraryUnavailableError."""
        try:
            async with asyncio.timeout(within_s):
                answer: dict[str, Any] = await getattr(self._client, operation)(Bucket=self._bucket, **parameters)
                return answer
        except (ClientError, BotoCoreError, HttpError, OSError) as error:
            raise self._failure(error) from error

    async def require_bucket(self) -> None:
        """Raise LibraryUnavailableError unless there is a bucket, and it is ours."""
        try:
            await self.ask("head_bucket")
        except FileNotFoundError as error:
            raise self._no_bucket() from error

    async def read(self, key: str) -> AsyncGenerator[bytes, None]:
        """The bytes of an object, in pieces of PIECE at most. Raises FileNotFoundError, LibraryUnavailableError."""
        body = (await self.ask("get_object", Key=key))["Body"]
        try:
            async with body:
                while True:
                    async with asyncio.timeout(SILENCE_S):
                        piece = await body.read(PIECE)
                    if not piece:
                        return
                    yield piece
        except (BotoCoreError, HttpError, TimeoutError, ConnectionError) as error:
            raise self._failure(error) from error

    async def address(self, operation: str, valid_for: timedelta, **parameters: Any) -> str:
        """A signed address with which anybody makes this call. Raises LibraryUnavailableError."""
        try:
            address: str = await self._signer.generate_presigned_url(
                operation, {"Bucket": self._bucket, **parameters}, int(valid_for.total_seconds())
            )
            await asyncio.sleep(0)  # to sign takes 0.3 ms and waits for nothing: a hundred would hold up everybody
        except (ClientError, BotoCoreError, OSError) as error:
            raise self._failure(error) from error
        return address

    def _failure(self, error: Exception) -> Exception:
        if isinstance(error, NoCredentialsError | PartialCredentialsError):
            return LibraryUnavailableError(
                "There are no credentials for the S3 server. Set access_key and secret_key in the section [s3]."
            )
        if not isinstance(error, ClientError):
            return LibraryUnavailableError(
                f"The S3 server at {self._at} does not answer ({type(error).__name__}). Check that it runs, the "
                "network to it, and url in the section [s3]."
            )
        code, status = error.response["Error"].get("Code", ""), error.response["ResponseMetadata"]["HTTPStatusCode"]
        if code in _MISSING:
            return FileNotFoundError(errno.ENOENT, "it is not in the bucket")
        if code == "NoSuchBucket":
            return self._no_bucket()
        if status in (400, 401, 403):
            return LibraryUnavailableError(
                f"The S3 server at {self._at} refuses this service ({code}). Check access_key, secret_key and region "
                f"in the section [s3], and what that key may do with the bucket {self._bucket}."
            )
        return LibraryUnavailableError(f"The S3 server at {self._at} answered {status} ({code}). Its log may say why.")

    def _no_bucket(self) -> LibraryUnavailableError:
        return LibraryUnavailableError(
            f"There is no bucket {self._bucket} at {self._at}. Make it, or set another bucket in the section [s3]."
        )


@asynccontextmanager
async def connected(settings: S3Settings) -> AsyncIterator[S3]:
    """A client of the bucket that is set. Nothing is asked yet."""
    for name in ("botocore", "aiobotocore"):
        logging.getLogger(name).setLevel(logging.WARNING)  # the others tell headers and addresses with what signs them
    config = AioConfig(
        connect_timeout=CONNECT_S,
        read_timeout=COMPLETE_S,  # each call has a limit of its own
        max_pool_connections=CONNECTIONS,
        retries={"mode": "standard", "total_max_attempts": 2},
        signature_version="s3v4",
        s3={"addressing_style": "path", "payload_signing_enabled": False},  # to hash a part would hold up everybody
        request_checksum_calculation="when_required",  # others than Amazon do not know them all
        response_checksum_validation="when_required",
    )
    options = {
        "region_name": settings.region,
        "aws_access_key_id": settings.access_key,
        "aws_secret_access_key": settings.secret_key,
        "config": config,
    }
    session = get_session()
    async with AsyncExitStack() as stack:
        client = await stack.enter_async_context(session.create_client("s3", endpoint_url=settings.url, **options))
        signer = client
        if settings.public_url is not None:
            signing = session.create_client("s3", endpoint_url=settings.public_url, **options)
            signer = await stack.enter_async_context(signing)
        yield S3(client, signer, settings)
