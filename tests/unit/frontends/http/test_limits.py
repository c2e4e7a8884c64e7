"""Limits of calls: the table of calls sets them, and the application keeps them."""

from __future__ import annotations

import asyncio

from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from agent.frontends.http.app import limited
from agent.frontends.http.body import READ_TIMEOUT_S
from agent.frontends.http.guard import Access
from agent.frontends.http.middleware import around_request
from agent.frontends.http.operations import OPERATIONS, SECRET_LIMIT, Operation
from agent.frontends.http.requests import WAIT_LIMIT_S
from tests.support.api import Served


async def test_a_call_that_takes_too_long_is_given_up() -> None:
    """The work that the call waits for is cancelled, and the caller is told how long it may take."""
    given_up = asyncio.Event()

    async def hang(_request: web.Request) -> web.StreamResponse:
        try:
            await asyncio.Event().wait()
        finally:
            given_up.set()
        raise AssertionError

    app = web.Application(middlewares=(around_request,))
    app.router.add_get("/hang", limited(Operation("GET", "/hang", hang, Access.OPEN, "", {200: None}, timeout_s=0.02)))
    async with TestClient(TestServer(app)) as client, client.get("/hang") as answer:
        problem = await answer.json(content_type=None)
    assert (answer.status, problem["code"]) == (504, "timed_out")
    assert "0.02 s" in problem["detail"]
    assert given_up.is_set()


def test_every_call_has_a_limit_that_its_own_waits_fit_into() -> None:
    """The events alone have none: they go on until the caller has gone."""
    limits = {operation.name: operation.timeout_s for operation in OPERATIONS}
    assert [name for name, limit_s in limits.items() if limit_s is None] == ["events"]
    assert all(limit_s is None or limit_s > READ_TIMEOUT_S for limit_s in limits.values())
    assert (limits["start"] or 0) > WAIT_LIMIT_S + READ_TIMEOUT_S


async def test_anybody_may_send_a_key_and_no_more(api: Served) -> None:
    """The calls without a key take small bodies alone."""
    for path in ("/session", "/pair"):
        async with api.client.post(path, data=b" " * (SECRET_LIMIT + 1)) as answer:
            problem = await answer.json(content_type=None)
            assert (answer.status, problem["code"]) == (413, "payload_too_large")
            assert f"at most {SECRET_LIMIT // 1024} KiB" in problem["detail"]
        async with api.client.post(path, data=b" " * SECRET_LIMIT) as answer:
            assert answer.status == 422
