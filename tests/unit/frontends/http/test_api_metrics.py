"""`GET /metrics`: what is counted, who may read it, and that no secret is in it."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Iterator
from pathlib import Path

import promql_parser
import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.openmetrics import exposition
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from agent.access.keys import KeyFile
from agent.frontends.http.sums import Sum, Sums
from tests.support.api import Tracked, tracked

DOCS = Path(__file__).parents[4] / "docs" / "metrics.md"
DASHBOARD = DOCS.parent / "grafana" / "cast-agent.json"
ADDED_BY_PROMETHEUS = {"instance", "job"}


async def numbers(box: Tracked, **headers: str) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    async with box.client.get("/metrics", headers=headers) as response:
        assert response.status == 200
        assert response.headers["Content-Type"].startswith("application/openmetrics-text")
        text = await response.text()
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)  # type: ignore[no-untyped-call]
        for sample in family.samples
    }


async def test_a_session_is_counted_without_its_name() -> None:
    async with tracked() as box:
        before = await numbers(box)
        assert before["cast_agent_sessions_active", (("state", "playing"),)] == 0
        assert before["cast_agent_sessions_total", (("code", ""), ("reason", "stopped"))] == 0
        assert before["cast_agent_sessions_total", (("code", "media_network"), ("reason", "failed"))] == 0
        assert before["cast_agent_retries_total", (("code", "media_network"),)] == 0
        await box.client.post("/start?wait=5", json={"url": "http://u:secret@film/a.mp4?t=1", "title": "Door"})
        async with asyncio.timeout(5):
            while (await numbers(box))["cast_agent_sessions_active", (("state", "playing"),)] != 1:
                await asyncio.sleep(0.02)
        await box.client.post("/stop")
        async with box.client.post("/start?wait=20", json={"url": "http://broken/film.mp4"}) as refused:
            code = (await refused.json())["code"]
        after = await numbers(box)
        assert after["cast_agent_sessions_total", (("code", ""), ("reason", "stopped"))] == 1
        assert after["cast_agent_sessions_total", (("code", code), ("reason", "failed"))] == 1
        seconds = [value for (name, _), value in after.items() if name == "cast_agent_first_frame_seconds_count"]
        assert seconds == [1]
        assert after["cast_agent_pictures_displayed_total", (("engine", "fake"),)] > 0
        assert after["cast_agent_pictures_lost_total", (("engine", "fake"),)] == 0
        assert after["cast_agent_players_killed_total", (("engine", "fake"), ("reason", "ended"))] == 1
        assert after["cast_agent_players_killed_total", (("engine", "fake"), ("reason", "failed"))] > 1
        assert after["cast_agent_page_refusals_total", (("kind", "lan"),)] == 0
        assert after["cast_agent_black_seconds_total", ()] == 0
        assert after["cast_agent_memory_resident_bytes", (("process", "daemon"),)] > 10_000_000
        assert after["cast_agent_processor_seconds_total", (("process", "daemon"),)] > 0
        labels = {value for _, labels in after for _, value in labels}
        assert not {value for value in labels if "secret" in value or "Door" in value or "film" in value}


async def test_only_numbers_that_have_changed_are_written_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Writing all of them took most of the time of a scrape. What is written is what was asked for, each time."""
    write = exposition.generate_latest
    written: list[str] = []

    def note(registry: CollectorRegistry) -> bytes:
        written.extend(family.name for family in registry.collect())
        return write(registry)  # type: ignore[no-any-return, no-untyped-call]

    monkeypatch.setattr(exposition, "generate_latest", note)
    async with tracked() as box:
        first = await numbers(box)
        assert len(written) > 20
        written.clear()
        assert (await numbers(box)).keys() == first.keys()
        moving = {
            "cast_agent_memory_resident_bytes",
            "cast_agent_processor_seconds",
            "cast_agent_event_loop_lag_seconds",
        }
        assert set(written) <= moving
        await box.client.post("/start?wait=5", json={"url": "http://film/a.mp4"})
        active = [value for (name, _), value in (await numbers(box)).items() if name == "cast_agent_sessions_active"]
        assert sum(active) == 1


async def test_no_sum_falls_when_a_session_ends() -> None:
    """Neither what its player has shown nor the processor time, which is read in several places."""
    async with tracked() as box:
        await box.client.post("/start?wait=5", json={"url": "http://film/a.mp4"})
        shown = ("cast_agent_pictures_displayed_total", (("engine", "fake"),))
        async with asyncio.timeout(5):
            while (before := await numbers(box))[shown] < 3:
                await asyncio.sleep(0.05)
        await box.client.post("/stop")
        after = await numbers(box)
    fallen = {key for key, value in before.items() if key[0].endswith("_total") and after[key] < value}
    assert fallen == set()


def test_a_sum_that_lacks_a_part_for_a_moment_stays() -> None:
    sums, seen = Sums(), []
    for value in (2.0, 1.5, 3.0):
        sums.take(Sum("processor_seconds", "", ("process",), {("players",): value}))
        seen.append([sample.value for family in sums.collect() for sample in family.samples])
    assert seen == [[2.0], [2.0], [3.0]]


