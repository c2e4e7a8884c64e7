"""The boxes: their registration, their reports and their streams."""

from __future__ import annotations

from dataclasses import dataclass

from central.devices.enrolments import Enrolments
from central.devices.known_boxes import KnownBoxes
from central.devices.own_streams import OwnStreams
from central.devices.service import Devices
from central.streams.urls import PlayUrls


@dataclass(frozen=True, slots=True)
class Boxes:
    """The services of this feature."""

    devices: Devices
    known: KnownBoxes
    enrolments: Enrolments
    own_streams: OwnStreams
    urls: PlayUrls
