"""The gate of the API on real sockets: keys, protected mode, wrong keys, and what the log tells of all that."""

from __future__ import annotations

import asyncio
import json
import socket
from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path

import pytest

from agent.access import gate as gate_module
from agent.access import uses as uses_module
from agent.access.gate import Gate, GateError
from agent.access.keys import KeyFile
from agent.access.throttle import ADDRESSES, FORGET_AFTER_S, FREE_TRIES, LONGEST_WAIT_S, Refusals
from agent.config.settings import ApiSettings
from agent.types import Auth, ErrorCode
from tests.support.api import Served, served
from tests.support.tools import LOOK_EVERY_S


def lan_address() -> str:
    """An address of this machine that is not loopback; skips the test when it has none."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # sends nothing
        except OSError:
            pytest.skip("this machine has no network")
        return str(probe.getsockname()[0])


async def ask(api: Served, headers: dict[str, str] | None = None, path: str = "/status") -> tuple[int, str]:
    """Status and code, empty when there is none."""
    async with api.client.get(path, headers=headers) as answer:
        return answer.status, (await answer.json()).get("code", "")


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


@pytest.mark.parametrize("path", ["/status", "/health", "/snapshot", "/nothing"])
async def test_with_keys_nothing_is_open_but_liveness(api: Served, file: KeyFile, path: str) -> None:
    """Once there is a key, even the box itself needs one, even for a path that does not exist."""
    file.add("ha")
    assert await ask(api, path=path) == (401, "unauthorized")
    async with api.client.post("/start", json={"url": "http://nas/x"}) as answer:
        assert answer.status == 401
    assert not api.tracker.requests
    async with api.client.get("/health/live", headers={"Host": "anything.example"}) as answer:
        assert (answer.status, await answer.json()) == (200, {"status": "alive", "auth": "key"})


async def test_a_key_comes_in_either_header(api: Served, file: KeyFile) -> None:
    """`Authorization: Bearer` in any case or `X-API-Key`; one right key among several is enough."""
    key = file.add("ha")
    for headers in (
        bearer(key),
        {"Authorization": f"bearer   {key} "},
        {"x-api-key": key},
        {"X-API-Key": "cak_old", **bearer(key)},
        {"X-API-Key": key, "Authorization": "Basic dHY6dHY="},  # a proxy's
    ):
        assert await ask(api, headers) == (200, ""), headers


async def test_what_is_no_key_is_refused(api: Served, file: KeyFile) -> None:
    """The answer has a sentence that says what to do, and the header that RFC 9110 asks for."""
    key = file.add("ha")
    for headers, says in (
        ({}, "cast-agent key add"),
        ({"Authorization": "Bearer"}, "asks for a key"),
        ({"Authorization": f"Basic {key}"}, "asks for a key"),
        ({"X-API-Key": " "}, "asks for a key"),
        (bearer(key[:-1]), "does not know"),
        (bearer(key.lower()), "does not know"),
    ):
        async with api.client.get("/status", headers=headers) as answer:
            problem = await answer.json()
            assert (answer.status, problem["code"]) == (401, "unauthorized"), headers
            assert says in problem["detail"]
            assert answer.headers["WWW-Authenticate"].startswith("Bearer")
            assert key not in json.dumps(problem)


async def test_a_key_in_the_address_is_none(api: Served, file: KeyFile) -> None:
    """Addresses get into logs and histories."""
    key = file.add("ha")
    assert (await ask(api, path=f"/status?key={key}"))[0] == 401


async def test_a_revoked_key_is_refused_on_a_connection_that_is_kept(api: Served, file: KeyFile) -> None:
    """Each request is looked at, not each connection."""
    key, other = file.add("ha"), file.add("other")
    reader, writer = await asyncio.open_connection(api.host, api.port)
    try:
        for number, expected in enumerate((200, 200, 401)):
            if number == 2:
                file.revoke("ha")
            writer.write(f"GET /status HTTP/1.1\r\nHost: {api.host}\r\nX-API-Key: {key}\r\n\r\n".encode())
            async with asyncio.timeout(5):
                head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
                await reader.readexactly(int(head.split("content-length: ")[1].split()[0]))
            assert head.startswith(f"http/1.1 {expected} ")
    finally:
        writer.close()
    assert await ask(api, bearer(other)) == (200, "")


async def test_with_a_key_every_name_is_answered(api: Served, file: KeyFile) -> None:
    """A page under a foreign name has no key; a proxy may call the box as it likes. Foreign pages stay outside."""
    key = file.add("ha")
    assert await ask(api, {"Host": "tv.example", **bearer(key)}) == (200, "")
    assert await ask(api, {"Origin": "http://evil.example", **bearer(key)}) == (403, "forbidden_origin")


async def test_wrong_keys_wait_and_a_right_one_never_does(api: Served, file: KeyFile) -> None:
    """After some wrong keys from one address the next ones are answered 429 and when to come again; a right key from
    the same address, or through the same router, is let in at any time."""
    key = file.add("ha")
    for _ in range(FREE_TRIES):
        assert await ask(api, bearer("cak_wrong")) == (401, "unauthorized")
    async with api.client.get("/status", headers=bearer("cak_wrong")) as answer:
        assert (answer.status, (await answer.json())["code"]) == (429, "too_many_requests")
        assert answer.headers["Retry-After"] == "2"
    assert await ask(api, bearer(key)) == (200, "")
    assert await ask(api) == (401, "unauthorized")
    assert await ask(api, bearer("cak_wrong")) == (429, "too_many_requests")
    assert await ask(api, bearer("cak_wrong"), "/health/live") == (200, "")


async def test_refusals_are_logged_once_and_without_the_key(api: Served, file: KeyFile, logged: StringIO) -> None:
    """A warning for the first of a kind from an address, then debug; who is let in is named by the key's name."""
    key = file.add("ha")
    for headers in (bearer("cak_wrongwrong"), bearer("cak_wrongwrong"), {"Host": "x", **bearer("cak_wrongwrong")}):
        await ask(api, headers)
    await ask(api, bearer(key), f"/{key}")
    await ask(api, {"Origin": "http://evil.example"})
    lines = [json.loads(line) for line in logged.getvalue().splitlines()]
    requests = [line for line in lines if line["event"] == "request_completed"]
    assert [(line["level"], line.get("code")) for line in requests] == [
        ("warning", "unauthorized"),
        ("debug", "unauthorized"),
        ("debug", "unauthorized"),
        ("info", None),
        ("warning", "forbidden_origin"),
    ]
    assert requests[3]["caller"] == "ha"
    assert "wrongwrong" not in logged.getvalue()
    assert key[4:] not in logged.getvalue()