def test_a_sum_that_begins_anew_is_shown_as_it_is() -> None:
    """Prometheus takes the fall for a restart, and goes on counting."""
    sums, seen = Sums(), []
    for value in (50.0, 0.0, 20.0):
        sums.take(Sum("outbox_dropped", "", (), {(): value}, begins_anew=True))
        seen.append([sample.value for family in sums.collect() for sample in family.samples])
    assert seen == [[50.0], [0.0], [20.0]]


async def test_a_freeze_is_counted_once() -> None:
    async with tracked() as box:
        await box.client.post("/start?wait=5", json={"url": "http://stalls/film.mp4"})
        async with asyncio.timeout(12):
            while (await numbers(box))["cast_agent_stalls_total", ()] != 1:
                await asyncio.sleep(0.1)


async def test_this_machine_needs_no_key_and_others_do(tmp_path: Path) -> None:
    key = KeyFile(tmp_path).add("prometheus")
    async with tracked(folder=tmp_path) as box:
        assert await numbers(box)
        assert await numbers(box, Authorization=f"Bearer {key}")
        for headers in ({"X-Forwarded-For": "192.0.2.1"}, {"Authorization": "Bearer ca_wrong"}):
            async with box.client.get("/metrics", headers=headers) as refused:
                assert refused.status == 401
        async with box.client.get("/status") as refused:
            assert refused.status == 401


async def test_every_number_is_documented() -> None:
    async with tracked() as box:
        names = {name for name, _ in await numbers(box)}
    told = re.findall(r"^\| `(cast_agent_\w+)`", DOCS.read_text(), re.MULTILINE)
    families = {re.sub(r"_(bucket|count|sum|created|total)$", "", name) for name in names}
    assert families - {name.removesuffix("_total") for name in told} == set()
    # Those with labels are there once they count.
    labelled = {"cast_agent_sessions", "cast_agent_retries", "cast_agent_first_frame_seconds"}
    assert {name.removesuffix("_total") for name in told} - families <= labelled


async def test_the_dashboard_asks_for_what_there_is() -> None:
    """Its queries are valid, about agents only, and use names, labels and label values that an agent has answered."""
    async with tracked() as box:
        await box.client.post("/start?wait=5", json={"url": "http://fragile/film.mp4"})
        there = await numbers(box)
        async with asyncio.timeout(10):
            while "cast_agent_retries_total" not in {name for name, _ in there}:
                await asyncio.sleep(0.05)
                there = await numbers(box)
        await box.client.post("/stop")
        there |= await numbers(box)
    labels: dict[str, dict[str, set[str]]] = {"up": {}}  # of Prometheus: whether the box answers
    for name, pairs in there:
        known = labels.setdefault(name, {})
        for label, value in pairs:
            known.setdefault(label, set()).add(value)
    queries = list(dashboard_queries())
    assert len(queries) > 12
    for query, legend in queries:
        selectors, used = parts(query)
        used |= set(re.findall(r"{{(\w+)}}", legend))
        assert {selector.name for selector in selectors} - {"up"}, f"it counts what is no agent: {query}"
        for selector in selectors:
            assert selector.name in labels, query
            known = labels[selector.name]
            matchers = selector.matchers.matchers
            assert used | {matcher.name for matcher in matchers} <= known.keys() | ADDED_BY_PROMETHEUS, query
            assert all(m.value in known[m.name] for m in matchers if m.op == promql_parser.MatchOp.Equal), query


def dashboard_queries() -> Iterator[tuple[str, str]]:
    """Each query and its legend."""
    dashboard = json.loads(DASHBOARD.read_text())
    for panel in dashboard["panels"]:
        for target in panel["targets"]:
            yield target["expr"], target["legendFormat"]
    boxes = dashboard["templating"]["list"][1]["query"]["query"]
    yield re.sub(r"label_values\((\w+), (\w+)\)", r"count by (\2) (\1)", boxes), ""


def parts(query: str) -> tuple[list[promql_parser.VectorSelector], set[str]]:
    """The metrics that a query reads, and the labels by which it groups or joins. Raises ValueError if it is no
    PromQL."""
    selectors: list[promql_parser.VectorSelector] = []
    used: set[str] = set()

    def visit(expr: promql_parser.Expr) -> None:
        match expr:
            case promql_parser.VectorSelector():
                selectors.append(expr)
            case promql_parser.MatrixSelector():
                selectors.append(expr.vector_selector)
            case promql_parser.AggregateExpr() if expr.modifier is not None:
                used.update(expr.modifier.labels)
            case promql_parser.BinaryExpr() if expr.modifier is not None and expr.modifier.matching is not None:
                used.update(expr.modifier.matching.labels)

    promql_parser.walk(promql_parser.parse(query), visit)
    return selectors, used
