"""Numbers for Prometheus."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.openmetrics.exposition import CONTENT_TYPE_LATEST, generate_latest

from central.errors import DatabaseUnavailableError
from central.services.all import Services
from central.types import StreamSource

CONTENT_TYPE = CONTENT_TYPE_LATEST.partition(";")[0]


class Metrics:
    """One set for each application."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._requests = Counter("cast_central_requests", "Answers.", ("operation", "status"), registry=self._registry)
        self._of: dict[tuple[str, int], Counter] = {}
        """Looking for labels each time would cost more than counting."""
        self._lasted: dict[str, Histogram] = {}
        self._duration = Histogram(
            "cast_central_request_duration_seconds",
            "Time from a request's headers to its answer.",
            ("operation",),
            registry=self._registry,
            buckets=(0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
        )
        self._devices = Gauge("cast_central_devices_online", "Boxes that are online.", registry=self._registry)
        self._streams = Gauge(
            "cast_central_streams_active", "Streams that are on.", ("source",), registry=self._registry
        )
        self._up = Gauge(
            "cast_central_database_up", "Whether the database can be read and written.", registry=self._registry
        )
        self._mediamtx = Gauge("cast_central_mediamtx_up", "Whether MediaMTX answers.", registry=self._registry)

    def count(self, operation: str, status: int, seconds: float) -> None:
        requests = self._of.get((operation, status))
        if requests is None:  # as many as there are operations and statuses
            requests = self._of[operation, status] = self._requests.labels(operation, status)
        requests.inc()
        duration = self._lasted.get(operation)
        if duration is None:
            duration = self._lasted[operation] = self._duration.labels(operation)
        duration.observe(seconds)

    async def text(self, services: Services) -> str:
        """What Prometheus reads; without the database only what is known without it."""
        try:
            await services.database.check()
            self._devices.set(await services.devices.count_online())
            active = await services.streams.count_active()
            for source in StreamSource:
                self._streams.labels(source.value).set(active.get(source, 0))
            self._up.set(1)
        except DatabaseUnavailableError:
            self._up.set(0)
        self._mediamtx.set(1 if services.reconciliation.reachable else 0)
        text: bytes = generate_latest(self._registry)  # type: ignore[no-untyped-call]
        return text.decode()
