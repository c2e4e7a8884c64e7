"""Behind nginx and HAProxy, as packages have them and as the documentation has them configured."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

import pytest
from aiohttp import ClientSession, TCPConnector

from tests.central.support.proxies import RECOMMENDED, proxy
from tests.central.support.service import served

SECRET = "a secret of sixteen and more".replace(" ", "-")
DOCUMENTATION = Path(__file__).parents[3] / "docs" / "central.md"

CASES = [
    ("nginx", ""),
    ("nginx", RECOMMENDED["nginx"]),
    ("haproxy", RECOMMENDED["haproxy"]),
]
CLAIMS = [
    {},
    {"X-Forwarded-For": "127.0.0.1"},
    {"X-Forwarded-For": "127.0.0.2"},
    {"X-Forwarded-For": "192.0.2.1, 127.0.0.1"},
    {"Forwarded": "for=127.0.0.1"},
    {"X-Real-IP": "127.0.0.1"},
]
"""The headers of a client that claims another address."""


@pytest.mark.parametrize("trusted", [False, True], ids=["unknown", "trusted"])
@pytest.mark.parametrize(("kind", "more"), CASES)
async def test_nobody_becomes_local_through_a_proxy(database_url: str, kind: str, more: str, trusted: bool) -> None:
    """Neither for MediaMTX's calls nor for the numbers, whatever a client claims."""
    api = {"host": "127.0.0.1", "port": 0, "trusted_proxies": ["127.0.0.1"] if trusted else []}
    async with served(database_url, api=api) as central:
        with proxy(kind, urlsplit(central.url).port or 0, more=more) as url:
            async with ClientSession(url) as outside:
                for claim in CLAIMS:
                    async with outside.post("/webhook/not-ready", json={"path": "x"}, headers=claim) as answer:
                        assert answer.status == 401, claim
                    async with outside.post("/auth", json={"action": "publish"}, headers=claim) as answer:
                        assert answer.status == 401, claim
                    async with outside.get("/metrics", headers=claim) as answer:
                        assert answer.status == 401, claim


@pytest.mark.parametrize(("kind", "more"), [*CASES, ("haproxy", "")])
async def test_with_a_secret_it_is_what_counts(database_url: str, kind: str, more: str) -> None:
    """Also behind a proxy that adds nothing to a request and cannot be told from a program on this machine."""
    async with served(database_url, mediamtx={"secret": SECRET}) as central:
        with proxy(kind, urlsplit(central.url).port or 0, more=more) as url:
            async with ClientSession(url) as outside:
                for headers, expected in (({}, 401), ({"Authorization": f"Bearer {SECRET}"}, 200)):
                    async with outside.post("/webhook/not-ready", json={"path": "x"}, headers=headers) as answer:
                        assert answer.status // 100 == expected // 100


@pytest.mark.parametrize("kind", ["nginx", "haproxy"])
async def test_a_trusted_proxy_tells_the_client(database_url: str, kind: str) -> None:
    """Wrong codes are counted for the client that the proxy heard, and not for one that the client invents."""
    api = {"host": "127.0.0.1", "port": 0, "trusted_proxies": ["127.0.0.1"]}
    async with served(database_url, api=api) as central:
        box = await central.box()
        with proxy(kind, urlsplit(central.url).port or 0, more=RECOMMENDED[kind]) as url:
            token, away = {"Authorization": f"Bearer {box.token}"}, TCPConnector(local_addr=("127.0.0.2", 0))
            async with ClientSession(url, headers=token, connector=away) as outside:
                for number in range(3):
                    claim = {"X-Forwarded-For": f"198.51.100.{number}"}
                    async with outside.get("/api/v1/streams/BBBBBB", headers=claim) as answer:
                        assert answer.status == 404
        assert list(central.services.streams.misses_behind.callers) == ["127.0.0.2"]


@pytest.mark.parametrize("kind", ["nginx", "haproxy"])
def test_the_documentation_has_what_is_tested(kind: str) -> None:
    """Line by line."""
    text = DOCUMENTATION.read_text()
    for line in RECOMMENDED[kind].split("; "):
        assert line.rstrip(";") in text
