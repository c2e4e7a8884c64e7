"""`make run-central-full`: the central API on those of its servers that are installed here, all on loopback, with a
state that is thrown away at the end. What is missing is said, and what that leaves out."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from central.library.s3 import connected
from central.library.settings import S3Settings
from tests.central.support.mediamtx import real_mediamtx
from tests.central.support.postgres import PostgresServer
from tests.central.support.s3 import ACCESS_KEY, SECRET_KEY, S3Server
from tests.central.support.servers import RABBITMQ, RabbitServer, RedisServer
from tests.support.sockets import free_port
from tests.support.tools import program

CENTRAL = Path(sys.executable).with_name("cast-central")
BUCKET = "cast"
END_S = 30.0
"""Answers under way may take 10 s."""

Running = contextlib.AsyncExitStack
Environ = Mapping[str, str]


class MissingServerError(Exception):
    """A server is not installed here; the text says how it is, and what is used instead."""


async def main() -> int:
    """Run until Ctrl-C, SIGTERM or the end of the central API; its exit code."""
    this = asyncio.current_task()
    assert this is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, this.cancel)
    async with Running() as running:
        folder = running.enter_context(tempfile.TemporaryDirectory(prefix="cast-central-"))
        port = os.environ.get("API_PORT", "8080")
        environ = {"CAST_CENTRAL_STATE__DIR": folder, "CAST_CENTRAL_API__HOST": "127.0.0.1", "API_PORT": port}
        for start in (_postgres, _redis, _rabbitmq, _s3):
            try:
                environ |= await start(running)
            except MissingServerError as missing:
                print(f"==> {missing}")
        try:
            environ |= await _mediamtx(running, f"http://127.0.0.1:{port}")
        except MissingServerError as missing:
            print(f"==> {missing}")
        return await _central(os.environ | environ, port)


async def _central(environ: Environ, port: str) -> int:
    key = await asyncio.create_subprocess_exec(
        *(CENTRAL, "key", "add", "run-central-full"),
        env=environ,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    said, _ = await key.communicate()
    print(f"""==> Starting the central API; Ctrl-C ends it, its servers, and all that was stored

    Try, in another terminal:
      curl http://127.0.0.1:{port}/health
      curl -H 'Authorization: Bearer {said.decode().strip()}' http://127.0.0.1:{port}/api/v1/videos
""")
    process = await asyncio.create_subprocess_exec(CENTRAL, "run", env=environ, process_group=0)
    try:
        return await process.wait()
    finally:
        if process.returncode is None:
            process.terminate()
            async with asyncio.timeout(END_S):
                await process.wait()


async def _postgres(running: Running) -> Environ:
    try:
        server = PostgresServer()
    except RuntimeError as error:
        raise MissingServerError("PostgreSQL is missing (apt install postgresql): the database is SQLite.") from error
    running.callback(server.close)
    server.start()
    server.sql("CREATE DATABASE central")
    print(f"==> PostgreSQL: {server.url('central')}")
    return {"DATABASE_URL": server.url("central")}


async def _redis(running: Running) -> Environ:
    if shutil.which("redis-server") is None:
        raise MissingServerError("Redis is missing (apt install redis-server): statistics are counted for each call.")
    return {"REDIS_URL": _started(running, "Redis", RedisServer())}


async def _rabbitmq(running: Running) -> Environ:
    if not RABBITMQ.exists():
        raise MissingServerError("RabbitMQ is missing (apt install rabbitmq-server): workers look for jobs every 5 s.")
    return {"RABBITMQ_URL": _started(running, "RabbitMQ", RabbitServer())}


def _started(running: Running, name: str, server: RedisServer | RabbitServer) -> str:
    """Start it until the end; its address."""
    running.callback(server.close)
    server.start()
    print(f"==> {name}: port {server.port}")
    return server.url


async def _s3(running: Running) -> Environ:
    if program("versitygw") is None:
        raise MissingServerError(
            "An S3 server is missing (go install github.com/versity/versitygw/cmd/versitygw@latest): videos are in a "
            "folder."
        )
    server = S3Server()
    running.callback(server.close)
    keys = {"url": server.url, "bucket": BUCKET, "access_key": ACCESS_KEY, "secret_key": SECRET_KEY}
    async with connected(S3Settings.model_validate(keys)) as s3:
        await s3.ask("create_bucket")
    print(f"==> S3: {server.url}, bucket {BUCKET}")
    return {f"CAST_CENTRAL_S3__{name.upper()}": value for name, value in keys.items()}


async def _mediamtx(running: Running, url: str) -> Environ:
    binary = program("mediamtx")
    if binary is None:
        raise MissingServerError("MediaMTX is missing (https://mediamtx.org, or MEDIAMTX=FILE): nobody can publish.")
    server = await running.enter_async_context(
        real_mediamtx(binary, api_port=free_port(), central_url=url, rtsp=8554, hls=8888)
    )
    print(f"==> MediaMTX: rtsp://127.0.0.1:{server.rtsp}, HLS at port 8888")
    return {"MEDIAMTX_API_URL": server.api, "MEDIAMTX_PUBLIC_URL": "http://127.0.0.1"}


if __name__ == "__main__":
    try:
        sys.exit(asyncio.run(main()))
    except (KeyboardInterrupt, asyncio.CancelledError):
        print("==> Ended")