async def test_protected_mode_answers_only_the_box(tmp_path: Path) -> None:
    """Without a key a peer of the network gets a 403 on everything but the liveness call; with one it is let in."""
    async with served(host=lan_address(), folder=tmp_path) as api:
        assert await ask(api) == (403, "protected_mode")
        assert await ask(api, bearer("cak_any")) == (403, "protected_mode")
        async with api.client.get("/health/live", headers={"Host": "anything.example"}) as answer:
            assert await answer.json() == {"status": "alive", "auth": "closed"}
        key = KeyFile(tmp_path).add("ha")
        assert await ask(api) == (401, "unauthorized")
        assert await ask(api, bearer(key)) == (200, "")
        KeyFile(tmp_path).revoke("ha")
        assert await ask(api, bearer(key)) == (403, "protected_mode")


async def test_auth_none_opens_it_to_the_network(tmp_path: Path) -> None:
    """With auth "none" everybody is let in, under names of ours, whether there are keys or not."""
    KeyFile(tmp_path).add("ha")
    async with served(host=lan_address(), settings=ApiSettings(auth="none"), folder=tmp_path) as api:
        assert await ask(api) == (200, "")
        assert await ask(api, bearer("cak_wrong")) == (200, "")
        assert await ask(api, {"Host": "evil.example"}) == (403, "forbidden_host")
        async with api.client.get("/health/live") as answer:
            assert (await answer.json())["auth"] == "none"


@pytest.mark.parametrize("peer", ["127.0.0.1", "127.8.8.8", "::1", "::ffff:127.0.0.1"])
def test_the_box_itself_is_let_in(file: KeyFile, peer: str) -> None:
    """In protected mode every loopback address is the box itself."""
    assert Gate(file, settings=ApiSettings).admit([], peer=peer, port=8090) is None


@pytest.mark.parametrize("peer", ["192.168.1.7", "::ffff:192.168.1.7", "fe80::1%eth0", "", "localhost"])
def test_peers_of_the_network_are_not_let_in(file: KeyFile, peer: str) -> None:
    """Protected mode answers nobody else, and says how to open it."""
    with pytest.raises(GateError, match=r"cast-agent key add.*http://127\.0\.0\.1:8090") as caught:
        Gate(file, settings=ApiSettings).admit([], peer=peer, port=8090)
    assert caught.value.failure.code == "protected_mode"


