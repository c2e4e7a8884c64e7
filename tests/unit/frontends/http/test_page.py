"""The page and how it gets in: its files, the key of its own, and what its cookie may do."""

from __future__ import annotations

import re
from collections.abc import Iterator
from io import StringIO
from pathlib import Path

import pytest

from agent.access.gate import PAGE_PREFIX
from agent.access.keys import MAX_KEYS, KeyFile
from agent.access.pairing import Pairing
from agent.config.loader import Settings
from agent.config.settings import LogSettings
from agent.frontends.http.remote_page import FILES
from agent.host import log
from tests.support.api import Served

SIZE_LIMIT = 100_000

COOKIE = "cast_agent_{}"

PHONE = {"User-Agent": "Mozilla/5.0 (Linux; Android 16; Pixel 9)"}


@pytest.fixture
def logged() -> Iterator[StringIO]:
    """The log of an administrator: without the lines of the debug level."""
    stream = StringIO()
    log.configure(LogSettings(format="json", level="info"), stream=stream)
    yield stream
    log.configure(LogSettings(level="error"))


async def sign_in(api: Served, key: str) -> str:
    """Sign in, and return the key in the cookie."""
    async with api.client.post("/session", json={"key": key}, headers=PHONE) as answer:
        assert answer.status == 200, await answer.text()
        return str(answer.cookies[COOKIE.format(api.port)].value)


async def ask(api: Served, method: str, path: str, cookie: str, **headers: str) -> tuple[int, str]:
    """Status and code, with nothing to tell who calls but this cookie."""
    api.client.cookie_jar.clear()
    given = {"Cookie": f"{COOKIE.format(api.port)}={cookie}"} | {
        name.replace("_", "-"): value for name, value in headers.items()
    }
    async with api.client.request(method, path, headers=given) as answer:
        return answer.status, (await answer.json()).get("code", "")


def test_all_files_of_the_page_are_small() -> None:
    """Less than 100 kB in all; a file of a kind that is not served does not load."""
    assert sum(len(file.text.encode()) for file in FILES.values()) < SIZE_LIMIT


def test_no_two_elements_have_one_id() -> None:
    """A script would find the first one alone."""
    ids = re.findall(r'\bid="([^"]+)"', FILES["index.html"].text)
    assert len(ids) > 50
    assert [name for name in sorted(ids) if ids.count(name) > 1] == []


def test_the_page_asks_nobody_else() -> None:
    """No address of another host in any of its files but the name of a format; no script or style within the page."""
    for name, file in FILES.items():
        text = file.text.replace("http://www.w3.org/2000/svg", "").replace("https://example.org/film.mp4", "")
        text = text.replace("https:// or rtsp://", "")
        assert "://" not in text, name
    page = FILES["index.html"].text
    assert " style=" not in page
    assert "<style" not in page
    assert page.count("<script") == page.count('<script type="module" src=') == 1


async def test_the_page_is_open_to_all_and_allows_itself_nothing_else(api: Served, file: KeyFile) -> None:
    """It is open where a key is needed, too: it says how to get in. It is asked for each time, and sent only when it is
    new."""
    file.add("ha")
    async with api.client.get("/") as answer:
        assert (answer.status, answer.content_type) == (200, "text/html")
        policy = answer.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        tag = answer.headers["ETag"]
    async with api.client.get("/", headers={"If-None-Match": tag}) as answer:
        assert (answer.status, await answer.read()) == (304, b"")
    for name, kind in (("page.js", "text/javascript"), ("manifest.webmanifest", "application/manifest+json")):
        async with api.client.get(f"/page/{name}") as answer:
            assert (answer.status, answer.content_type) == (200, kind)


@pytest.mark.parametrize("name", ["nothing.js", "..%2Fapp.py", "%2Fetc%2Fpasswd", "__init__.py"])
async def test_only_files_of_the_page_are_served(api: Served, name: str) -> None:
    async with api.client.get(f"/page/{name}") as answer:
        assert (answer.status, (await answer.json())["code"]) == (404, "not_found")


async def test_a_key_gets_the_device_one_of_its_own(api: Served, file: KeyFile) -> None:
    """The cookie holds another key than the one that was typed, which scripts cannot read; revoking it ends it."""
    key = file.add("mine")
    async with api.client.post("/session", json={"key": key}, headers=PHONE) as answer:
        name = (await answer.json())["name"]
        cookie = answer.cookies[COOKIE.format(api.port)]
        assert answer.headers["Cache-Control"] == "no-store"
    assert name.startswith(f"{PAGE_PREFIX}android-")
    assert cookie.value != key
    assert (cookie["httponly"], cookie["samesite"], cookie["path"]) == (True, "Strict", "/")
    assert [known.name for known in file.read()] == ["mine", name]
    assert await ask(api, "GET", "/status", cookie.value) == (200, "")
    file.revoke(name)
    assert await ask(api, "GET", "/status", cookie.value) == (401, "unauthorized")


async def test_signing_out_revokes_the_key_of_the_page_alone(api: Served, file: KeyFile) -> None:
    """The page forgets the cookie. A key that was not made for a page stays, whoever asks with it."""
    key = file.add("mine")
    cookie = await sign_in(api, key)
    origin = f"http://127.0.0.1:{api.port}"
    assert await ask(api, "DELETE", "/session", cookie, Origin=origin) == (200, "")
    assert [known.name for known in file.read()] == ["mine"]
    async with api.client.delete("/session", headers={"X-API-Key": key}) as answer:
        assert answer.status == 200
        assert answer.cookies[COOKIE.format(api.port)].value == ""
    assert [known.name for known in file.read()] == ["mine"]


