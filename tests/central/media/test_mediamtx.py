"""The real MediaMTX with the example configuration, and ffmpeg publishing to it; skipped where there is none."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from aiohttp import ClientSession

from tests.central.support.mediamtx import MediaMtxProcess, free_port, publisher, real_mediamtx
from tests.central.support.service import Central, served
from tests.support.tools import LOOK_EVERY_S, program

BINARY = program("mediamtx")

pytestmark = pytest.mark.skipif(
    BINARY is None,
    reason="THE REAL MEDIAMTX WAS NOT TESTED: put `mediamtx` (1.19 or newer) on the PATH, or name it in MEDIAMTX",
)

SECRET = "a-secret-of-the-tests"
GRACE_S = 10.0
SOON_S = 15.0
"""A publisher needs a second or two until its stream is ready; a refused one is made to wait up to 4 s."""


@pytest.fixture
async def both(request: pytest.FixtureRequest, sqlite_url: str) -> AsyncIterator[tuple[Central, MediaMtxProcess]]:
    """Central, and a MediaMTX that asks it; with a secret, which may be wrong."""
    assert BINARY is not None
    api_port = free_port()
    settings = {"api_url": f"http://127.0.0.1:{api_port}", "public_url": "http://127.0.0.1", "reconcile": 1.0}
    secret = getattr(request, "param", SECRET)
    async with (
        served(sqlite_url, mediamtx=settings | {"secret": SECRET}) as central,
        real_mediamtx(
            BINARY, api_port=api_port, central_url=central.url.replace("://", f"://mediamtx:{secret}@")
        ) as media,
    ):
        yield central, media


async def eventually(look: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(SOON_S):
        while not await look():
            await asyncio.sleep(LOOK_EVERY_S)


def paths_on(central: Central) -> Callable[[], Awaitable[list[str]]]:
    async def paths() -> list[str]:
        return sorted(stream["path"] for stream in (await central.admin("GET", "/streams"))["items"])

    return paths


async def test_publishers_of_the_real_mediamtx(both: tuple[Central, MediaMtxProcess]) -> None:
    """RTSP and RTMP with keys come on the air with addresses, a second publisher and a stranger do not, a publisher
    that leaves is gone, and a revoked key throws its publisher out."""
    central, media = both
    paths = paths_on(central)
    door, radio = await central.key(name="door"), await central.key(name="radio")
    by_rtsp = f"rtsp://any:{door['key']}@127.0.0.1:{media.rtsp}/live/door"
    by_rtmp = f"rtmp://127.0.0.1:{media.rtmp}/live/radio?user=any&pass={radio['key']}"

    async with publisher(by_rtsp, kind="rtsp") as first, publisher(by_rtmp, kind="flv") as second:
        await eventually(lambda: _are(paths, ["live/door", "live/radio"]))
        streams = {stream["path"]: stream for stream in (await central.admin("GET", "/streams"))["items"]}
        assert streams["live/door"]["stream_key_id"] == door["id"]
        assert streams["live/radio"]["urls"]["hls"] == "http://127.0.0.1:8888/live/radio/index.m3u8"

        # A key in use, and no key at all: refused, whatever the path.
        for address in (by_rtsp, by_rtsp.replace("live/door", "live/other"), f"rtsp://127.0.0.1:{media.rtsp}/live/x"):
            async with publisher(address, kind="rtsp") as refused, asyncio.timeout(SOON_S):
                assert await refused.wait() != 0
        assert await paths() == ["live/door", "live/radio"]
        assert first.returncode is None
        assert second.returncode is None

        # Whoever may view can.
        probe = await asyncio.create_subprocess_exec(
            "ffprobe", "-v", "error", "-rtsp_transport", "tcp", "-show_entries", "stream=codec_name", "-of", "csv=p=0",
            f"rtsp://127.0.0.1:{media.rtsp}/live/door", stdout=asyncio.subprocess.PIPE,
        )  # fmt: skip
        async with asyncio.timeout(SOON_S):
            assert (await probe.communicate())[0].strip() == b"h264"

        # Revoked: its stream has ended at once, its connection soon, and it does not come back.
        assert (await central.admin("DELETE", f"/stream-keys/{radio['id']}"))["status"] == "revoked"
        assert await paths() == ["live/door"]
        async with asyncio.timeout(SOON_S):
            assert await second.wait() != 0

    await eventually(lambda: _waits(central, "live/door"))
    central.clock.forward(GRACE_S + 1)
    await eventually(lambda: _are(paths, []))
    listed = (await central.admin("GET", "/api/v1/streams"))["items"]
    assert {stream["path"]: stream["end_reason"] for stream in listed} == {
        "live/door": "unpublished",
        "live/radio": "key_revoked",
    }
    # The key is free again at once, for another path too.
    async with publisher(by_rtsp.replace("live/door", "live/window"), kind="rtsp"):
        await eventually(lambda: _are(paths, ["live/window"]))
    log = media.log.read_text()
    assert door["key"] not in log
    assert radio["key"] not in log


async def test_what_the_real_mediamtx_could_not_tell_is_made_good(both: tuple[Central, MediaMtxProcess]) -> None:
    """Its calls about a stream are lost both ways (here: undone in the database), and it shows all the same."""
    central, media = both
    paths = paths_on(central)
    key = await central.key()
    async with publisher(f"rtsp://any:{key['key']}@127.0.0.1:{media.rtsp}/live/door", kind="rtsp"):
        await eventually(lambda: _are(paths, ["live/door"]))
        async with ClientSession() as session, session.get(f"{media.api}/v3/paths/list") as answer:
            source = (await answer.json())["items"][0]["source"]
        await central.services.media.publishing.not_ready("live/door", connection_id=source["id"])
        # Nobody holds the key now, so whoever is there was not let in: it is thrown out.
        await eventually(lambda: _is_gone(media))


@pytest.mark.parametrize("both", ["the-wrong-secret"], indirect=True)
async def test_a_mediamtx_with_the_wrong_secret_is_not_answered(both: tuple[Central, MediaMtxProcess]) -> None:
    """It does send what stands in the address before the @."""
    central, media = both
    key = await central.key()
    address = f"rtsp://any:{key['key']}@127.0.0.1:{media.rtsp}/live/door"
    async with publisher(address, kind="rtsp") as refused, asyncio.timeout(SOON_S):
        assert await refused.wait() != 0
    assert (await central.admin("GET", f"/stream-keys/{key['id']}"))["last_used"] is None


async def _are(paths: Callable[[], Awaitable[list[str]]], expected: list[str]) -> bool:
    return await paths() == expected


async def _waits(central: Central, path: str) -> bool:
    """Return True if its publisher is away."""
    streams = (await central.admin("GET", "/streams"))["items"]
    return any(stream["path"] == path and stream["interrupted_at"] is not None for stream in streams)


async def _is_gone(media: MediaMtxProcess) -> bool:
    async with ClientSession() as session, session.get(f"{media.api}/v3/paths/list") as answer:
        return not (await answer.json())["items"]
