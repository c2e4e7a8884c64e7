"""Hooks: their secrets, and how often one may call."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from agent.access.gate import GateError
from agent.access.hooks import CALLS, CALLS_WITHIN_S, HookAction, HookFile, Hooks
from agent.access.keys import KeyFile, KeysError
from agent.media.redaction import redact
from agent.types import ErrorCode


@pytest.fixture
def file(tmp_path: Path) -> HookFile:
    return HookFile(tmp_path)


def refused(hooks: Hooks, secret: str, peer: str = "192.0.2.7") -> ErrorCode | None:
    try:
        hooks.admit(secret, peer=peer)
    except GateError as error:
        return error.failure.code
    return None


def test_a_secret_is_shown_once_and_its_hash_kept(file: HookFile) -> None:
    secret = file.add("doorbell", action=HookAction.START, preset="front-door")
    assert re.fullmatch(r"cah_[A-Za-z0-9_-]{43}", secret)
    text = file.path.read_text()
    assert secret.removeprefix("cah_") not in text
    assert file.path.stat().st_mode & 0o777 == 0o600
    assert json.loads(text)["keys"][0]["preset"] == "front-door"
    assert secret not in redact(f"GET /hook/{secret} http://box/hook/{secret}?title=x")


def test_each_hook_is_its_own_and_no_key(file: HookFile, tmp_path: Path) -> None:
    start = file.add("ring", action=HookAction.START, preset="front-door")
    stop = file.add("quiet", action=HookAction.STOP)
    key = KeyFile(tmp_path).add("home-assistant")
    hooks = Hooks(file)
    assert [(hook.name, hook.action) for hook in (hooks.admit(s, peer="") for s in (start, stop))] == [
        ("ring", HookAction.START),
        ("quiet", HookAction.STOP),
    ]
    assert refused(hooks, key) is ErrorCode.NOT_FOUND
    assert KeyFile(tmp_path).find(start) is None
    file.revoke("ring")
    assert refused(hooks, start) is ErrorCode.NOT_FOUND
    assert refused(hooks, stop) is None


def test_mistakes_are_told_in_words_of_hooks(file: HookFile) -> None:
    file.add("ring", action=HookAction.STOP)
    with pytest.raises(KeysError, match=r"There is a hook ring already.*cast-agent hook revoke ring"):
        file.add("ring", action=HookAction.STOP)
    with pytest.raises(KeysError, match=r"There is no hook 'bell'. There are: ring."):
        file.revoke("bell")
    file.path.write_text("{")
    with pytest.raises(KeysError, match="make all hooks again with cast-agent hook add"):
        file.read()


def test_one_hook_is_not_called_without_end(file: HookFile) -> None:
    now = 0.0
    hooks = Hooks(file, clock=lambda: now)
    loop, other = (file.add(name, action=HookAction.STOP) for name in ("loop", "other"))
    assert [refused(hooks, loop) for _ in range(CALLS + 1)] == [None] * CALLS + [ErrorCode.TOO_MANY_REQUESTS]
    assert refused(hooks, other) is None
    now = CALLS_WITHIN_S
    assert refused(hooks, loop) is None


def test_who_guesses_waits_and_holds_up_nobody(file: HookFile) -> None:
    hooks = Hooks(file, clock=lambda: 0.0)
    secret = file.add("ring", action=HookAction.STOP)
    guesses = [refused(hooks, f"cah_{number}") for number in range(7)]
    assert guesses == [ErrorCode.NOT_FOUND] * 5 + [ErrorCode.TOO_MANY_REQUESTS] * 2
    assert refused(hooks, "cah_0", peer="192.0.2.8") is ErrorCode.NOT_FOUND
    assert refused(hooks, secret) is None


async def test_it_is_kept_when_a_hook_was_used(file: HookFile) -> None:
    hooks = Hooks(file)
    hooks.admit(file.add("ring", action=HookAction.STOP), peer="")
    assert file.read()[0].last_used_at is None
    await hooks.uses.write()
    assert file.read()[0].last_used_at is not None
