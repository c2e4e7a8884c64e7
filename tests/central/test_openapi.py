"""The description of the calls: it is the one that is kept, names every call, and the service does what it says."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from schemathesis.specs.openapi.checks import positive_data_acceptance

from cast_http.openapi import as_text, document
from central.description import OPERATIONS, SERVICE
from central.system import UNDESCRIBED
from tests.central.support.process import central_process
from tests.support.fuzzing import fuzz
from tests.support.leaks import LeakCheck

KEPT = Path(__file__).parents[2] / "docs" / "central.openapi.json"

EXAMPLES = 25
"""Of each call, beside those that schemathesis makes of the description itself."""

SCHEMA = schemathesis.openapi.from_dict(document(SERVICE, OPERATIONS))
SCHEMA.config.checks.negative_data_rejection.expected_statuses = ["4xx", "5xx"]
"""Without this, 413 counts as if the data was taken; another check looks for errors of the server."""


def test_the_kept_description_is_the_current_one() -> None:
    """Changes of the API show in reviews. To bring it up to date: cast-central openapi > docs/central.openapi.json."""
    assert KEPT.read_text() == as_text(SERVICE, OPERATIONS)


def test_every_call_is_described() -> None:
    """Each path and method of the router, but the two that are about the service itself."""
    described = {
        (path, method) for path, methods in document(SERVICE, OPERATIONS)["paths"].items() for method in methods
    }
    served = {(operation.path, operation.method.lower()) for operation in (*OPERATIONS, *UNDESCRIBED)}
    assert served - described == {("/metrics", "get"), ("/openapi.json", "get")}
    assert len({operation.name for operation in OPERATIONS}) == len(OPERATIONS)


@pytest.fixture(scope="module")
def fuzzed(tmp_path_factory: pytest.TempPathFactory, leaks: LeakCheck) -> Iterator[tuple[str, str]]:
    """The address of one service for all calls, so that what one has made others find, and its admin key."""
    folder = tmp_path_factory.mktemp("fuzzed")
    with central_process(
        f"sqlite:///{folder}/central.db", CAST_CENTRAL_LOG__LEVEL="info", CAST_CENTRAL_LIBRARY__DIR=f"{folder}/library"
    ) as process:
        leaks.own_pids(lambda: process.pids)
        yield process.url, process.command("key", "add", "fuzz")


@pytest.mark.parametrize("call", [operation.name for operation in OPERATIONS])
def test_a_call_does_what_its_description_says(call: str, fuzzed: tuple[str, str]) -> None:
    """Whatever is sent: no 500, no status, header or body that is not described, no bad data taken, no way around the
    key. (That good data is always taken cannot be asked: that a box exists, or that an address holds no password, no
    schema can say.)"""
    url, key = fuzzed
    headers = {"Authorization": f"Bearer {key}"}

    def check(case: schemathesis.Case[Any]) -> None:
        case.call_and_validate(base_url=url, headers=headers, excluded_checks=[positive_data_acceptance])

    fuzz(SCHEMA, call, check, examples=EXAMPLES)
