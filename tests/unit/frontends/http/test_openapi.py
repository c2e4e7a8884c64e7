"""The description of the calls: it is the one that is kept, names every call, and the agent does what it says."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
import schemathesis
from aiohttp import web
from hypothesis import settings
from hypothesis import strategies as st
from schemathesis.checks import not_a_server_error
from schemathesis.core import NOT_SET
from schemathesis.core.transport import Response
from schemathesis.generation.stateful.state_machine import (
    DEFAULT_STATE_MACHINE_SETTINGS,
    APIStateMachine,
    StepInput,
    StepOutput,
)
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
from tests.support.fuzzing import fuzz
from tests.support.leaks import LeakCheck
from tests.support.tools import wait_until
from tests.unit.test_layers import ROOT

KEPT = ROOT / "docs" / "openapi.json"
DOCUMENT = document(SERVICE, OPERATIONS)

EXAMPLES = 8
"""The number for each call, beside those that schemathesis makes of the description itself."""

CHAINS, CHAIN_CALLS = 20, 6
"""The number of calls that follow links, and the most calls in one chain: some 5 s."""

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
    """Callers get it through a proxy, too, and under a name that is not known."""
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
    """The calls are made one after the other, each with what earlier ones have answered."""

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


@pytest.mark.parametrize("call", [operation.name for operation in OPERATIONS if operation.name not in UNENDING])
def test_a_call_does_what_its_description_says(call: str, fuzzed: str) -> None:
    """No 500 is answered, whatever is sent, and no status, header or body that is not described."""

    def check(case: schemathesis.Case[Any]) -> None:
        answer = case.call_and_validate(base_url=fuzzed, excluded_checks=LENIENT)
        assert answer.status_code != 500

    fuzz(SCHEMA, call, check, examples=EXAMPLES)


@pytest.mark.parametrize("operation", [each for each in OPERATIONS if each.links], ids=lambda each: each.name)
def test_a_link_leads_to_a_call_that_takes_what_there_is(operation: Operation) -> None:
    """Its members are in every good answer, and the other call has a place for each."""
    for link in operation.links:
        [target] = [each for each in OPERATIONS if each.name == link.call]
        places = {f"path.{name}" for name in re.findall(r"{(\w+)}", target.template)}
        assert places <= link.parameters.keys() <= places | {f"header.{header['name']}" for header in target.headers}
        assert link.body.keys() <= (target.body.model_fields.keys() if target.body else set())
        for answer in operation.answers.values():
            assert isinstance(answer, type)
            required = {name for name, field in answer.model_fields.items() if field.is_required()}
            assert {*link.parameters.values(), *link.body.values()} <= required


def _chains(url: str, succeeded: set[str]) -> type[APIStateMachine]:
    """Calls that follow the links of the description, and no others; the names of links that a call followed with
    success come to `succeeded`."""
    linked = schemathesis.openapi.from_dict(DOCUMENT)
    linked.config.generation.update(modes=[schemathesis.GenerationMode.POSITIVE])
    linked.config.phases.stateful.inference.algorithms = []

    @linked.hook
    def map_body(context: schemathesis.HookContext, body: Any) -> Any:
        """A chain begins with something that can be played: what is only well formed seldom leads anywhere."""
        if context.operation is None or context.operation.label not in ("POST /start", "POST /presets"):
            return body
        return {name: body[name] for name in body if name in ("id", "title", "quality")} | {"url": "http://film/"}

    class Chains(linked.as_state_machine()):  # type: ignore[misc]
        def setup(self) -> None:
            """Bring the box back to its state before a chain: hypothesis repeats chains."""
            for preset in json.loads(self.made("list_presets").call(base_url=url).content)["presets"]:
                self.made("remove_preset", path_parameters={"id": preset["id"]}).call(base_url=url)
            self.made("stop", body={"all": True}).call(base_url=url)

        def made(self, name: str, **parts: Any) -> schemathesis.Case[Any]:
            case: schemathesis.Case[Any] = linked.find_operation_by_id(name).Case(**parts)
            return case

        def get_call_kwargs(self, case: schemathesis.Case[Any]) -> dict[str, Any]:
            return {"base_url": url}

        def step(self, given: StepInput) -> StepOutput:
            output: StepOutput = super().step(given)
            if given.transition is not None and given.is_applied and output.response.status_code < 300:
                succeeded.add(given.transition.id)
            return output

        def validate_response(self, response: Response, case: schemathesis.Case[Any], **_: Any) -> None:
            case.validate_response(response, excluded_checks=LENIENT)
            assert response.status_code != 500

    return Chains


def test_chains_of_calls_do_what_their_description_says(fuzzed: str) -> None:
    """Each call after another takes what that has answered, such as the id of a preset just saved."""
    succeeded: set[str] = set()
    limits = settings(DEFAULT_STATE_MACHINE_SETTINGS, max_examples=CHAINS, stateful_step_count=CHAIN_CALLS)
    _chains(fuzzed, succeeded).run(settings=limits)
    assert any(link.startswith("POST ") for link in succeeded)
