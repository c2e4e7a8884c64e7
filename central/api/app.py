"""The API as one aiohttp application."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Awaitable, Callable
from typing import Final

from aiohttp import web

from cast_http.openapi import as_text
from cast_http.server import ApiRunner, expect
from central.api.body import BODY_LIMIT
from central.api.endpoint import Endpoint, Shared
from central.api.guard import Guard
from central.api.metrics import CONTENT_TYPE, Metrics
from central.api.middleware import around_request
from central.api.models import NoQuery
from central.api.openapi import SERVICE
from central.api.operations import Access, Call, Operation, Reply
from central.api.problems import PROBLEMS
from central.api.routes import OPERATIONS
from central.services.all import Services
from central.settings import Settings

SHUTDOWN_S: Final = 10.0
"""How long answers under way may take at the end. systemd gives 90 s."""


def create_app(settings: Settings, services: Services) -> web.Application:
    """The application. It owns none of what it is given."""
    metrics = Metrics()
    guard = Guard(services.access, settings.api, settings.mediamtx)
    shared = Shared()
    app = web.Application(middlewares=[around_request(metrics)], client_max_size=BODY_LIMIT)
    for operation in all_operations(metrics):
        endpoint = Endpoint(operation, services, guard, shared)
        app.router.add_route(operation.method, operation.path, endpoint.serve, expect_handler=expect)
        if operation.method == "GET":
            app.router.add_route("HEAD", operation.path, endpoint.serve)
    return app


def all_operations(metrics: Metrics) -> tuple[Operation, ...]:
    """Those of `routes`, and the two that tell about these."""

    async def read_metrics(call: Call[None, NoQuery]) -> Reply:
        return Reply(text=await metrics.text(call.services), content_type=CONTENT_TYPE)

    async def read_openapi(_call: Call[None, NoQuery]) -> Reply:
        # The schemas of all models take some 100 ms on a small machine.
        return Reply(text=await asyncio.to_thread(_description))

    return (
        *OPERATIONS,
        _plain("/metrics", read_metrics, Access.LOCAL, "Numbers for Prometheus."),
        _plain("/openapi.json", read_openapi, Access.OPEN, "The description of all calls."),
    )


@functools.cache
def _description() -> str:
    return as_text(SERVICE, OPERATIONS)


def _plain(
    path: str, handler: Callable[[Call[None, NoQuery]], Awaitable[Reply]], access: Access, text: str
) -> Operation:
    return Operation("GET", path, handler, access, text, {200: None})


def runner_of(app: web.Application) -> ApiRunner:
    """What serves the application."""
    return ApiRunner(app, problems=PROBLEMS, shutdown_s=SHUTDOWN_S)
