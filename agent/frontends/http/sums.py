"""Counters of `GET /metrics` whose sums others keep: what players did, processor time, black time, lost events."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from prometheus_client.core import CounterMetricFamily
from prometheus_client.registry import Collector

from agent.player.base import PageRefusal, Totals


class Sum(NamedTuple):
    """One counter, without its `_total`, and its sums by the values of its labels."""

    name: str
    text: str
    labels: tuple[str, ...]
    values: Mapping[tuple[str, ...], float]
    begins_anew: bool = False
    """True if a fall is a new beginning, to be shown as one."""


class Sums(Collector):
    """Shows the sums that it was given last. One that was read while it moved from one place to another, such as the
    processor time of a process that ends, may lack a part for a moment: it stays as it was then, because Prometheus
    takes a fall for a restart."""

    def __init__(self) -> None:
        self._sums: tuple[Sum, ...] = ()
        self._shown: dict[tuple[str, ...], float] = {}

    def take(self, *sums: Sum) -> None:
        """Replace the sums. Their labels come from closed sets."""
        self._sums = sums

    def collect(self) -> Iterable[CounterMetricFamily]:
        for each in self._sums:
            family = CounterMetricFamily(f"cast_agent_{each.name}", each.text, labels=each.labels)
            for labels, value in each.values.items():
                key = (each.name, *labels)
                shown = value if each.begins_anew else max(value, self._shown.get(key, 0.0))
                self._shown[key] = shown
                family.add_metric(labels, shown)
            yield family


def sums_of_players(totals: Mapping[str, Totals]) -> tuple[Sum, ...]:
    """The totals of the players of each engine."""
    engine = ("engine",)
    killed: dict[tuple[str, ...], float] = {
        (name, why.value): count for name, one in totals.items() for why, count in one.killed.items()
    }
    refused: dict[tuple[str, ...], float] = {
        (what.value,): sum(one.refused[what] for one in totals.values()) for what in PageRefusal
    }
    return (
        Sum("pictures_displayed", "Pictures displayed.", engine, {(n,): one.pictures for n, one in totals.items()}),
        Sum("pictures_lost", "Pictures never displayed.", engine, {(n,): one.lost for n, one in totals.items()}),
        Sum("players_killed", "Players that were ended.", ("engine", "reason"), killed),
        Sum("page_refusals", "Requests of web pages that were refused.", ("kind",), refused),
    )
