"""The address of a video, as the central API tells it: on itself, or on the server that has its videos."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from aiohttp import web
from pydantic import ValidationError

from agent.reporting.central.client import VideoSource
from agent.reporting.central.credentials import Credentials
from agent.reporting.central.download import Downloads
from agent.reporting.central.lookup import Lookup

FACTS = {"title": "Film", "type": "video/mp4", "size": 6, "sha256": "0" * 64}
SIGNED = "?X-Amz-Credential=a%2Fb&X-Amz-Signature=5ec7e7"


@pytest.fixture
async def central() -> AsyncIterator[str]:
    """A central API whose videos are on a server of signed addresses."""

    async def source(request: web.Request) -> web.Response:
        return web.json_response(FACTS | {"path": None, "url": f"http://{request.host}/cast/videos/1{SIGNED}"})

    async def film(request: web.Request) -> web.Response:
        assert request.raw_path.endswith(SIGNED)  # one sign that is written otherwise, and the signature is another
        headers = {"Content-Range": "bytes 2-5/6"}
        return web.Response(status=206, body=b"film", headers=headers)

    app = web.Application()
    app.router.add_get("/api/v1/videos/1/source", source)
    app.router.add_get("/cast/videos/1", film)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    await runner.cleanup()


async def test_a_video_on_another_server_is_found_and_fetched(central: str) -> None:
    """With the address as it is, and nothing shows what signs it."""

    async def registered() -> Credentials:
        return Credentials(url=central, device_id="01a1fd12-eb6c-748a-a719-cf4ecab6bccb", token="dt_1", name="Kitchen")

    lookup = Lookup(registered=registered, problem=lambda: None, agent_version="0.1.0")
    try:
        video = await lookup.find_video("1")
    finally:
        await lookup.close()
    assert video.url == f"{central}/cast/videos/1{SIGNED}"
    assert "5ec7e7" not in repr(video)
    assert b"".join([piece async for piece in Downloads(agent_version="0.1.0").pieces(video.url, 2)]) == b"film"


def test_an_address_is_one_of_two() -> None:
    """A path on the central API, or a whole address; nothing else, and not both."""
    path = VideoSource.model_validate(FACTS | {"path": "/api/v1/videos/1/file?token=1"})
    assert path.address_at("http://central") == "http://central/api/v1/videos/1/file?token=1"
    assert "token" not in repr(path)
    for wrong in ({}, {"path": "/api/v1/videos/1", "url": "http://s3/1"}, {"url": "file:///etc/passwd"}, {"path": "/"}):
        with pytest.raises(ValidationError):
            VideoSource.model_validate(FACTS | wrong)
