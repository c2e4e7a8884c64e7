"""Logging in to the page: what the cookie opens, for how long, and for whose requests."""

from __future__ import annotations

import asyncio
import io
from datetime import timedelta

import pytest
from sqlalchemy import func, select

from central.core.limits import MISSES
from central.core.log import configure
from central.core.secrets import SESSION_COOKIE, digest
from central.core.settings import LogSettings
from central.core.types import Role
from central.page import sessions
from central.page.tables import PageSession
from tests.central.support.service import Answered, Central, Client, served

OURS = {"Sec-Fetch-Site": "same-origin"}
SESSION = "/api/v1/session"


async def log_in(central: Central, key: str | None, **headers: str) -> Answered:
    return await central.anybody("POST", SESSION, {"key": key}, headers=headers)


def page(central: Central, answer: Answered, headers: dict[str, str] = OURS) -> Client:
    """The page that was answered so: it sends nothing but its cookie."""
    return Client(central.session, None, {"Cookie": answer.headers["Set-Cookie"].partition(";")[0], **headers})


async def test_a_cookie_opens_what_its_key_opens(central: Central) -> None:
    """Admins and uploaders, each as the key that was typed; no script sees the cookie, and no other site sends it."""
    uploader = await central.services.access.add_key("camera", Role.UPLOADER)
    for key, role, status in ((central.admin.token, "admin", 200), (uploader, "uploader", 403)):
        answer = await log_in(central, key)
        assert (answer.status, answer["role"]) == (200, role)
        value, *attributes = answer.headers["Set-Cookie"].split("; ")
        assert attributes == ["Path=/", "Max-Age=2592000", "HttpOnly", "SameSite=Strict"]
        assert str(key) not in value
        assert answer.headers["Cache-Control"] == "no-store"
        of_page = page(central, answer)
        assert (await of_page("GET", SESSION)).body == answer.body
        assert (await of_page("GET", "/api/v1/videos")).status == 200
        assert (await of_page("GET", "/api/v1/devices")).status == status
    assert answer["name"] == "camera"


async def test_a_session_ends_with_its_key_its_time_or_a_log_out(central: Central) -> None:
    """Whichever is first; another session of the same key goes on after a log-out."""
    key = await central.services.access.add_key("laptop")
    one, other = page(central, await log_in(central, key)), page(central, await log_in(central, key))
    left = await one("DELETE", SESSION)
    assert (left.status, left.headers["Set-Cookie"].partition(";")[0]) == (204, f"{SESSION_COOKIE}=")
    assert (await one("GET", SESSION)).status == 401
    assert (await other("GET", SESSION)).status == 200
    await central.services.access.revoke_key("laptop")
    assert (await other("GET", SESSION)).status == 401
    late = page(central, await log_in(central, central.admin.token))
    central.clock.forward((sessions.VALID_FOR - timedelta(seconds=1)).total_seconds())
    assert (await late("GET", SESSION)).status == 200
    central.clock.forward(1)
    assert (await late("GET", SESSION)).status == 401


async def rows(central: Central) -> int:
    async with central.services.database.read() as session:
        return await session.scalar(select(func.count()).select_from(PageSession)) or 0


