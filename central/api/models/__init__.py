"""What callers send and get: bodies, query parameters and answers. The OpenAPI document is made of these."""

from __future__ import annotations

from cast_http.operations import NoQuery as NoQuery
from central.api.models.base import PageQuery as PageQuery
from central.api.models.devices import (
    Device as Device,
)
from central.api.models.devices import (
    DeviceBody as DeviceBody,
)
from central.api.models.devices import (
    DeviceDetail as DeviceDetail,
)
from central.api.models.devices import (
    DevicePatch as DevicePatch,
)
from central.api.models.devices import (
    Devices as Devices,
)
from central.api.models.devices import (
    DevicesQuery as DevicesQuery,
)
from central.api.models.devices import (
    Event as Event,
)
from central.api.models.devices import (
    Events as Events,
)
from central.api.models.devices import (
    EventsQuery as EventsQuery,
)
from central.api.models.devices import (
    OnScreen as OnScreen,
)
from central.api.models.media import (
    Allowed as Allowed,
)
from central.api.models.media import (
    AuthBody as AuthBody,
)
from central.api.models.media import (
    NotReady as NotReady,
)
from central.api.models.media import (
    Ready as Ready,
)
from central.api.models.media import (
    WebhookBody as WebhookBody,
)
from central.api.models.publishers import (
    Broadcaster as Broadcaster,
)
from central.api.models.publishers import (
    BroadcasterBody as BroadcasterBody,
)
from central.api.models.publishers import (
    BroadcasterPatch as BroadcasterPatch,
)
from central.api.models.publishers import (
    Broadcasters as Broadcasters,
)
from central.api.models.publishers import (
    NewStreamKey as NewStreamKey,
)
from central.api.models.publishers import (
    StreamKey as StreamKey,
)
from central.api.models.publishers import (
    StreamKeyBody as StreamKeyBody,
)
from central.api.models.publishers import (
    StreamKeys as StreamKeys,
)
from central.api.models.publishers import (
    StreamKeysQuery as StreamKeysQuery,
)
from central.api.models.streams import (
    AllStreamsQuery as AllStreamsQuery,
)
from central.api.models.streams import (
    LiveStreams as LiveStreams,
)
from central.api.models.streams import (
    PublisherName as PublisherName,
)
from central.api.models.streams import (
    Stream as Stream,
)
from central.api.models.streams import (
    StreamBody as StreamBody,
)
from central.api.models.streams import (
    StreamDetail as StreamDetail,
)
from central.api.models.streams import (
    StreamPatch as StreamPatch,
)
from central.api.models.streams import (
    Streams as Streams,
)
from central.api.models.streams import (
    StreamsQuery as StreamsQuery,
)
from central.api.models.streams import (
    Urls as Urls,
)
from central.api.models.system import (
    Check as Check,
)
from central.api.models.system import (
    Health as Health,
)
