"""The calls about streams."""

from __future__ import annotations

from typing import Final

from central.core.operations import Access, Operation
from central.streams import calls, models

OPERATIONS: Final[tuple[Operation, ...]] = (
    Operation(
        "GET", "/api/v1/streams", calls.list_all_streams, Access.DEVICE,
        "Streams that are or were on, the newest first; a box sees its own.",
        {200: models.Streams}, query=models.AllStreamsQuery, shared=True,
    ),
    Operation(
        "GET", "/api/v1/streams/{stream}", calls.get_stream, Access.DEVICE,
        "One stream, by its id or, while it is on, by its join code.",
        {200: models.Stream}, (404, 429),
    ),
    Operation(
        "PATCH", "/api/v1/streams/{stream}", calls.change_stream, Access.DEVICE,
        "Change title, url, quality or metadata of a stream that is on.",
        {200: models.Stream}, (404, 409), body=models.StreamPatch,
    ),
    Operation(
        "POST", "/api/v1/streams/{stream}/stop", calls.stop_stream, Access.DEVICE,
        "End a stream; one that has ended stays as it is.",
        {200: models.Stream}, (404,),
    ),
    Operation(
        "GET", "/streams", calls.list_streams, Access.DEVICE,
        "What is on, with addresses to view it; a box sees its own.",
        {200: models.LiveStreams}, query=models.StreamsQuery, shared=True,
    ),
    Operation(
        "GET", "/streams/{stream}", calls.get_live_stream, Access.DEVICE,
        "One stream, by its id or, while it is on, by its join code.",
        {200: models.StreamDetail}, (404, 429),
    ),
)  # fmt: skip
