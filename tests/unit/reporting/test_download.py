"""The bytes of a video over a real connection."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web

from agent.errors import CentralUnavailableError
from agent.reporting.central import download
from agent.reporting.central.download import Downloads

FILM = bytes(range(256)) * 4000


@pytest.fixture
async def url(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[str]:
    """A server with the film as central serves it, whole only, broken off, elsewhere, and silent."""
    monkeypatch.setattr(download, "PIECE", 1024)
    monkeypatch.setattr(download, "SILENCE_S", 0.3)
    (tmp_path / "film").write_bytes(FILM)

    async def film(_: web.Request) -> web.FileResponse:
        return web.FileResponse(tmp_path / "film")

    async def whole(_: web.Request) -> web.Response:
        return web.Response(body=FILM)

    async def partly(request: web.Request) -> web.StreamResponse:
        headers = {"Content-Range": "bytes 100-5119/5120", "Content-Length": "5020"}
        answer = web.StreamResponse(status=206, headers=headers)
        await answer.prepare(request)
        await answer.write(FILM[100:2000])
        if request.path == "/broken":
            assert request.transport is not None
            request.transport.abort()
        else:
            await silence.wait()
        return answer

    async def moved(_: web.Request) -> web.Response:
        raise web.HTTPFound("/film")

    silence = asyncio.Event()
    app = web.Application()
    for path, handler in (("film", film), ("whole", whole), ("broken", partly), ("silent", partly), ("moved", moved)):
        app.router.add_get(f"/{path}", handler)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    silence.set()
    await runner.cleanup()


async def test_the_rest_of_a_film_comes_in_pieces(url: str) -> None:
    pieces = [piece async for piece in Downloads(agent_version="0.1.0").pieces(f"{url}/film?token=1", 100)]
    assert b"".join(pieces) == FILM[100:]
    assert len(pieces) > 1


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("whole", "answered the whole video or nothing"),
        ("moved", "answered 302"),
        ("nothing", "answered 404"),
        ("broken", "broke the connection off"),
        ("silent", "did not answer within"),
    ],
)
async def test_what_goes_wrong_is_said(url: str, path: str, reason: str) -> None:
    """The message has nothing of what signs the address."""
    with pytest.raises(CentralUnavailableError, match=reason) as failed:
        async for _ in Downloads(agent_version="0.1.0").pieces(f"{url}/{path}?token=1", 100):
            pass
    assert "token" not in str(failed.value)
