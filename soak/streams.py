"""Steps that a home automation takes: starts, stops, changes. Each does its part, keeps the model, and returns what
it did as a text; what is right afterwards is looked at by whoever took the step."""

from __future__ import annotations

import random
import time
from collections.abc import Collection

from soak.box import START_TIMEOUT_S, Box
from soak.media import SHORT_S, Kind, Source
from soak.model import BLACK, Wanted
from tests.support.agent import Answer
from tests.support.behaviour import GOOD, Behaviour

EXPIRES_S = 1.5
LONG_S = 600.0
"""A duration that never runs out here."""
POSITIONS_S = 60
"""Seeks and starts at a position go up to this, far from the end of the shortest film."""
END_S = 6.0
"""The longest time from the moment at which a stream is to end to its being gone, on a busy machine."""
CALL_S = 5.0
"""No call may take longer: a stop waits 4 s at most for its players."""


class StepError(Exception):
    """The agent did not do what it was told."""


def start(box: Box, dice: random.Random, *, interrupt: bool = False) -> str:
    source = _pick(box, dice)
    fields = _fields(box, dice, source)
    _allow(box, source.colour)
    _put(box, source, interrupt=interrupt, **fields)
    with_ = f" {fields}" if fields else ""
    return f"{source}{_over(box, interrupt)}{with_}"


def interrupt(box: Box, dice: random.Random) -> str:
    return start(box, dice, interrupt=True)


def start_and_expire(box: Box, dice: random.Random, *, interrupt: bool = False) -> str:
    source = _pick(box, dice, only=(Kind.FILM, Kind.LIVE, Kind.HLS, Kind.IMAGE))
    _allow(box, source.colour, _underneath(box) if interrupt else BLACK)
    wanted = _put(box, source, interrupt=interrupt, duration=EXPIRES_S)
    text = f"{source}{_over(box, interrupt)} for {EXPIRES_S:g} s"
    _ends(box, wanted, "expired", within_s=START_TIMEOUT_S + EXPIRES_S + END_S)
    return text


def interrupt_and_expire(box: Box, dice: random.Random) -> str:
    return start_and_expire(box, dice, interrupt=True)


def short_film(box: Box, dice: random.Random) -> str:
    """It interrupts, and is over by itself."""
    source = box.shelf.short(_pick(box, dice, only=(Kind.FILM,)).colour)
    _allow(box, source.colour, _underneath(box))
    wanted = _put(box, source, interrupt=True)
    _ends(box, wanted, "finished", within_s=START_TIMEOUT_S + SHORT_S + END_S)
    return f"{source} of {SHORT_S:g} s on top, to its end"


def stop(box: Box, dice: random.Random) -> str:
    top = box.model.top
    assert top is not None, "the plan sees to it"
    return _stop(box, top, by_id=False)


def stop_by_id(box: Box, dice: random.Random) -> str:
    return _stop(box, dice.choice(box.model.stack), by_id=True)


def stop_all(box: Box, dice: random.Random) -> str:
    _allow(box, BLACK)
    count = len(box.model.stack)
    _ok(box.agent.call("POST", "/stop", {"all": True}))
    box.gone.extend(box.model.drop(*(wanted.id for wanted in box.model.stack)))
    return f"all {count}"


def expire_while_waiting(box: Box, dice: random.Random) -> str:
    wanted = dice.choice(box.model.waiting)
    _allow(box)
    _ok(box.agent.call("POST", "/start", {"session_id": wanted.id, "duration": EXPIRES_S}))
    _ends(box, wanted, "expired", within_s=EXPIRES_S + END_S)
    return f"{wanted.source}, which waits"


def extend(box: Box, dice: random.Random) -> str:
    wanted = dice.choice(box.model.stack)
    duration = LONG_S + dice.randrange(100)
    _allow(box)
    before = box.player(wanted)
    body = {"session_id": wanted.id, "duration": duration, "title": "longer", "volume": dice.choice((0.3, 1.0))}
    _ok(box.agent.call("POST", "/start", body))
    if before is not None and not wanted.broken and box.player(wanted) != before:
        raise StepError(f"the player of {wanted.source} is another one after it was extended")
    return f"{wanted.source} to {duration:g} s"


