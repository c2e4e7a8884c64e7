"""Every call there is."""

from __future__ import annotations

from typing import Final

from cast_wire import models as wire
from central.api import devices, media, models, publishers, streams, system
from central.api.openapi import PREFER
from central.api.operations import Access, Operation

OPERATIONS: Final[tuple[Operation, ...]] = (
    Operation(
        "POST", "/api/v1/devices", devices.enrol_device, Access.ENROL,
        "Register a box; its token is told this once.",
        {201: wire.Enrolled}, body=models.DeviceBody,
    ),
    Operation(
        "GET", "/api/v1/devices", devices.list_devices, Access.ADMIN,
        "The boxes, the newest first.",
        {200: models.Devices}, query=models.DevicesQuery, shared=True,
    ),
    Operation(
        "GET", "/api/v1/devices/{id}", devices.get_device, Access.DEVICE,
        "One box with its last state.",
        {200: models.DeviceDetail}, (404,),
    ),
    Operation(
        "PATCH", "/api/v1/devices/{id}", devices.change_device, Access.DEVICE,
        "Rename a box, or change its metadata.",
        {200: models.DeviceDetail}, (404,), body=models.DevicePatch,
    ),
    Operation(
        "DELETE", "/api/v1/devices/{id}", devices.revoke_device, Access.ADMIN,
        "Revoke a box: its token opens nothing any more, and its stream ends.",
        {204: None}, (404,),
    ),
    Operation(
        "PUT", "/api/v1/devices/{id}/state", devices.put_device_state, Access.DEVICE,
        "What the box is like now; the latest by boot and seq wins.",
        {200: wire.StateAnswer}, (404,), body=wire.State,
    ),
    Operation(
        "POST", "/api/v1/devices/{id}/events", devices.add_device_events, Access.DEVICE,
        "What happened on the box; each is kept once, and answered by itself.",
        {200: wire.EventsAnswer}, (404,), body=wire.EventBatch, raw=True,
    ),
    Operation(
        "GET", "/api/v1/devices/{id}/events", devices.list_device_events, Access.DEVICE,
        "What happened on the box, the oldest first.",
        {200: models.Events}, (404,), query=models.EventsQuery,
    ),
    Operation(
        "POST", "/api/v1/streams", streams.start_stream, Access.DEVICE,
        "A new stream of a box (201), or the one that it has already (200).",
        {201: models.Stream, 200: models.Stream}, (404,), body=models.StreamBody,
    ),
    Operation(
        "GET", "/api/v1/streams", streams.list_all_streams, Access.DEVICE,
        "Streams that are or were on, the newest first; a box sees its own.",
        {200: models.Streams}, query=models.AllStreamsQuery, shared=True,
    ),
    Operation(
        "GET", "/api/v1/streams/{stream}", streams.get_stream, Access.DEVICE,
        "One stream, by its id or, while it is on, by its join code.",
        {200: models.Stream}, (404, 429),
    ),
    Operation(
        "PATCH", "/api/v1/streams/{stream}", streams.change_stream, Access.DEVICE,
        "Change title, url, quality or metadata of a stream that is on.",
        {200: models.Stream}, (404, 409), body=models.StreamPatch,
    ),
    Operation(
        "POST", "/api/v1/streams/{stream}/stop", streams.stop_stream, Access.DEVICE,
        "End a stream; one that has ended stays as it is.",
        {200: models.Stream}, (404,),
    ),
    Operation(
        "GET", "/streams", streams.list_streams, Access.DEVICE,
        "What is on, with addresses to view it; a box sees its own.",
        {200: models.LiveStreams}, query=models.StreamsQuery, shared=True,
    ),
    Operation(
        "GET", "/streams/{stream}", streams.get_live_stream, Access.DEVICE,
        "One stream, by its id or, while it is on, by its join code.",
        {200: models.StreamDetail}, (404, 429),
    ),
    Operation(
        "POST", "/broadcasters", publishers.add_broadcaster, Access.ADMIN,
        "Somebody who publishes.",
        {201: models.Broadcaster}, (409,), body=models.BroadcasterBody,
    ),
    Operation(
        "GET", "/broadcasters", publishers.list_broadcasters, Access.ADMIN,
        "Who may publish, the newest first.",
        {200: models.Broadcasters}, query=models.PageQuery,
    ),
    Operation(
        "GET", "/broadcasters/{id}", publishers.get_broadcaster, Access.ADMIN,
        "One broadcaster.",
        {200: models.Broadcaster}, (404,),
    ),
    Operation(
        "PATCH", "/broadcasters/{id}", publishers.change_broadcaster, Access.ADMIN,
        "Rename a broadcaster, or change its metadata.",
        {200: models.Broadcaster}, (404, 409), body=models.BroadcasterPatch,
    ),
    Operation(
        "DELETE", "/broadcasters/{id}", publishers.delete_broadcaster, Access.ADMIN,
        "Delete a broadcaster with its keys; what it publishes ends.",
        {204: None}, (404,),
    ),
    Operation(
        "POST", "/stream-keys", publishers.add_stream_key, Access.ADMIN,
        "A new stream key, told this once.",
        {201: models.NewStreamKey}, (404,), body=models.StreamKeyBody,
    ),
    Operation(
        "GET", "/stream-keys", publishers.list_stream_keys, Access.ADMIN,
        "Stream keys without their values, the newest first.",
        {200: models.StreamKeys}, query=models.StreamKeysQuery,
    ),
    Operation(
        "GET", "/stream-keys/{id}", publishers.get_stream_key, Access.ADMIN,
        "One stream key without its value.",
        {200: models.StreamKey}, (404,),
    ),
    Operation(
        "DELETE", "/stream-keys/{id}", publishers.revoke_stream_key, Access.ADMIN,
        "Revoke a stream key; its stream ends, and its publisher is kicked.",
        {204: None, 200: models.StreamKey}, (404,), quiet=True, headers=(PREFER,),
    ),
    Operation(
        "POST", "/auth", media.auth, Access.MEDIAMTX,
        "May this connection publish or view? MediaMTX's HTTP authentication.",
        {200: models.Allowed}, (429,), body=models.AuthBody,
    ),
    Operation(
        "POST", "/webhook/ready", media.webhook_ready, Access.MEDIAMTX,
        "A path can be viewed from now on: its stream begins.",
        {204: None, 200: models.Ready}, (409,), body=models.WebhookBody, form=True, quiet=True, headers=(PREFER,),
    ),
    Operation(
        "POST", "/webhook/not-ready", media.webhook_not_ready, Access.MEDIAMTX,
        "A path cannot be viewed any more: its stream waits for its publisher, and ends.",
        {204: None, 200: models.NotReady}, body=models.WebhookBody, form=True, quiet=True, headers=(PREFER,),
    ),
    Operation(
        "GET", "/health", system.health, Access.OPEN,
        "Whether all is well; 503 without the database.",
        {200: models.Health, 503: models.Health}, shared=True,
    ),
)  # fmt: skip
"""`/metrics` and `/openapi.json` beside these know the application, not only its services: see `app`."""
