"""The calls about the service itself, which know all its features."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from typing import Final, Literal

from pydantic import Field

from cast_http.operations import NoQuery
from cast_util.health import Check as PartCheck
from cast_util.tasks import Supervisor
from central.core.db.engine import Database
from central.core.errors import DatabaseUnavailableError
from central.core.feature import Feature
from central.core.http.metrics import CONTENT_TYPE, Metrics
from central.core.models import Answer
from central.core.operations import Access, Call, Operation
from central.core.replies import Reply
from central.media.reconcile import Reconciliation
from central.servers import Servers
from central.streams.urls import NO_VIEWERS, PlayUrls

VERSION: Final = version("cast-agent")


class Check(Answer):
    status: Literal["available", "unavailable", "unconfigured", "unknown"]
    detail: str | None = Field(default=None, description="What does not work, and what to do about it.")


class Health(Answer):
    status: Literal["healthy", "degraded"]
    version: str
    database: Check
    mediamtx: Check
    cache: Check = Field(description="Redis. Without it answers come from the database.")
    broker: Check = Field(description="RabbitMQ. Without it workers look for work every 5 s.")
    workers: Check = Field(description="What the service does by itself, such as ending streams of lost boxes.")


@dataclass(frozen=True, slots=True)
class System:
    """The parts that these calls report on."""

    database: Database
    reconciliation: Reconciliation
    urls: PlayUrls
    servers: Servers
    supervisor: Supervisor
    metrics: Metrics
    describe: Callable[[], str]
    """Makes the OpenAPI document, which takes some 100 ms on a small machine."""


async def health(call: Call[System, None, NoQuery]) -> Reply:
    system = call.service
    try:
        await system.database.check()
        database = Check(status="available")
    except DatabaseUnavailableError as error:
        database = Check(status="unavailable", detail=str(error))
    mediamtx = _media_server(system)
    checks = {name: _check(system.servers.checks.get(name)) for name in ("cache", "broker")}
    checks |= {"database": database, "mediamtx": mediamtx, "workers": _check(lambda: system.supervisor.health)}
    well = "unavailable" not in {check.status for check in checks.values()}
    answer = Health(status="healthy" if well else "degraded", version=VERSION, **checks)
    return Reply(answer, status=200 if database.status == "available" else 503)


async def read_metrics(call: Call[System, None, NoQuery]) -> Reply:
    return Reply(text=await call.service.metrics.text(), content_type=CONTENT_TYPE)


async def read_openapi(call: Call[System, None, NoQuery]) -> Reply:
    return Reply(text=await asyncio.to_thread(call.service.describe))


OPERATIONS: Final[tuple[Operation, ...]] = (
    Operation(
        "GET", "/health", health, Access.OPEN,
        "Whether all is well; 503 without the database.",
        {200: Health, 503: Health}, shared=True,
    ),
)  # fmt: skip

UNDESCRIBED: Final[tuple[Operation, ...]] = (
    Operation("GET", "/metrics", read_metrics, Access.LOCAL, "Numbers for Prometheus.", {200: None}),
    Operation("GET", "/openapi.json", read_openapi, Access.OPEN, "The description of all calls.", {200: None}),
)
"""The call that describes the calls is not among them."""


def system_feature(system: System) -> Feature[System]:
    return Feature("system", system, (*OPERATIONS, *UNDESCRIBED))


def _check(told: Callable[[], PartCheck] | None) -> Check:
    """The check of a part; None when it is not configured."""
    if told is None:
        return Check(status="unconfigured")
    part = told()
    return Check(status="available" if part.available else "unavailable", detail=part.message or None)


def _media_server(system: System) -> Check:
    """Publishing is an extra, so what is not set up is no illness; but whoever looks is told."""
    reachable = system.reconciliation.reachable
    if not system.reconciliation.is_configured:
        return Check(status="unconfigured", detail="For publishers set mediamtx.api_url and mediamtx.public_url.")
    if reachable is False:
        return Check(
            status="unavailable",
            detail="It does not answer at mediamtx.api_url: no publisher can be disconnected until it does.",
        )
    return Check(
        status="unknown" if reachable is None else "available", detail=None if system.urls.are_known else NO_VIEWERS
    )