def pause(box: Box, dice: random.Random) -> str:
    return _paused(box, True)


def resume(box: Box, dice: random.Random) -> str:
    return _paused(box, False)


def let_time_pass(box: Box, dice: random.Random) -> str:
    """Wait. Nothing may change meanwhile."""
    seconds = dice.uniform(1.0, 6.0)
    _allow(box)
    time.sleep(seconds)
    return f"{seconds:.1f} s"


def seek(box: Box, dice: random.Random) -> str:
    top = box.model.top
    assert top is not None, "the plan sees to it"
    position = float(dice.randrange(1, POSITIONS_S))
    _allow(box)
    _ok(box.agent.call("POST", "/seek", {"position": position}))
    return f"{top.source} to {position:g} s"


def start_that_fails(box: Box, dice: random.Random) -> str:
    """Start something that cannot be played. The current stream stays on."""
    path = box.doing = dice.choice(("/status/404", "/garbage", "/truncated.mp4", "/status/401"))
    _allow(box)
    answer = _timed(box, f"/start?wait={START_TIMEOUT_S + 2:g}", {"url": box.shelf.url(path)}, START_TIMEOUT_S + 3)
    if answer.status != 502:
        raise StepError(f"a start of {path} was answered {answer.status}: {answer.content[:200]!r}")
    return f"{path}: {answer.json['code']}"


def start_that_is_late(box: Box, dice: random.Random) -> str:
    """Its server answers 503 at first."""
    source = _pick(box, dice, only=(Kind.LIVE, Kind.FILM))
    _allow(box, source.colour)
    box.server.behave(source.path, Behaviour(status=503))
    late_s = dice.uniform(0.3, 2.0)  # one attempt fails, or several
    try:
        session_id = _accepted(box, {"url": source.url})
        time.sleep(late_s)
    finally:
        box.server.behave(source.path, GOOD)
    box.gone.extend(box.model.put(Wanted(session_id, source), interrupt=False))
    return f"{source}, whose server answers 503 for {late_s:.1f} s"


def burst(box: Box, dice: random.Random) -> str:
    """Start several streams. The last accepted one wins."""
    count = dice.randrange(3, 7)
    taken = set(box.model.taken)
    sources = []
    for _ in range(count):
        sources.append(box.shelf.pick(dice, taken=taken, only=(Kind.FILM, Kind.LIVE)))
        taken.add(sources[-1].colour)
        if len(taken) > 6:
            break
    _allow(box, *(source.colour for source in sources))
    for source in sources:
        session_id = _accepted(box, {"url": source.url})
        time.sleep(dice.uniform(0.0, 0.3))  # before the one before has a player, or a picture, or after
    box.gone.extend(box.model.put(Wanted(session_id, sources[-1]), interrupt=False))
    return ", ".join(map(str, sources))


def start_and_think_again(box: Box, dice: random.Random) -> str:
    """It interrupts and is stopped at some moment of its beginning; what was on is on."""
    source = _pick(box, dice)
    before_s = dice.uniform(0.0, 0.6)  # a start takes 0.1-0.7 s
    _allow(box, source.colour)
    session_id = _accepted(box, {"url": source.url, "interrupt": True})
    time.sleep(before_s)
    _ok(box.agent.call("POST", "/stop", {"session_id": session_id}))
    return f"{source}, stopped after {before_s:.2f} s"


def set_volume(box: Box, dice: random.Random) -> str:
    """Set the volume of the device; it is kept over everything that follows."""
    level = dice.choice((0.2, 0.5, 0.8, 1.0))
    _allow(box)
    _ok(box.agent.call("POST", "/volume", {"volume_level": level}))
    box.model.volume = level
    return f"{level:g}"


