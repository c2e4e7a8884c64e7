"""The description of the calls: it is the one that is kept, names every call, and the agent does what it says."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest
import schemathesis
from aiohttp import web
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from schemathesis.checks import not_a_server_error
from schemathesis.core import NOT_SET
from schemathesis.specs.openapi.checks import negative_data_rejection, positive_data_acceptance

from agent.frontends.http.app import runner_of
from agent.frontends.http.description import SERVICE, description
from agent.frontends.http.guard import Access
from agent.frontends.http.operations import OPERATIONS, Operation
from agent.frontends.http.responses import EventMessage, StatusAnswer
from agent.types import StartRequest
from cast_http.openapi import document
from cast_http.server import ApiRunner
from tests.support.api import Served, served, tracked
from tests.support.fuzzed_agent import fuzzed_agent
from tests.support.leaks import LeakCheck
from tests.support.tools import wait_until
from tests.unit.test_layers import ROOT

KEPT = ROOT / "docs" / "openapi.json"
DOCUMENT = document(SERVICE, OPERATIONS)

EXAMPLES = 8
"""Of each call, beside those that schemathesis makes of the description itself: about 10 s for all."""

UNENDING = {"events"}
"""Calls whose answer does not end; see tests of their own."""

SCHEMA = schemathesis.openapi.from_dict(DOCUMENT)

schemathesis.openapi.format(
    "uri", st.sampled_from([f"http://{host}/" for host in ("film", "flash", "broken", "fragile")])
)

LENIENT: list[Any] = [positive_data_acceptance, negative_data_rejection, not_a_server_error]
"""Checks that are left out. Whether good data is taken depends on what is on; the agent takes more than it describes,
because templates make strings of everything; and 501 to 507 are what it says of others, such as a film that fails."""


def test_the_kept_description_is_the_current_one() -> None:
    """Changes of the API show in reviews. To bring it up to date: cast-agent openapi > docs/openapi.json."""
    assert KEPT.read_text() == description()


def test_every_call_is_named_once() -> None:
    assert len({operation.name for operation in OPERATIONS}) == len(OPERATIONS)


async def test_nothing_else_is_served(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each route of the router is in the table."""
    apps: list[web.Application] = []

    def serve(app: web.Application) -> ApiRunner:
        apps.append(app)
        return runner_of(app)

    monkeypatch.setattr("tests.support.api.runner_of", serve)
    async with served():
        [app] = apps
    routes = {(route.method, route.resource.canonical) for route in app.router.routes() if route.resource}
    described = {(operation.method, operation.template) for operation in OPERATIONS}
    assert {route for route in routes if route[0] != "HEAD"} == described
    assert {path for method, path in routes if method == "HEAD"} == {p for m, p in described if m == "GET"}


async def test_anybody_gets_the_description(api: Served) -> None:
    """Also through a proxy, and under a name that is not known."""
    headers = {"Host": "rebound.example", "X-Forwarded-For": "192.0.2.1"}
    async with api.client.get("/openapi.json", headers=headers) as answer:
        assert (answer.status, await answer.json()) == (200, DOCUMENT)


@pytest.fixture
async def api() -> AsyncIterator[Served]:
    async with served() as api:
        yield api


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)
async def test_only_open_calls_are_open(api: Served, operation: Operation) -> None:
    """In protected mode a stranger is let into the calls that the table calls open, and into no other."""
    path = operation.template.replace("{", "").replace("}", "")
    headers = {"X-Forwarded-For": "192.0.2.1"}
    async with api.client.request(operation.method, path, headers=headers) as answer:
        code = (await answer.json()).get("code") if answer.content_type == "application/json" else None
    assert (code == "protected_mode") == (operation.access in (Access.KEY, Access.LOCAL))


def test_the_manual_mentions_every_call() -> None:
    """docs/api.md has each with its method and path."""
    manual = (ROOT / "docs" / "api.md").read_text()
    missing = [f"{o.method} {o.template}" for o in OPERATIONS if f"{o.method} {o.template}" not in manual]
    assert not missing


async def test_events_are_as_described() -> None:
    """Each message has the members of its model, and a name that the description knows."""
    names = DOCUMENT["paths"]["/events"]["get"]["responses"]["200"]["content"]["text/event-stream"]["x-events"]
    seen: set[str] = set()
    async with tracked() as api, api.client.get("/events") as answer:
        assert answer.content_type == "text/event-stream"
        api.tracker.start(StartRequest(url="http://flash/"))
        name = ""
        while name != "session_ended":
            field, _, value = (await answer.content.readline()).decode().strip().partition(": ")
            if field == "event":
                seen.add(name := value)
            elif field == "data":
                model = StatusAnswer if name == "snapshot" else EventMessage
                assert set(json.loads(value)) == set(model.model_fields)
                model.model_validate_json(value)
    assert {"snapshot", "session_started", "first_frame", "session_ended"} <= seen <= names.keys()


@pytest.fixture(scope="module")
def fuzzed(tmp_path_factory: pytest.TempPathFactory, leaks: LeakCheck) -> Iterator[str]:
    """The address of one agent for all calls, so that what one has made others find."""
    with leaks.adopting(), fuzzed_agent(tmp_path_factory.mktemp("fuzzed")) as (url, pid):
        leaks.own_pids(lambda: {pid})
        yield url


def test_calls_that_succeed_answer_as_described(fuzzed: str) -> None:
    """One after the other, each with what earlier ones have answered."""

    def call(name: str, body: Any = NOT_SET, *, status: int = 200, **path: str) -> Any:
        case = SCHEMA.find_operation_by_id(name).Case(path_parameters=path, body=body)
        answer = case.call_and_validate(base_url=fuzzed, excluded_checks=LENIENT)
        assert answer.status_code == status, answer.text
        return json.loads(answer.content) if answer.content.startswith(b"{") else None

    preset = call("add_preset", {"id": "door", "title": "Door", "url": "http://film/"}, status=201)
    call("change_preset", {"title": "Front door", "muted": True}, id=preset["id"])
    session = {"session_id": call("start", {"preset": preset["id"]})["session_id"]}
    call("start", {**session, "title": "The front door"})
    wait_until(lambda: call("status")["stream"]["state"] == "playing", timeout_s=10, what="it plays")
    for name in ("pause", "resume", "health", "metrics", "snapshot", "list_presets"):
        call(name)
    call("seek", {"position": 2})
    call("volume", {"volume_level": 0.5})
    wait_until(lambda: call("list_recent")["recent"], timeout_s=10, what="it is noted")
    call("start", {"recent": call("list_recent")["recent"][0]["id"], "interrupt": True})
    call("stop", {"all": True})
    call("clear_recent")
    call("remove_preset", id=preset["id"])
    assert call("status")["last"] is not None


def _fuzz(operation: Operation) -> Callable[..., None]:
    @SCHEMA.include(operation_id=operation.name).parametrize()
    @settings(max_examples=EXAMPLES, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    def test(case: schemathesis.Case[Any], fuzzed: str) -> None:
        """Whatever is sent: no 500, and no status, header or body that is not described."""
        answer = case.call_and_validate(base_url=fuzzed, excluded_checks=LENIENT)
        assert answer.status_code != 500

    fuzz: Callable[..., None] = test
    return fuzz


# One test for each call: schemathesis would give all of them one name, of which a run on several cores keeps one.
for _operation in OPERATIONS:
    if _operation.name not in UNENDING:
        globals()[f"test_{_operation.name}_does_what_its_description_says"] = _fuzz(_operation)
