"""Answers that hold for a while."""

from __future__ import annotations

import time

import pytest

from agent.util.remembering import remembered


def test_an_answer_holds_for_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    now, asked = 100.0, []
    monkeypatch.setattr(time, "monotonic", lambda: now)

    @remembered(for_s=1.0)
    def ask() -> int:
        asked.append(now)
        return len(asked)

    assert (ask(), ask()) == (1, 1)
    now = 100.9
    assert ask() == 1
    now = 101.0
    assert (ask(), ask()) == (2, 2)