async def test_a_change_is_told(file: KeyFile, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever announces what is needed to get in hears of each change, without any request, and of nothing else."""
    monkeypatch.setattr(gate_module, "WATCH_EVERY_S", 0.01)
    told: asyncio.Queue[Auth] = asyncio.Queue()
    settings = [ApiSettings()]
    gate = Gate(file, settings=lambda: settings[0])
    gate.on_change = lambda: told.put_nowait(gate.auth)
    gate.start()
    try:
        async with asyncio.timeout(5):
            assert await told.get() is Auth.CLOSED
            file.add("a")
            assert await told.get() is Auth.KEY
            file.add("b")
            file.revoke("a")
            settings[0] = ApiSettings(auth="none")
            assert await told.get() is Auth.NONE
            settings[0] = ApiSettings()
            assert await told.get() is Auth.KEY
            file.revoke("b")
            assert await told.get() is Auth.CLOSED
        assert told.empty()
    finally:
        await gate.stop()
        await gate.stop()


async def test_the_use_of_a_key_is_noted_once_an_hour(file: KeyFile, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first use is in the file soon; the next ones of the same hour write nothing, one after that does."""
    monkeypatch.setattr(gate_module, "WATCH_EVERY_S", 0.01)
    key = file.add("ha")
    gate = Gate(file, settings=ApiSettings)
    gate.start()
    try:
        gate.admit([key], peer="192.0.2.1", port=1)
        first = await _noted(file, after=None)
        assert abs(datetime.now(UTC) - first) < timedelta(minutes=1)
        written = file.path.stat().st_ino
        for _ in range(50):
            gate.admit([key], peer="192.0.2.1", port=1)
            await asyncio.sleep(0.002)  # ten writes could be made meanwhile
        assert file.path.stat().st_ino == written
        monkeypatch.setattr(uses_module, "USE_NOTED_EVERY", timedelta(0))
        await asyncio.sleep(1.1)  # times are kept to the second
        gate.admit([key], peer="192.0.2.1", port=1)
        assert await _noted(file, after=first) > first
    finally:
        await gate.stop()


async def _noted(file: KeyFile, *, after: datetime | None) -> datetime:
    async with asyncio.timeout(5):
        while (noted := file.read()[0].last_used_at) == after:
            await asyncio.sleep(LOOK_EVERY_S)
    assert noted is not None
    return noted


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_the_wait_grows_to_a_minute_and_is_forgotten() -> None:
    """It doubles with each wrong key after a wait, not with those during it; after a quiet time it begins anew."""
    clock = Clock()
    refusals = Refusals(clock)
    assert [refusals.wrong_key("192.0.2.1") for _ in range(FREE_TRIES)] == [0.0] * FREE_TRIES
    waits = []
    for _ in range(8):
        waits.append(refusals.wrong_key("192.0.2.1"))
        clock.now += waits[-1] / 2
        assert refusals.wrong_key("192.0.2.1") == pytest.approx(waits[-1] / 2)
        clock.now += waits[-1] / 2
    assert waits == [2, 4, 8, 16, 32, LONGEST_WAIT_S, LONGEST_WAIT_S, LONGEST_WAIT_S]
    assert refusals.wrong_key("192.0.2.2") == 0.0
    clock.now += FORGET_AFTER_S + 1
    assert refusals.wrong_key("192.0.2.1") == 0.0


@pytest.mark.parametrize(
    ("first", "second", "same"),
    [
        ("2001:db8:1:2::1", "2001:db8:1:2:ffff::9", True),
        ("2001:db8:1:2::1", "2001:db8:1:3::1", False),
        ("192.0.2.1", "::ffff:192.0.2.1", True),
        ("192.0.2.1", "192.0.2.2", False),
        ("fe80::1%eth0", "fe80::2%eth1", True),
        ("", "nonsense", True),
    ],
)
def test_who_counts_as_one_address(first: str, second: str, same: bool) -> None:
    """An IPv6 machine has 2^64 addresses: its network counts as one."""
    refusals = Refusals()
    assert refusals.is_first(first, ErrorCode.UNAUTHORIZED)
    assert refusals.is_first(second, ErrorCode.UNAUTHORIZED) is not same
    assert refusals.is_first(first, ErrorCode.FORBIDDEN_HOST)


def test_the_table_of_addresses_is_bounded() -> None:
    """However many addresses call; the one that was refused longest ago is forgotten first."""
    refusals = Refusals()
    for number in range(ADDRESSES):
        refusals.is_first(f"10.0.{number // 256}.{number % 256}", ErrorCode.UNAUTHORIZED)
    assert not refusals.is_first("10.0.0.0", ErrorCode.UNAUTHORIZED)
    assert refusals.is_first("192.0.2.1", ErrorCode.UNAUTHORIZED)
    assert refusals.is_first("10.0.0.1", ErrorCode.UNAUTHORIZED)
    assert not refusals.is_first("10.0.0.0", ErrorCode.UNAUTHORIZED)
    assert len(refusals._records) == ADDRESSES


@pytest.mark.parametrize(
    "headers",
    [{"X-Forwarded-For": "127.0.0.1"}, {"Forwarded": "for=127.0.0.1"}, {"X-Real-IP": "127.0.0.1"}, {"Via": "1.1 x"}],
    ids=str,
)
async def test_a_proxy_on_the_box_makes_nobody_local(api: Served, headers: dict[str, str]) -> None:
    """In protected mode only programs on the box itself are answered, and not who calls through one of them."""
    assert await ask(api) == (200, "")
    assert await ask(api, headers) == (403, "protected_mode")


async def test_a_proxy_that_says_nothing_is_known_by_its_http(api: Served) -> None:
    """nginx speaks HTTP/1.0 unless it is told otherwise."""
    async with api.client.get("/health/live") as answer:
        port = answer.url.port
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET /status HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n")
    assert b" 403 " in await reader.readline()
    writer.close()
    await writer.wait_closed()
