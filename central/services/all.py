"""The services together, as the API gets them."""

from __future__ import annotations

from dataclasses import dataclass

from central.db.engine import Database
from central.services.access import Access
from central.services.devices import Devices
from central.services.interruptions import Interruptions
from central.services.publishing import Publishing
from central.services.reconcile import Reconciliation
from central.services.stream_keys import StreamKeys
from central.services.streams import Streams
from central.services.viewing import Viewing
from central.urls import PlayUrls


@dataclass(frozen=True, slots=True)
class Services:
    """Made by `daemon`."""

    database: Database
    access: Access
    devices: Devices
    streams: Streams
    stream_keys: StreamKeys
    publishing: Publishing
    interruptions: Interruptions
    viewing: Viewing
    reconciliation: Reconciliation
    urls: PlayUrls
