"""Numbers for Prometheus."""

from __future__ import annotations

from collections.abc import Iterable

import prometheus_client
from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.openmetrics.exposition import CONTENT_TYPE_LATEST, generate_latest

from central.core.db.engine import Database
from central.core.errors import DatabaseUnavailableError
from central.core.feature import Gauge

CONTENT_TYPE = CONTENT_TYPE_LATEST.partition(";")[0]


class Metrics:
    """One set for each application."""

    def __init__(self, database: Database, gauges: Iterable[Gauge]) -> None:
        self._database = database
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
        self._up = prometheus_client.Gauge(
            "cast_central_database_up", "Whether the database can be read and written.", registry=self._registry
        )
        self._gauges = [(each, self._made(each)) for each in gauges]

    def count(self, operation: str, status: int, seconds: float) -> None:
        requests = self._of.get((operation, status))
        if requests is None:  # as many as there are operations and statuses
            requests = self._of[operation, status] = self._requests.labels(operation, status)
        requests.inc()
        duration = self._lasted.get(operation)
        if duration is None:
            duration = self._lasted[operation] = self._duration.labels(operation)
        duration.observe(seconds)

    async def text(self) -> str:
        """The metrics as Prometheus reads them. Without the database only those that do not need it are current."""
        try:
            await self._database.check()
            await self._read(is_stored=True)
            self._up.set(1)
        except DatabaseUnavailableError:
            self._up.set(0)
        await self._read(is_stored=False)
        text: bytes = generate_latest(self._registry)  # type: ignore[no-untyped-call]
        return text.decode()

    async def _read(self, *, is_stored: bool) -> None:
        for gauge, made in self._gauges:
            if gauge.is_stored is is_stored:
                for label, value in (await gauge.read()).items():
                    (made.labels(label) if gauge.label else made).set(value)

    def _made(self, gauge: Gauge) -> prometheus_client.Gauge:
        labels = (gauge.label,) if gauge.label else ()
        return prometheus_client.Gauge(gauge.name, gauge.text, labels, registry=self._registry)
