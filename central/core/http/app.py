"""The API as one aiohttp application."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from aiohttp import web

from cast_http.server import ApiRunner, expect
from central.core.feature import Feature
from central.core.http.body import BODY_LIMIT
from central.core.http.endpoint import Answered, Endpoint
from central.core.http.guard import Guard
from central.core.http.live import Live
from central.core.http.metrics import Metrics
from central.core.http.middleware import around_request
from central.core.http.problems import PROBLEMS
from central.core.shared import Shared

SHUTDOWN_S: Final = 10.0
"""The time that answers under way may take at the end. The unit gives 30 s."""


def create_app(features: Iterable[Feature[Any]], guard: Guard, metrics: Metrics) -> web.Application:
    """The application with the calls of these features. It owns none of what it is given."""
    shared: Shared[Answered] = Shared()
    live = Live()
    app = web.Application(middlewares=[around_request(metrics)], client_max_size=BODY_LIMIT)
    for feature in features:
        for operation in feature.operations:
            endpoint = Endpoint(operation, feature.service, guard, shared, live)
            app.router.add_route(operation.method, operation.path, endpoint.serve, expect_handler=expect)
            if operation.method == "GET":
                app.router.add_route("HEAD", operation.path, endpoint.serve)
    app.on_shutdown.append(live.end)
    return app


def runner_of(app: web.Application) -> ApiRunner:
    """The runner that serves the application."""
    return ApiRunner(app, problems=PROBLEMS, shutdown_s=SHUTDOWN_S)
