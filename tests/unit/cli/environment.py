"""The environment of commands that are run in the process of the tests."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


def only_settings_of_the_test(monkeypatch: pytest.MonkeyPatch, state: Path) -> None:
    """Take away the settings that this machine has in its environment; keep everything in `state`."""
    for name in os.environ:
        if name.startswith("CAST_AGENT_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("CAST_AGENT_STATE__DIR", str(state))
