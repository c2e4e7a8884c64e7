"""Calls about the service itself."""

from __future__ import annotations

from importlib.metadata import version
from typing import Final

from central.api import models
from central.api.models import NoQuery
from central.api.operations import Call, Reply
from central.errors import DatabaseUnavailableError
from central.services.all import Services
from central.urls import NO_VIEWERS

VERSION: Final = version("cast-agent")


async def health(call: Call[None, NoQuery]) -> Reply:
    services = call.services
    try:
        await services.database.check()
        database = models.Check(status="available")
    except DatabaseUnavailableError as error:
        database = models.Check(status="unavailable", detail=str(error))
    mediamtx = _media_server(services)
    well = database.status == "available" and mediamtx.status != "unavailable"
    answer = models.Health(
        status="healthy" if well else "degraded", version=VERSION, database=database, mediamtx=mediamtx
    )
    return Reply(answer, status=200 if database.status == "available" else 503)


def _media_server(services: Services) -> models.Check:
    """Publishing is an extra, so what is not set up is no illness; but whoever looks is told."""
    reachable = services.reconciliation.reachable
    if not services.reconciliation.is_configured:
        return models.Check(
            status="unconfigured", detail="For publishers set mediamtx.api_url and mediamtx.public_url."
        )
    if reachable is False:
        return models.Check(
            status="unavailable",
            detail="It does not answer at mediamtx.api_url: nobody can be thrown out until it does.",
        )
    return models.Check(
        status="unknown" if reachable is None else "available", detail=None if services.urls.are_known else NO_VIEWERS
    )
