"""The fate of a URL whose host has a name in `.local`: the network and the system are scripted."""

from __future__ import annotations

import asyncio
import time

import pytest

from agent.discovery import local_names
from agent.discovery.local_names import LocalNames
from agent.errors import MediaError
from agent.types import ErrorCode


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> LocalNames:
    async def ask(self: LocalNames, host: str) -> str:
        return {"nas.local": "10.0.0.7", "six.local": "fd00::7"}.get(host, "")

    monkeypatch.setattr(LocalNames, "address", ask)
    monkeypatch.setattr(local_names, "_knows", lambda host: False)
    return LocalNames()


@pytest.mark.parametrize(
    ("url", "located"),
    [
        ("http://nas.local:8080/film.mp4?x=1#t", "http://10.0.0.7:8080/film.mp4?x=1#t"),
        ("http://NAS.local/film.mp4", "http://10.0.0.7/film.mp4"),
        ("rtsp://admin:s%40cret@nas.local/ch0", "rtsp://admin:s%40cret@10.0.0.7/ch0"),
        ("rtmp://six.local:1935/live/a", "rtmp://[fd00::7]:1935/live/a"),
        ("http://nas.lan/film.mp4", "http://nas.lan/film.mp4"),
        ("http://10.0.0.7/nas.local/film.mp4", "http://10.0.0.7/nas.local/film.mp4"),
        ("file:///media/nas.local/film.mp4", "file:///media/nas.local/film.mp4"),
    ],
)
async def test_only_the_host_is_another(names: LocalNames, url: str, located: str) -> None:
    """All else stays as it is: the port, the path, the password; and so does any other kind of address."""
    assert await names.locate(url) == located


async def test_a_name_that_the_system_knows_stays(names: LocalNames, monkeypatch: pytest.MonkeyPatch) -> None:
    """Players find the host themselves where nss-mdns is installed, and the server is told its name."""

    def slowly(host: str) -> bool:
        time.sleep(0.1)
        return True

    monkeypatch.setattr(local_names, "_knows", slowly)
    assert await names.locate("http://nas.local/film.mp4") == "http://nas.local/film.mp4"


async def test_a_resolver_that_hangs_is_not_waited_for(names: LocalNames, monkeypatch: pytest.MonkeyPatch) -> None:
    """The answer of mDNS counts when the system says nothing."""

    def slow(host: str) -> bool:
        time.sleep(0.5)
        return False

    monkeypatch.setattr(local_names, "SYSTEM_LATER_S", 0.05)
    monkeypatch.setattr(local_names, "_knows", slow)
    async with asyncio.timeout(0.4):
        assert await names.locate("http://nas.local/film.mp4") == "http://10.0.0.7/film.mp4"


@pytest.mark.parametrize(
    ("url", "code", "words"),
    [
        (
            "http://nobody.local/film.mp4",
            ErrorCode.MEDIA_NETWORK,
            "No device on the network answers to the name 'nobody",
        ),
        ("https://nas.local/film.mp4", ErrorCode.MEDIA_FORBIDDEN, "https needs the name itself: install libnss-mdns"),
        ("rtsps://nas.local/ch0", ErrorCode.MEDIA_FORBIDDEN, "rtsps needs the name itself"),
    ],
)
async def test_what_cannot_be_had_is_said(names: LocalNames, url: str, code: ErrorCode, words: str) -> None:
    """A name that nobody has, and a certificate that is for the name, end with what to do."""
    with pytest.raises(MediaError) as caught:
        await names.locate(url)
    assert caught.value.failure.code is code, "who has not been switched on yet may come, a certificate does not change"
    assert words in str(caught.value)
