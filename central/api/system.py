"""Calls about the service itself."""

from __future__ import annotations

from importlib.metadata import version

from central.api import models
from central.api.models import NoQuery
from central.api.operations import Call, Reply
from central.errors import DatabaseUnavailableError

VERSION = version("cast-agent")


async def health(call: Call[None, NoQuery]) -> Reply:
    services = call.services
    try:
        await services.database.check()
        database = models.Check(status="available")
    except DatabaseUnavailableError:
        database = models.Check(status="unavailable")
    reachable = services.reconciliation.reachable
    if not services.reconciliation.is_configured:
        mediamtx = models.Check(status="unconfigured")
    elif reachable is None:
        mediamtx = models.Check(status="unknown")
    else:
        mediamtx = models.Check(status="available" if reachable else "unavailable")
    well = database.status == "available" and mediamtx.status != "unavailable"
    answer = models.Health(
        status="healthy" if well else "degraded", version=VERSION, database=database, mediamtx=mediamtx
    )
    return Reply(answer, status=200 if database.status == "available" else 503)