@pytest.mark.parametrize(
    ("method", "headers", "status"),
    [
        ("GET", {}, 200),
        ("GET", {"Sec_Fetch_Site": "same-origin"}, 200),
        ("GET", {"Sec_Fetch_Site": "none"}, 200),
        ("GET", {"Sec_Fetch_Site": "same-site"}, 403),
        ("GET", {"Sec_Fetch_Site": "cross-site"}, 403),
        ("GET", {"Origin": "http://127.0.0.1:1"}, 403),
        ("POST", {}, 403),
        ("POST", {"Origin": "null"}, 403),
        ("POST", {"Origin": "http://127.0.0.1:1"}, 403),
        ("POST", {"Sec_Fetch_Site": "same-site"}, 403),
        ("POST", {"Sec_Fetch_Site": "same-origin"}, 200),
    ],
)
async def test_a_cookie_counts_for_our_own_page_only(
    api: Served, file: KeyFile, method: str, headers: dict[str, str], status: int
) -> None:
    """A browser sends it also for a page on another port of this host: that one neither reads nor changes anything."""
    cookie = await sign_in(api, file.add("mine"))
    path = "/stop" if method == "POST" else "/status"
    code = "forbidden_origin" if status == 403 else ""
    assert await ask(api, method, path, cookie, **headers) == (status, code)
    assert len(api.tracker.stops) == (method == "POST" and status == 200)


async def test_the_page_itself_may_change_things(api: Served, file: KeyFile) -> None:
    """It may do so with the `Origin` that its browser sends."""
    cookie = await sign_in(api, file.add("mine"))
    assert await ask(api, "POST", "/stop", cookie, Origin=f"http://127.0.0.1:{api.port}") == (200, "")


async def test_wrong_keys_are_counted(api: Served, file: KeyFile) -> None:
    """The rule is that of all calls: a client that tries keys has to wait, and a right key is let in all the same."""
    key = file.add("mine")
    codes = []
    for _ in range(7):
        async with api.client.post("/session", json={"key": "cak_wrong"}) as answer:
            codes.append((await answer.json())["code"])
    assert codes[0] == "unauthorized"
    assert codes[-1] == "too_many_requests"
    assert await sign_in(api, key)


async def test_where_no_key_is_needed_none_is_made(api: Served, file: KeyFile) -> None:
    """The page on the box itself in protected mode."""
    async with api.client.post("/session", json={"key": "cak_any"}) as answer:
        assert (answer.status, (await answer.json())["name"]) == (200, None)
        assert not answer.cookies
    async with api.client.get("/session") as answer:
        assert (await answer.json()) == {"name": None}
    assert file.read() == ()


async def test_too_many_keys_are_refused_with_what_to_do(api: Served, file: KeyFile) -> None:
    keys = [file.add(f"key-{number}") for number in range(MAX_KEYS)]
    async with api.client.post("/session", json={"key": keys[0]}) as answer:
        assert answer.status == 507
        assert "Revoke one" in (await answer.json())["detail"]
    assert len(file.read()) == MAX_KEYS


async def test_a_link_pairs_one_device(api: Served, file: KeyFile, tmp_path: Path) -> None:
    """It needs no key and works from anywhere: the token is enough, once."""
    token = Pairing(tmp_path).offer()
    async with api.client.get("/pair") as answer:
        assert (answer.status, answer.content_type) == (200, "text/html")
    async with api.client.post("/pair", json={"token": token}, headers=PHONE) as answer:
        assert (answer.status, (await answer.json())["name"]) == (200, file.read()[0].name)
        cookie = answer.cookies[COOKIE.format(api.port)].value
    assert await ask(api, "GET", "/status", cookie) == (200, "")
    async with api.client.post("/pair", json={"token": token}) as answer:
        assert (answer.status, (await answer.json())["code"]) == (401, "unauthorized")
    assert len(file.read()) == 1


async def test_wrong_links_are_counted(api: Served, tmp_path: Path) -> None:
    """Whoever tries tokens has to wait; a right one is let in all the same."""
    codes = []
    for number in range(7):
        async with api.client.post("/pair", json={"token": f"cap_{number}"}) as answer:
            codes.append((await answer.json())["code"])
    assert (codes[0], codes[-1]) == ("unauthorized", "too_many_requests")
    async with api.client.post("/pair", json={"token": Pairing(tmp_path).offer()}) as answer:
        assert answer.status == 200


async def test_only_the_page_itself_may_pair(api: Served, tmp_path: Path) -> None:
    """A page of another site that got hold of a link may not."""
    body = {"token": Pairing(tmp_path).offer()}
    async with api.client.post("/pair", json=body, headers={"Origin": "http://evil.example"}) as answer:
        assert (answer.status, (await answer.json())["code"]) == (403, "forbidden_origin")
    async with api.client.post("/pair", json=body) as answer:
        assert answer.status == 200


async def test_an_open_page_fills_no_log(api: Served, logged: StringIO) -> None:
    """It asks for a picture each second: only one that cannot be had is worth a line."""
    for path in ("/", "/page/page.js", "/snapshot"):
        async with api.client.get(path) as answer:
            assert answer.status == 200
    assert [line for line in logged.getvalue().splitlines() if "page.js" in line or "snapshot" in line] == []
    async with api.client.get("/snapshot?width=0") as answer:
        assert answer.status == 422
    assert "/snapshot" in logged.getvalue()


async def test_settings_are_shown(api: Served) -> None:
    """The settings in force are listed by name, without those that hold secrets."""
    async with api.client.get("/settings") as answer:
        settings = (await answer.json())["settings"]
    assert settings["api.auth"] == "keys"
    assert settings["player.start_timeout"] == Settings().player.start_timeout
    assert not {"webhook", "preset"} & {key.partition(".")[0] for key in settings}