async def test_sessions_are_bounded_hashed_and_swept(central: Central, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of one key so many, also of log-ins at once; the oldest ends. What has expired is deleted."""
    monkeypatch.setattr(sessions, "LIMIT", 3)
    first = await log_in(central, central.admin.token)
    central.clock.forward(1)
    made = await asyncio.gather(*(log_in(central, central.admin.token) for _ in range(4)))
    assert [answer.status for answer in made] == [200] * 4
    assert await rows(central) == 3
    assert (await page(central, first)("GET", SESSION)).status == 401
    async with central.services.database.read() as session:
        hashes = set(await session.scalars(select(PageSession.token_hash)))
    tokens = {answer.headers["Set-Cookie"].partition(";")[0].partition("=")[2] for answer in made}
    assert hashes < {digest(token) for token in tokens}
    central.clock.forward(sessions.VALID_FOR.total_seconds() + 1)
    await sessions.Sessions(central.services.database, central.services.access, now=central.clock).upkeep()
    assert await rows(central) == 0


@pytest.mark.parametrize(
    ("method", "headers", "status"),
    [
        ("GET", {}, 200),
        ("GET", {"Sec-Fetch-Site": "same-site"}, 403),
        ("GET", {"Sec-Fetch-Site": "cross-site"}, 403),
        ("POST", {}, 403),
        ("POST", {"Origin": "null"}, 403),
        ("POST", {"Origin": "http://127.0.0.1:1"}, 403),
        ("POST", {"Sec-Fetch-Site": "same-site"}, 403),
        ("POST", {"Sec-Fetch-Site": "none"}, 201),
        ("POST", {"Origin": "ours"}, 201),
    ],
)
async def test_a_cookie_counts_for_our_own_page_only(
    sqlite_url: str, method: str, headers: dict[str, str], status: int
) -> None:
    """A browser sends it also for a page on another port of this host; a caller with a key may be from anywhere."""
    async with served(sqlite_url) as central:
        headers = {name: value.replace("ours", central.url) for name, value in headers.items()}
        answer = await log_in(central, central.admin.token)
        body = {"name": "Front door"} if method == "POST" else None
        done = await page(central, answer, headers)(method, "/broadcasters", body)
        assert done.status == status
        assert status != 403 or done["code"] == "forbidden_origin"
        with_key = await central.admin("GET", "/broadcasters", headers=headers)
        assert with_key.status == 200


async def test_wrong_keys_are_counted(central: Central) -> None:
    """Whoever tries keys has to wait; the tokens of boxes and of sessions are no keys."""
    box = await central.box()
    assert (await log_in(central, box.token))["code"] == "forbidden"
    session = (await log_in(central, central.admin.token)).headers["Set-Cookie"].partition(";")[0].partition("=")[2]
    answers = [await log_in(central, session), *[await log_in(central, "ak_wrong") for _ in range(MISSES)]]
    assert [answer["code"] for answer in answers] == ["unauthorized"] * MISSES + ["too_many_requests"]
    assert "wrong keys" in answers[-1]["detail"]
    assert int(answers[-1].headers["Retry-After"]) > 0


async def test_the_secret_of_the_api_logs_in_until_it_is_changed(sqlite_url: str) -> None:
    """Where a proxy with TLS stands before the service, the cookie never leaves it unencrypted."""
    api = {"host": "127.0.0.1", "port": 0, "secret": "a-secret-of-the-tests", "trusted_proxies": ["127.0.0.1"]}
    async with served(sqlite_url, api=api) as central:
        answer = await log_in(central, api["secret"], **{"X-Forwarded-Proto": "https"})  # type: ignore[arg-type]
        assert answer.body == {"name": "api.secret", "role": "admin"}
        assert answer.headers["Set-Cookie"].endswith("; Secure")
        assert (await page(central, answer)("GET", "/api/v1/devices")).status == 200
    async with served(sqlite_url, api=api | {"secret": "another-secret-of-the-tests"}) as central:
        assert (await page(central, answer)("GET", "/api/v1/devices")).status == 401


async def test_no_session_gets_into_the_log(sqlite_url: str) -> None:
    """Neither the key that was typed nor the cookie that was given for it."""
    stream = io.StringIO()
    configure(LogSettings(format="json", level="debug"), stream=stream)
    async with served(sqlite_url) as central:
        answer = await log_in(central, central.admin.token)
        token = answer.headers["Set-Cookie"].partition(";")[0].partition("=")[2]
        await page(central, answer)("GET", f"/nothing/{token}", headers={"X-Request-ID": token})
        await page(central, answer)("DELETE", SESSION)
    text = stream.getvalue()
    assert "page_session_started" in text
    assert "page_session_ended" in text
    assert token not in text
    assert str(central.admin.token) not in text
