"""A feature as the application takes it: one object with all that it brings."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Generic

from central.core.operations import Operation, ServiceT
from central.core.workers import Worker


@dataclass(frozen=True, slots=True)
class Gauge:
    """A number for Prometheus, or one for each value of a label."""

    name: str
    text: str
    read: Callable[[], Awaitable[Mapping[str, float]]]
    """The numbers by the value of the label; by the empty string where there is no label."""
    label: str = ""
    is_stored: bool = True
    """The database is asked for it. Without the database the last numbers stay."""


@dataclass(frozen=True, slots=True)
class Feature(Generic[ServiceT]):
    """The calls of a feature, their service, its workers and its metrics."""

    name: str
    service: ServiceT
    operations: tuple[Operation, ...]
    workers: Mapping[str, Worker] = field(default_factory=dict)
    """The workers by name; with the name of the feature before it they appear in the log and in /health."""
    gauges: tuple[Gauge, ...] = ()
