"""The API as one aiohttp application."""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable

from aiohttp import HttpVersion11, web

from central.api import openapi
from central.api.body import BODY_LIMIT
from central.api.endpoint import Endpoint, Shared
from central.api.guard import Guard
from central.api.metrics import CONTENT_TYPE, Metrics
from central.api.middleware import around_request
from central.api.models import NoQuery
from central.api.operations import Access, Call, Operation, Reply
from central.api.routes import OPERATIONS
from central.config import Settings
from central.services.all import Services


def create_app(settings: Settings, services: Services) -> web.Application:
    """The application. It owns none of what it is given."""
    metrics = Metrics()
    guard = Guard(services.access, settings.api, settings.mediamtx)
    shared = Shared()
    app = web.Application(middlewares=[around_request(metrics)], client_max_size=BODY_LIMIT)
    for operation in all_operations(metrics):
        endpoint = Endpoint(operation, services, guard, shared)
        app.router.add_route(operation.method, operation.path, endpoint.serve, expect_handler=_expect)
        if operation.method == "GET":
            app.router.add_route("HEAD", operation.path, endpoint.serve)
    return app


def all_operations(metrics: Metrics) -> tuple[Operation, ...]:
    """Those of `routes`, and the two that tell about these."""

    async def read_metrics(call: Call[None, NoQuery]) -> Reply:
        return Reply(text=await metrics.text(call.services), content_type=CONTENT_TYPE)

    async def read_openapi(_call: Call[None, NoQuery]) -> Reply:
        return Reply(text=_description())

    return (
        *OPERATIONS,
        _plain("/metrics", read_metrics, Access.LOCAL, "Numbers for Prometheus."),
        _plain("/openapi.json", read_openapi, Access.OPEN, "The description of all calls."),
    )


@functools.cache
def _description() -> str:
    return openapi.as_text(OPERATIONS)


def _plain(
    path: str, handler: Callable[[Call[None, NoQuery]], Awaitable[Reply]], access: Access, text: str
) -> Operation:
    return Operation("GET", path, handler, access, text, {200: None})


async def _expect(request: web.Request) -> None:
    """Let the body come when the caller waits for our word; overlook other expectations, as RFC 9110 10.1.1 allows."""
    if request.version == HttpVersion11 and request.headers.get("Expect", "").lower() == "100-continue":
        await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        request.writer.output_size = 0  # the answer itself has not begun
