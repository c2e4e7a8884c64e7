"""The boxes that are killed: with scripted players, many lives a second; or the whole agent with real ones."""

from __future__ import annotations

import random
import threading
import time
from contextlib import ExitStack, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol

from soak.reports.world import World
from tests.reporting.support.kills import Span, delivered, live_and_die, use
from tests.reporting.support.witness import Life, lives_in, lives_of
from tests.support.agent import Agent
from tests.support.calls import GONE
from tests.support.clips import Clips
from tests.support.faked_agent import FakedAgent
from tests.support.media_server import MediaServer
from tests.support.xserver import XServer

PAUSES_S = (0.0, 0.01, 0.05, 0.1)
SHORT, LONG = Span(0.0, 0.1), Span(0.2, 4.0)
"""Lives: one in SHORT_OF is killed while it starts."""
SHORT_OF = 4
REAL_LIFE = Span(0.2, 9.0)
"""It answers after a second or so."""
REAL_PAUSES_S = (0.1, 0.5, 1.5, 4.0)

DELIVERED_S = 120.0
"""The longest wait for the last events, which a box has just begun to send; the rest is there."""

TOLD = ("journal_started", "start_accepted", "first_frame_shown", "stream_ended")
"""Lines of the log that are an event each, but for some that are told already."""


class Boxes(Protocol):
    """One box with many lives, of which all but the last end by a kill."""

    lives: int
    happened: int
    """Events, nearly."""

    def __init__(self, world: World) -> None: ...

    def __enter__(self) -> Boxes: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def live_and_die(self, dice: random.Random) -> None: ...

    def deliver(self) -> Any:
        """A last life, until all is told; `/status.reporting`."""

    def witness(self) -> list[Life]: ...


class ScriptedBoxes(Boxes):
    def __init__(self, world: World) -> None:
        self.lives = self.happened = 0
        self._logs = world.folder / "logs"
        self._logs.mkdir()
        world.register(world.folder / "state")
        self._agent = FakedAgent(world.folder / "state", logs=self._logs)

    def __enter__(self) -> Boxes:
        self._agent.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._agent.__exit__(kind, error, trace)

    def live_and_die(self, dice: random.Random) -> None:
        live_and_die(self._agent, dice, LONG if dice.randrange(SHORT_OF) else SHORT, pauses=PAUSES_S)
        self.lives += 1
        self.happened += _told_in(self._logs / str(self.lives))

    def deliver(self) -> Any:
        return delivered(self._agent.live(), timeout_s=DELIVERED_S)

    def witness(self) -> list[Life]:
        return lives_in(self._logs)


class RealBoxes(Boxes):
    """The agent as it is installed, with libVLC, on an X server."""

    def __init__(self, world: World) -> None:
        self.lives = self.happened = 0
        self._world = world
        self._running = ExitStack()

    def __enter__(self) -> Boxes:
        with ExitStack() as running:
            clips = Clips()
            server = running.enter_context(MediaServer(clips))
            films = [clips.film_mp4("red", 3), clips.film_mp4("blue", 3), clips.film_mp4("green", 10)]
            paths = [f"/media/{film.relative_to(clips.folder)}" for film in films]
            self._urls = [server.url(path) for path in (*paths, "/media/nothing.mp4")]
            x = running.enter_context(XServer())
            self._agent = Agent(x.display, audio__output="none")
            running.push(self._agent)
            self._log = self._agent.folder / "log"
            self._world.register(self._agent.folder / "state")
            self._running = running.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._running.__exit__(kind, error, trace)

    def live_and_die(self, dice: random.Random) -> None:
        self._agent.launch()
        process = self._agent.process
        assert process is not None
        killer = threading.Timer(REAL_LIFE.choose(dice), process.kill)
        killer.start()
        while process.poll() is None:
            with suppress(*GONE, RuntimeError):  # it does not answer yet, or has no player yet
                use(self._agent.port, dice, self._urls, pauses=REAL_PAUSES_S)
            time.sleep(0.05)  # between two tries to reach one that is not there yet
        killer.join()
        self._agent.kill()
        self.lives += 1
        self.happened = _told_in(self._log)

    def deliver(self) -> Any:
        self._agent.run()
        return delivered(self._agent.port, timeout_s=DELIVERED_S)

    def witness(self) -> list[Life]:
        return lives_of(self._agent.log(), beginning="agent_launched")


def _told_in(log: Path) -> int:
    """Counted without care: it is only for the progress, and for when to stop."""
    text = log.read_text(errors="replace") if log.exists() else ""
    return sum(text.count(f'"event": "{name}"') for name in TOLD)
