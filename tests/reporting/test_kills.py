"""Both sides killed at random: afterwards the central API's list of events is what happened, in order, each once."""

from __future__ import annotations

import random
from pathlib import Path

from agent.reporting.central.credentials import Credentials
from tests.central.support.process import CentralProcess
from tests.reporting.support.admin import Admin
from tests.reporting.support.kills import Span, delivered, kills, live_and_die
from tests.reporting.support.witness import lives_in, verdict
from tests.support.faked_agent import FakedAgent

LIVES = 14
EVENTS = 100
SEED = 5
DELIVERED_S = 30.0
"""From the end of all trouble until everything is there; the pause between two tries has grown to some seconds."""


async def test_nothing_is_lost_doubled_or_out_of_order(
    central: CentralProcess, enrolment: Credentials, admin: Admin, tmp_path: Path
) -> None:
    """A busy box and its central API, each killed at any moment: what the box's own log says is what was reported."""
    dice = random.Random(SEED)
    folder, logs = tmp_path / "state", tmp_path / "logs"
    logs.mkdir()
    with FakedAgent(folder, logs=logs) as agent:
        with kills(central, random.Random(SEED), up=Span(0.3, 2.0), down=Span(0.0, 0.5)):
            life = 0
            while life < LIVES or (life < 3 * LIVES and _happened(logs) <= 1.5 * EVENTS):
                live_and_die(agent, dice, Span(0.0, 0.1) if life % 3 else Span(0.5, 2.5))
                life += 1
        status = delivered(agent.live(), timeout_s=DELIVERED_S)
    assert status["dropped"] == 0
    found = verdict(lives_in(logs), await admin.events(enrolment.device_id))
    print(f"{found.events} events of {found.lives} lives, {found.unlogged} not in the log because of a kill")
    assert found.is_right, f"{found}\n{found.story}"
    assert found.events > EVENTS


def _happened(logs: Path) -> int:
    """Events so far, by the box's own log, those of sessions that a life took up again counted twice: a busy machine
    needs more lives for as many."""
    return sum(1 for life in lives_in(logs) for _ in life.happened({}))
