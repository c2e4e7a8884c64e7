"""The comparison of the screen, /status and the processes with the model."""

from __future__ import annotations

import time
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from soak.box import Box
from soak.media import Kind
from soak.model import Wanted

LOOK_AGAIN_S = 0.05
STEADY_S = 0.3
"""It has to be right for so long."""
FIRST_REPORT_S = 3.0
"""A position is compared only when it is this fresh at most."""


class Fault(StrEnum):
    """A fault that can be found after a step."""

    PICTURE = "wrong picture"
    STATUS = "disagreement"
    PROCESS = "orphan"
    STEP = "failed step"


@dataclass(frozen=True, slots=True)
class Wrong:
    fault: Fault
    text: str


def settle(box: Box, *, within_s: float) -> tuple[float, list[Wrong]]:
    """Wait until all is as the model wants it and stays so: the seconds that it took, and what was still wrong."""
    began = time.monotonic()
    right_since: float | None = None
    while True:
        wrong = _look(box)
        now = time.monotonic()
        if wrong:
            right_since = None
        elif right_since is None:
            right_since = now
        elif now - right_since >= STEADY_S:
            break
        if wrong and now - began > within_s:
            return now - began, wrong
        time.sleep(LOOK_AGAIN_S)
    top = box.model.top
    if top is not None and not top.broken:
        top.shown, top.left_at = True, None
    return right_since - began, []


def _look(box: Box) -> list[Wrong]:
    try:
        status = box.status()
    except (OSError, ValueError) as error:
        return [Wrong(Fault.STEP, f"the agent does not answer /status: {error}")]
    return [*_picture(box), *_status(box, status), *_processes(box)]


def _picture(box: Box) -> list[Wrong]:
    seen, top, colour = box.watch.seen, box.model.top, box.model.colour
    if seen.colour != colour:
        return [
            Wrong(Fault.PICTURE, f"the screen shows {seen.colour or 'nothing, there is no X server'}, not {colour}")
        ]
    if top is None or top.broken or not top.source.moves:
        return []
    if top.paused == seen.moves:
        return [Wrong(Fault.PICTURE, f"the picture of {top.source} {'moves' if seen.moves else 'stands still'}")]
    return []


def _status(box: Box, status: Any) -> list[Wrong]:
    model, stream = box.model, status["stream"]
    texts = []
    wanted = None if model.top is None else model.top.id
    said = None if stream is None else stream["session_id"]
    if said != wanted:
        texts.append(f"/status.stream is {said}, not {wanted}; last: {status['last'] and _brief(status['last'])}")
    waiting = [waiting["session_id"] for waiting in status["interrupted"]]
    if waiting != [waiting.id for waiting in model.waiting]:
        texts.append(f"/status.interrupted is {waiting}, not {[waiting.id for waiting in model.waiting]}")
    if (level := status["volume"]["volume_level"]) != model.volume:
        texts.append(f"/status.volume is {level}, not {model.volume}")
    if model.top is not None and said == wanted:
        texts += _stream(model.top, status)
    return [Wrong(Fault.STATUS, text) for text in texts]


def _stream(top: Wanted, status: Any) -> list[str]:
    stream = status["stream"]
    if top.broken:
        lies = top.source.kind in (Kind.LIVE, Kind.CAMERA) and stream["state"] == "playing"
        return ["/status says playing, and its server sends nothing"] if lies else []
    texts = []
    state = "paused" if top.paused else "playing"
    if stream["state"] != state:
        texts.append(f"/status says {stream['state']}, not {state}: {_brief(stream)}")
    if status["on_screen"] != top.id:
        texts.append(f"/status.on_screen is {status['on_screen']}, not {top.id}")
    if top.left_at is not None and top.source.has_position and stream["position"] is not None:
        latest = top.left_at + time.monotonic() - top.left_when
        if not top.left_at - 3.0 <= stream["position"] <= latest + 1.0:
            texts.append(f"{top.source} was left at {top.left_at:.1f} s and goes on at {stream['position']:.1f} s")
    return texts


def _processes(box: Box) -> list[Wrong]:
    top = box.model.top
    by_mpv = top is not None and top.source.kind is Kind.CAMERA
    by_pillow = top is not None and top.source.kind is Kind.IMAGE
    by_vlc = top is not None and not by_mpv and not by_pillow
    # A spare of mpv is there from the first camera on, and one for pictures from the first of those; the daemon and a
    # spare of libVLC always are. One attempt is over before the next begins, so what is taken up again has one player,
    # too.
    limits = {"mpv": 1 + by_mpv, "pillow": 1 + by_pillow, "other": 2 + by_vlc}
    for (who, limit), running in zip(limits.items(), box.count_processes(), strict=True):
        if running > limit:
            return [Wrong(Fault.PROCESS, f"{running} {who} processes run, and {limit} are enough: {box.processes()}")]
    if zombies := box.zombies():
        return [Wrong(Fault.PROCESS, f"{zombies} ended processes were not waited for")]
    return []


def _brief(session: Any) -> str:
    kept = ("session_id", "session_state", "state", "attempt", "error", "reason", "position")
    return ", ".join(f"{name}={session[name]}" for name in kept if session.get(name) is not None)
