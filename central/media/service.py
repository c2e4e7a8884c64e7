"""The services of the media feature: the answers to the media server, and the publishers."""

from __future__ import annotations

from dataclasses import dataclass

from central.media.interruptions import Interruptions
from central.media.publishing import Publishing
from central.media.reconcile import Reconciliation
from central.media.stream_keys import StreamKeys
from central.media.viewing import Viewing


@dataclass(frozen=True, slots=True)
class Media:
    """The services of this feature."""

    stream_keys: StreamKeys
    publishing: Publishing
    viewing: Viewing
    interruptions: Interruptions
    reconciliation: Reconciliation
