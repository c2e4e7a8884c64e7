"""The last uses of keys, as the log of uses waits for the disk."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from agent.access import uses as uses_module
from agent.access.keys import KeyFile
from agent.access.uses import UseLog


async def test_nothing_stays_of_a_key_that_was_revoked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = KeyFile(tmp_path)
    file.add("a-phone-of-long-ago")
    uses = UseLog(file)
    [key] = file.read()
    uses.note(key)
    await uses.write()
    assert file.read()[0].last_used_at is not None
    monkeypatch.setattr(uses_module, "USE_NOTED_EVERY", timedelta(0))
    await uses.write()
    assert "a-phone-of-long-ago" not in str(vars(uses))
