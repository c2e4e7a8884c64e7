"""A call of an API, fuzzed against the description of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.core.result import Ok
from schemathesis.pytest.lazy import get_all_tests
from schemathesis.schemas import BaseSchema


def fuzz(schema: BaseSchema, call: str, check: Callable[[schemathesis.Case[Any]], None], *, examples: int) -> None:
    """Run `check` with requests for this call: those that schemathesis makes of the description, and so many more.

    They are made now. As a decorator, schemathesis makes those of all calls while tests are collected: some seconds in
    each process that collects, whichever of them runs the tests.
    """
    limits = settings(max_examples=examples, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    only = schema.include(operation_id=call)
    [found] = get_all_tests(schema=only, test_func=lambda case: check(case), settings=limits, given_kwargs={})
    assert isinstance(found, Ok), found
    _, run = found.ok()
    run()
