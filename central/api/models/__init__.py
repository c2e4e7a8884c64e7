"""What callers send and get: bodies, query parameters and answers. The OpenAPI document is made of these."""

from __future__ import annotations

from cast_http.operations import NoQuery
from central.api.models.base import PageQuery
from central.api.models.devices import (
    Device,
    DeviceBody,
    DeviceDetail,
    DevicePatch,
    Devices,
    DevicesQuery,
    Event,
    Events,
    EventsQuery,
    OnScreen,
)
from central.api.models.media import Allowed, AuthBody, NotReady, Ready, WebhookBody
from central.api.models.publishers import (
    Broadcaster,
    BroadcasterBody,
    BroadcasterPatch,
    Broadcasters,
    NewStreamKey,
    StreamKey,
    StreamKeyBody,
    StreamKeys,
    StreamKeysQuery,
)
from central.api.models.streams import (
    AllStreamsQuery,
    LiveStreams,
    PublisherName,
    Stream,
    StreamBody,
    StreamDetail,
    StreamPatch,
    Streams,
    StreamsQuery,
    Urls,
)
from central.api.models.system import Check, Health

__all__ = [
    "AllStreamsQuery",
    "Allowed",
    "AuthBody",
    "Broadcaster",
    "BroadcasterBody",
    "BroadcasterPatch",
    "Broadcasters",
    "Check",
    "Device",
    "DeviceBody",
    "DeviceDetail",
    "DevicePatch",
    "Devices",
    "DevicesQuery",
    "Event",
    "Events",
    "EventsQuery",
    "Health",
    "LiveStreams",
    "NewStreamKey",
    "NoQuery",
    "NotReady",
    "OnScreen",
    "PageQuery",
    "PublisherName",
    "Ready",
    "Stream",
    "StreamBody",
    "StreamDetail",
    "StreamKey",
    "StreamKeyBody",
    "StreamKeys",
    "StreamKeysQuery",
    "StreamPatch",
    "Streams",
    "StreamsQuery",
    "Urls",
    "WebhookBody",
]
