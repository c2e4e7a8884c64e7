"""The boxes as a feature of the service."""

from __future__ import annotations

from central.core.db.engine import Database
from central.core.feature import Feature, Gauge
from central.core.forgetting import EVERY_S
from central.core.pages import Clock
from central.core.settings import RetentionSettings
from central.core.workers import repeated
from central.devices.boxes import Boxes
from central.devices.enrolments import Enrolments
from central.devices.events import Counter
from central.devices.known_boxes import KnownBoxes
from central.devices.operations import OPERATIONS
from central.devices.own_streams import OwnStreams
from central.devices.quota import Quota
from central.devices.service import Devices
from central.devices.settings import DeviceSettings
from central.devices.upkeep import Upkeep
from central.streams.urls import PlayUrls


def devices_feature(
    database: Database,
    settings: DeviceSettings,
    urls: PlayUrls,
    retention: RetentionSettings,
    counter: Counter,
    *,
    now: Clock,
) -> Feature[Boxes]:
    """All of it on a database that is up to date. `counter` is told each event once."""
    quota = Quota(settings.quota)
    devices = Devices(database, settings, quota, counter, now=now)
    enrolments, own_streams = Enrolments(database, now=now), OwnStreams(database, quota, now=now)
    boxes = Boxes(devices, KnownBoxes(database), enrolments, own_streams, urls)

    async def online() -> dict[str, float]:
        return {"": await devices.count_online()}

    upkeep = Upkeep(database, settings, retention, now=now)
    return Feature(
        "devices",
        boxes,
        OPERATIONS,
        workers={"upkeep": repeated(upkeep.once, every_s=EVERY_S)},
        gauges=(Gauge("cast_central_devices_online", "Boxes that are online.", online),),
    )
