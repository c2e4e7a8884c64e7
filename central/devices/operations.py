"""The calls about boxes."""

from __future__ import annotations

from typing import Final

from cast_wire import models as wire
from central.core.operations import Access, Operation
from central.devices import calls, models
from central.streams.models import Stream, StreamBody

OPERATIONS: Final[tuple[Operation, ...]] = (
    Operation(
        "POST", "/api/v1/devices", calls.enrol_device, Access.ENROL,
        "Register a box; its token is told this once.",
        {201: wire.Enrolled}, body=models.DeviceBody,
    ),
    Operation(
        "GET", "/api/v1/devices", calls.list_devices, Access.ADMIN,
        "The boxes, the newest first.",
        {200: models.Devices}, query=models.DevicesQuery, shared=True,
    ),
    Operation(
        "GET", "/api/v1/devices/{id}", calls.get_device, Access.DEVICE,
        "One box with its last state.",
        {200: models.DeviceDetail}, (404,),
    ),
    Operation(
        "PATCH", "/api/v1/devices/{id}", calls.change_device, Access.DEVICE,
        "Rename a box, or change its metadata.",
        {200: models.DeviceDetail}, (404,), body=models.DevicePatch,
    ),
    Operation(
        "DELETE", "/api/v1/devices/{id}", calls.revoke_device, Access.ADMIN,
        "Revoke a box: its token opens nothing any more, and its stream ends.",
        {204: None}, (404,),
    ),
    Operation(
        "PUT", "/api/v1/devices/{id}/state", calls.put_device_state, Access.DEVICE,
        "What the box is like now; the latest by boot and seq wins.",
        {200: wire.StateAnswer}, (404,), body=wire.State,
    ),
    Operation(
        "POST", "/api/v1/devices/{id}/events", calls.add_device_events, Access.DEVICE,
        "What happened on the box; each is kept once, and answered by itself.",
        {200: wire.EventsAnswer}, (404,), body=wire.EventBatch, raw=True,
    ),
    Operation(
        "GET", "/api/v1/devices/{id}/events", calls.list_device_events, Access.DEVICE,
        "What happened on the box, the oldest first.",
        {200: models.Events}, (404,), query=models.EventsQuery,
    ),
    Operation(
        "POST", "/api/v1/streams", calls.start_stream, Access.DEVICE,
        "A new stream of a box (201), or the one that it has already (200).",
        {201: Stream, 200: Stream}, (404,), body=StreamBody,
    ),
)  # fmt: skip
