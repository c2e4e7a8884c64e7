"""An answered call outlives a kill -9: a real process, real files, real HTTP."""

from __future__ import annotations

import random
import threading
import time
from pathlib import Path
from typing import Any

from agent.persistence.session_file import FILE, SAFE_FILE
from tests.support.calls import GONE, call
from tests.support.faked_agent import FakedAgent

LIVES = 30
LIVES_AT_MOST = 120
"""A limit for busy machines, on which a life is often over before its first answer."""
SEED = 3


def post(port: int, path: str, body: object = None) -> Any:
    """See `call`."""
    return call(port, "POST", path, body)


def sessions(port: int) -> set[str]:
    """The sessions that are on, being prepared or waiting."""
    status = call(port, "GET", "/status")
    streams = [*status["interrupted"], *([status["stream"]] if status["stream"] else [])]
    return {status["on_screen"], *(stream["session_id"] for stream in streams)} - {None}


def test_what_was_answered_outlives_a_kill(tmp_path: Path) -> None:
    """Killed at any moment of a busy day: the last start that was answered is there again, and nothing that a stop was
    answered for."""
    dice = random.Random(SEED)
    stopped: set[str] = set()
    wanted: str | None = None
    answered = 0
    with FakedAgent(tmp_path) as agent:
        for life in range(LIVES_AT_MOST):
            if life >= LIVES and answered > LIVES:
                break
            port = agent.live()
            there = sessions(port)
            assert not there & stopped, f"life {life}: came back although it was stopped"
            if wanted is not None:
                assert wanted in there, f"life {life}: {wanted} was accepted, and there is {there}"
            killer = threading.Timer(dice.uniform(0.0, 0.12), agent.kill)
            killer.start()
            try:
                while True:
                    if dice.random() < 0.6:
                        wanted = None  # not known until it is answered
                        body = {"url": "http://film/", "interrupt": dice.random() < 0.5}
                        wanted = post(port, "/start", body)["session_id"]
                    else:
                        there, wanted = sessions(port), None
                        post(port, "/stop", {"all": True})
                        stopped |= there
                    answered += 1
                    time.sleep(dice.choice((0.0, 0.0, 0.003, 0.15)))
            except GONE:
                killer.join()
    assert answered > LIVES, "it was killed before it had done anything"
    left = [file.name for file in tmp_path.iterdir() if file.name not in (FILE, SAFE_FILE)]
    assert len(left) <= 2, f"what a kill left behind is cleared away at the next start: {left}"


def test_no_answer_waits_for_a_slow_disk(tmp_path: Path) -> None:
    """A card that needs seconds to be sure of a write costs no caller anything, and no stop is undone for it."""
    with FakedAgent(tmp_path, fsync_s=3.0) as agent:
        port = agent.live()
        began = time.monotonic()
        session = post(port, "/start?wait=5", {"url": "http://film/"})["session_id"]
        agent.kill()
        port = agent.live()
        assert sessions(port) == {session}
        restored = time.monotonic()
        post(port, "/stop")
        stopped_s = time.monotonic() - restored
        agent.kill()
        assert sessions(agent.live()) == set()
        assert stopped_s < 1.0
        assert restored - began < 6.0, "counting the restore waits for the disk, but not for ever"