def _fields(box: Box, dice: random.Random, source: Source) -> dict[str, object]:
    fields: dict[str, object] = {}
    if dice.random() < 0.3:
        fields["duration"] = LONG_S
    if source.has_position and dice.random() < 0.3:
        fields["position"] = float(dice.randrange(1, POSITIONS_S))
    if dice.random() < 0.2:
        fields["volume"] = 0.5
    if source.kind is Kind.FILM and dice.random() < 0.2:
        fields["loop"] = True
    return fields


def _pick(box: Box, dice: random.Random, only: Collection[Kind] = tuple(Kind)) -> Source:
    source = box.shelf.pick(dice, taken=box.model.taken, only=only)
    box.doing = str(source)
    return source


def _put(box: Box, source: Source, *, interrupt: bool, **fields: object) -> Wanted:
    """Start it, and return at its first frame."""
    body = {"url": source.url, "interrupt": interrupt, **fields}
    answer = _timed(box, f"/start?wait={START_TIMEOUT_S:g}", body, START_TIMEOUT_S + 1)
    _ok(answer)
    said = answer.json
    if said["status"] != "success":
        raise StepError(f"{source} had no first frame within {START_TIMEOUT_S:g} s")
    box.note("start to first frame", said["time_to_first_frame"])
    if interrupt:
        _left(box)
    wanted = Wanted(said["session_id"], source)
    box.gone.extend(box.model.put(wanted, interrupt=interrupt))
    return wanted


def _left(box: Box) -> None:
    """Remember where the film is that is covered now."""
    top = box.model.top
    waiting = box.status()["interrupted"]
    if top is not None and waiting and waiting[0]["session_id"] == top.id:
        top.left_at = waiting[0]["position"]


def _stop(box: Box, wanted: Wanted, *, by_id: bool) -> str:
    after = [other for other in box.model.stack if other is not wanted]
    following = after[-1] if after else None
    comes_back = following is not None and following is not box.model.stack[-1]
    _allow(box, BLACK if following is None or (comes_back and following.broken) else following.source.colour)
    _ok(box.agent.call("POST", "/stop", {"session_id": wanted.id} if by_id else None))
    box.gone.extend(box.model.drop(wanted.id))
    return f"{wanted.source}, back comes {following.source}" if following else f"{wanted.source}, nothing is left"


def _paused(box: Box, on: bool) -> str:
    top = box.model.top
    assert top is not None, "the plan sees to it"
    _allow(box)
    _ok(box.agent.call("POST", "/pause" if on else "/resume"))
    top.paused = on
    return str(top.source)


def _underneath(box: Box) -> str:
    """The colour that is seen when an interruption is over: a broken stream cannot be shown again."""
    top = box.model.top
    return BLACK if top is None or top.broken else top.source.colour


def _ends(box: Box, wanted: Wanted, reason: str, *, within_s: float) -> None:
    last = box.agent.wait_ended(wanted.id, within_s)
    box.gone.extend(box.model.drop(wanted.id))
    if last["reason"] != reason:
        raise StepError(f"{wanted.source} ended {last['reason']}, not {reason}: {last['error']}")


def _allow(box: Box, *colours: str) -> None:
    """Allow, from now on, no other colours than these and the current ones."""
    box.watch.allow({box.model.colour, *colours})


def _accepted(box: Box, body: dict[str, object]) -> str:
    answer = _timed(box, "/start", body, CALL_S)
    _ok(answer)
    return str(answer.json["session_id"])


def _timed(box: Box, path: str, body: dict[str, object], within_s: float) -> Answer:
    began = time.monotonic()
    answer = box.agent.call("POST", path, body)
    if time.monotonic() - began > within_s:
        raise StepError(f"{path} was answered after {time.monotonic() - began:.1f} s")
    return answer


def _ok(answer: Answer) -> None:
    if answer.status != 200:
        raise StepError(f"it was answered {answer.status}: {answer.content.decode(errors='replace')[:300]}")


def _over(box: Box, interrupt: bool) -> str:
    waiting = box.model.waiting
    return f" over {waiting[0].source}" if interrupt and waiting else ""
