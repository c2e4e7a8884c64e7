"""`cast-agent watch`, as a process of its own."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from tests.support.api import tracked


@pytest.fixture(autouse=True)
def _quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONUNBUFFERED", "1")
    monkeypatch.setenv("TZ", "UTC")


@asynccontextmanager
async def watching(port: int, *options: str) -> AsyncIterator[asyncio.subprocess.Process]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "agent.cli", "watch", "--on", f"127.0.0.1:{port}", *options),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def line(stream: asyncio.StreamReader | None) -> str:
    assert stream is not None
    async with asyncio.timeout(15):
        return (await stream.readline()).decode().rstrip("\n")


async def until(stream: asyncio.StreamReader | None, word: str) -> str:
    while word not in (said := await line(stream)):
        assert said, f"the output ended before {word}"
    return said


async def test_what_changes_is_shown_in_words() -> None:
    async with tracked() as box, watching(box.port) as watch:
        assert (await line(watch.stdout)).endswith("  idle")
        await box.client.post("/start?wait=5", json={"url": "http://film/one.mp4", "title": "Film"})
        assert "Film (http://film/one.mp4)  seconds=0." in await until(watch.stdout, "first_frame")
        await box.client.post("/stop")
        assert "reason=stopped" in await until(watch.stdout, "session_ended")


async def test_an_agent_that_starts_anew_is_waited_for() -> None:
    async with tracked() as box:
        port = box.port
        watch = await (watched := watching(port, "--json")).__aenter__()
        assert json.loads(await line(watch.stdout))["status"]["status"] == "idle"
    try:
        assert "was lost" in await line(watch.stderr)
        async with tracked(port=port) as box:
            assert "is back" in await line(watch.stderr)
            assert json.loads(await line(watch.stdout))["kind"] == "gap"
            assert json.loads(await line(watch.stdout))["kind"] == "snapshot"
            await box.client.post("/volume", json={"volume_level": 0.5})
            event = json.loads(await line(watch.stdout))
            assert (event["kind"], event["data"]) == ("volume_changed", {"level": 0.5, "muted": False})
    finally:
        await watched.__aexit__(None, None, None)


async def test_nobody_there_is_said_at_once() -> None:
    async with tracked() as box:
        port = box.port
    async with watching(port) as watch:
        assert "No agent answers" in await line(watch.stderr)
        assert await watch.wait() == 69


async def test_one_that_hangs_up_before_its_answer_is_waited_for() -> None:
    """An agent that stops has taken connections that it does not answer any more."""
    async with tracked() as box:
        port = box.port
        watch = await (watched := watching(port, "--json")).__aenter__()
        assert json.loads(await line(watch.stdout))["status"]["status"] == "idle"
    try:
        hung_up = asyncio.Event()

        async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.close()
            hung_up.set()

        assert "was lost" in await line(watch.stderr)
        async with await asyncio.start_server(hang_up, "127.0.0.1", port), asyncio.timeout(10):
            await hung_up.wait()
        async with tracked(port=port):
            assert "is back" in await line(watch.stderr)
    finally:
        await watched.__aexit__(None, None, None)
