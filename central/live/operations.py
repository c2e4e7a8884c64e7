"""The calls about live streams."""

from __future__ import annotations

from typing import Final

from central.core.operations import Access, Operation
from central.live import calls, models

OPERATIONS: Final[tuple[Operation, ...]] = (
    Operation(
        "POST", "/api/v1/live", calls.add_live, Access.ADMIN,
        "A new live stream, with its stream key and the addresses to publish it to, told this once.",
        {201: models.NewLive}, body=models.LiveBody,
    ),
    Operation(
        "GET", "/api/v1/live", calls.list_lives, Access.ADMIN,
        "Live streams, the newest first.",
        {200: models.Lives}, query=models.LiveQuery,
    ),
    Operation(
        "GET", "/api/v1/live/{id}", calls.get_live, Access.ADMIN,
        "One live stream, with its join code while it is on.",
        {200: models.Live}, (404,),
    ),
    Operation(
        "PATCH", "/api/v1/live/{id}", calls.change_live, Access.ADMIN,
        "Change the title of a live stream, or switch its recording on or off.",
        {200: models.Live}, (404,), body=models.LivePatch,
    ),
    Operation(
        "POST", "/api/v1/live/{id}/stop", calls.stop_live, Access.ADMIN,
        "Disconnect the publisher, which may come back; if none is on, nothing changes.",
        {200: models.Live}, (404,),
    ),
    Operation(
        "DELETE", "/api/v1/live/{id}", calls.end_live, Access.ADMIN,
        "End a live stream for good: its key is revoked, and its publisher disconnected.",
        {204: None}, (404,),
    ),
)  # fmt: skip
