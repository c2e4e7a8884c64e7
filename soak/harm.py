"""Steps that the world takes: servers, players, the daemon and the X server fail, and come back."""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Callable

from soak.box import STALL_TIMEOUT_S, Box
from soak.model import BLACK
from soak.streams import StepError
from tests.support.tools import wait_until

NOTICED_S = STALL_TIMEOUT_S + 1.0
"""A freeze is to be noticed by then."""
DIES_WITH_PARENT_S = 2.0
KEPT_S = 3.0
"""The time after which the wanted sessions are stored: they are written 0.2 s after a change, and a busy disk may be
slow."""


def break_server(box: Box, dice: random.Random) -> str:
    wanted = dice.choice([wanted for wanted in box.model.stack if not wanted.broken and wanted.source.moves])
    name = dice.choice(box.faults_of(wanted.source))
    on_top = wanted is box.model.top
    box.watch.allow({box.model.colour})
    if on_top and wanted.paused:
        box.agent.call("POST", "/resume")  # what is paused may not notice that its server is gone
        wanted.paused = False
    box.break_(wanted, name)
    if on_top and wanted.source.is_live:
        time.sleep(NOTICED_S)  # the eyes that look on tell whether the picture stays meanwhile
    return f"{wanted.source} ({'on top' if on_top else 'waiting'}): {name}"


def heal_servers(box: Box, dice: random.Random) -> str:
    broken = [wanted for wanted in box.model.stack if wanted.broken]
    top = box.model.top
    colours = {box.model.colour} | ({top.source.colour} if top else set())
    box.watch.allow(colours)
    box.mend(*broken)
    healed = time.monotonic()
    if top in broken and top is not None and top.source.is_live:
        box.agent.wait_until(
            lambda: box.watch.seen.moves and box.watch.seen.colour == top.source.colour, 20, "it moves"
        )
        if (back_s := box.watch.seen.moving_since - healed) > 0:
            box.note("server back to moving pictures", back_s)
    return ", ".join(str(wanted.source) for wanted in broken)


def kill_player(box: Box, dice: random.Random) -> str:
    return _signal_player(box, signal.SIGKILL)


def freeze_player(box: Box, dice: random.Random) -> str:
    return _signal_player(box, signal.SIGSTOP)


def kill_spare(box: Box, dice: random.Random) -> str:
    box.watch.allow({box.model.colour})
    if box.model.top is not None and box.model.top.broken:
        return "(not while a stream is being taken up: which one is the spare changes)"
    os.kill(box.spare(), signal.SIGKILL)
    return ""


def kill_daemon(box: Box, dice: random.Random) -> str:
    """SIGKILL; started again, all that was wanted is wanted still."""
    box.watch.allow({box.model.colour, BLACK})
    wanted = [one.id for one in box.model.stack]
    asked = time.monotonic()
    try:
        wait_until(lambda: box.kept() == wanted, timeout_s=KEPT_S, what="what is wanted to be on the disk")
    except TimeoutError as error:
        raise StepError(f"on the disk are {box.kept()}, and wanted are {wanted}") from error
    box.note("what is wanted was on the disk after", time.monotonic() - asked)
    return _begin_anew(box, box.agent.kill)


def restart_daemon(box: Box, dice: random.Random) -> str:
    """SIGTERM, as for an upgrade; started again, all that was wanted is wanted still."""
    box.watch.allow({box.model.colour, BLACK})
    return _begin_anew(box, box.agent.terminate)


def _begin_anew(box: Box, end: Callable[[], object]) -> str:
    players = box.agent.children()
    end()
    left = set(players)

    def are_gone() -> bool:
        left.intersection_update(box.processes())
        return not left

    try:
        wait_until(are_gone, timeout_s=DIES_WITH_PARENT_S, what="the players to end")
    except TimeoutError as error:
        raise StepError(f"these players outlived the daemon: {sorted(left)}") from error
    box.model.daemon_dies()
    began = time.monotonic()
    box.agent.run(until_spare=False)
    box.lives += 1
    top = box.model.top
    if top is not None and not top.broken and top.source.colour != BLACK:
        box.agent.wait_until(lambda: box.watch.seen.colour == top.source.colour, 15, f"{top.source} is back")
        box.note("daemon started to picture back", time.monotonic() - began)
    return f"{len(box.model.stack)} sessions to restore"


def restart_x(box: Box, dice: random.Random) -> str:
    box.watch.allow({box.model.colour, BLACK})
    box.x.kill()
    time.sleep(dice.uniform(0.0, 2.0))  # it is back before the stage has looked for it (every second), or after
    box.x.start()
    began = time.monotonic()
    box.model.screen_dies()
    top = box.model.top
    if top is not None and not top.broken and top.source.colour != BLACK:
        box.agent.wait_until(lambda: box.watch.seen.colour == top.source.colour, 30, f"{top.source} is back")
        box.note("X server back to picture back", time.monotonic() - began)
    else:
        box.agent.wait_until(lambda: box.agent.health()["display"] == "available", 30, "the display is seen again")
    return f"with {top.source if top else 'nothing'} on it"


def freeze_x(box: Box, dice: random.Random) -> str:
    """It stands still for a while and goes on: noticed, everything is put on it anew; else it is on it still."""
    box.watch.allow({box.model.colour, BLACK})
    seconds = dice.uniform(0.5, 8.0)  # some are noticed: a frozen server is asked every 5 s, and has 2 s to answer
    lost = len(box.agent.log("display_lost"))
    box.x.pause()
    try:
        time.sleep(seconds)
    finally:
        box.x.resume()
    thawed = time.monotonic()
    box.agent.wait_until(lambda: box.agent.health()["display"] == "available", 30, "the display is seen again")
    box.note("X server thawed to display available", time.monotonic() - thawed)
    if noticed := len(box.agent.log("display_lost")) > lost:
        box.model.screen_dies()
    return f"for {seconds:.1f} s{', noticed' if noticed else ''}"


def _signal_player(box: Box, number: int) -> str:
    """Signal the player of the top. Its stream is retried, without another picture in between."""
    top = box.model.top
    assert top is not None, "the plan sees to it"
    box.watch.allow({box.model.colour})
    pid = box.player(top)
    if pid is None:
        raise StepError(f"{top.source} has no player")
    os.kill(pid, number)
    box.agent.wait_until(lambda: pid not in box.agent.children(), 12, f"the player {pid} is gone")
    return f"of {top.source}, pid {pid}"
