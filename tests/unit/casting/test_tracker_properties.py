"""The tracker under thousands of interleavings: scripted fakes, virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, invariant, rule

from agent.casting import watching
from agent.casting.limits import Limits
from agent.casting.moves import MOVES
from agent.casting.parts import SessionParts
from agent.casting.session import Session
from agent.casting.tracker import StreamTracker
from agent.errors import MediaError, PlayerUnavailableError
from agent.types import (
    EndReason,
    ErrorCode,
    MediaType,
    PlayerState,
    SessionChange,
    SessionId,
    SessionState,
    StartRequest,
    StreamRef,
)
from tests.support.fakes import SCRIPTS, FakePlayers, FakeStage, FakeStreams
from tests.support.virtual_time import VirtualTimeLoop

ENDLESS = ["film", "slow", "radio", "tough"]
SETTLED_S = 60.0
"""Virtual time that is longer than any script, duration and pause of these."""
SWITCHED_S = 10.0
"""The part of it in which one session takes the place of another. In the rest sessions fail or end."""
SELDOM_S = 1.0
"""The pause between two looks at a player in that rest: a fifth of the time after which it counts as stalled."""


class TrackerMachine(RuleBasedStateMachine):
    """Whatever comes in whatever order: one picture, one sound, the last start wins, every end has a reason."""

    sessions = Bundle("sessions")

    @initialize()
    def build(self) -> None:
        self.loop = VirtualTimeLoop()
        self.accepted: list[SessionId] = []
        self.ends: dict[SessionId, list[EndReason]] = {}

        async def make() -> None:
            self.players = FakePlayers()
            self.players.other_engines = {"other": ""}
            self.stage = FakeStage(self.players)
            self.streams = FakeStreams()
            self.tracker = StreamTracker(
                SessionParts(self.players, self.stage, lambda url: url, streams=self.streams),
                limits=Limits(start_timeout=15.0, stall_timeout=5.0),
                seed=7,
            )

        self.run(make())
        machine = self

        class Witness(Session):
            def move(self, state: SessionState) -> None:
                assert state in MOVES[self.state], (self.state, state)
                super().move(state)
                if state is SessionState.ENDED:
                    assert self.end is not None
                    machine.ends.setdefault(self.id, []).append(self.end.reason)

        import agent.casting.runners

        agent.casting.runners.Session = Witness  # type: ignore[attr-defined]

    def run(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        return self.loop.run_until_complete(coroutine)

    def settle(self) -> None:
        """Wait until nothing happens any more. Four looks a second for all of that took most of this test."""
        self.run(asyncio.sleep(SWITCHED_S))
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(watching, "OBSERVE_EVERY_S", SELDOM_S)
            self.run(asyncio.sleep(SETTLED_S - SWITCHED_S))

    @rule(
        target=sessions,
        script=st.sampled_from(sorted(SCRIPTS)),
        duration=st.sampled_from([None, None, 0.5, 20.0]),
        interrupt=st.booleans(),
        loop=st.sampled_from([False, False, True]),
    )
    def start(
        self, script: str, duration: float | None = None, interrupt: bool = False, loop: bool = False
    ) -> SessionId | None:
        """Any start, at any moment."""
        return self.accept(StartRequest(url=f"http://{script}/", duration=duration, interrupt=interrupt, loop=loop))

    @rule(target=sessions, interrupt=st.booleans())
    def join(self, interrupt: bool) -> SessionId | None:
        """The same by code."""
        return self.accept(StartRequest(join=StreamRef(code="K7QF2M"), interrupt=interrupt))

    @rule(
        scripts=st.lists(st.sampled_from(sorted(SCRIPTS)), max_size=3),
        away=st.booleans(),
        takes_s=st.sampled_from([0.0, 0.005, 0.6]),
    )
    def stream_changes(self, scripts: list[str], away: bool, takes_s: float) -> None:
        """A joined stream ends, begins or moves; the central API may be away or slow meanwhile."""
        self.streams.urls = tuple(f"http://{script}/{number}" for number, script in enumerate(scripts))
        self.streams.away, self.streams.takes_s = away, takes_s

    def accept(self, request: StartRequest) -> SessionId | None:
        async def call() -> SessionId | None:
            try:
                return self.tracker.start(request)
            except PlayerUnavailableError:
                assert not self.stage.available
                return None

        session_id: SessionId | None = self.run(call())
        if session_id is not None:
            self.accepted.append(session_id)
            stream = self.tracker_snapshot().stream
            assert stream is not None
            assert stream.session_id == session_id, "/status shows the newest accepted session"
        return session_id

    @rule(seconds=st.sampled_from([0.0, 0.001, 0.05, 0.1, 0.11, 0.15, 1.0, 4.0, 20.0]))
    def wait(self, seconds: float) -> None:
        self.run(asyncio.sleep(seconds))

    @rule(seconds=st.sampled_from([0.0, 0.03, 0.1, 1.0]), both=st.booleans())
    def stop(self, seconds: float, both: bool) -> None:
        """After a stop nothing is on, and nothing comes by itself."""

        async def call() -> None:
            await asyncio.gather(*(self.tracker.stop(everything=True) for _ in range(2 if both else 1)))

        self.run(call())
        snapshot = self.tracker_snapshot()
        assert snapshot.stream is None
        assert snapshot.on_screen is None
        assert not self.stage.stack
        assert not self.players.alive
        self.run(asyncio.sleep(seconds))
        assert self.tracker_snapshot().stream is None

    @rule(seconds=st.sampled_from([0.0, 0.03, 0.5, 1.0]))
    def stop_before_another(self, seconds: float) -> None:
        """After such a stop there may be a picture, but no player; and it goes, unless something is to come."""
        self.run(self.tracker.stop(everything=True, picture_stays_s=0.6))
        assert self.tracker_snapshot().stream is None
        assert not self.players.alive
        self.run(asyncio.sleep(seconds))
        assert seconds < 0.6 or not self.stage.stack

    @rule(session=consumes(sessions))
    def stop_one(self, session: SessionId | None) -> None:
        """Stopping one session ends that one, and no other."""
        if session is None:
            return
        before = {s.session_id for s in self.alive() if s.reason is None}
        ended = self.run(self.tracker.stop(session))
        assert {s.session_id for s in ended} == before & {session}
        self.run(asyncio.sleep(0.1))  # one that was superseded a moment ago may still be ending
        assert session in self.ends

    @rule()
    def crash(self) -> None:
        """A player dies under the agent."""

        async def call() -> None:
            for player in self.players.alive:
                player.crash()

        self.run(call())

    @rule()
    def display_goes(self) -> None:
        async def call() -> None:
            self.stage.lose_display()

        self.run(call())

    @rule()
    def display_comes(self) -> None:
        async def call() -> None:
            self.stage.regain_display()

        self.run(call())

    @rule(broken=st.booleans(), take_s=st.sampled_from([0.0, 0.3]))
    def players_change(self, broken: bool, take_s: float) -> None:
        self.players.broken, self.players.take_s = broken, take_s

    @rule(scripts=st.lists(st.sampled_from(ENDLESS), min_size=1, max_size=5))
    def last_start_wins(self, scripts: list[str]) -> None:
        """Of starts that can all be shown, at once or one by one, the last accepted is what is on."""
        self.heal()
        for script in scripts:
            last = self.start(script)
        self.settle()
        on_screen = self.tracker_snapshot().on_screen
        assert on_screen is not None
        assert on_screen.session_id == last
        assert on_screen.session_state is SessionState.ACTIVE

    @rule(script=st.sampled_from(["broken", "late-broken", "never", "blank", "mute-radio"]), interrupt=st.booleans())
    def failed_start_leaves_the_old_one(self, script: str, interrupt: bool) -> None:
        """A start that cannot be shown leaves what was on as it was, sound included."""
        self.heal()
        old = self.start("film")
        self.settle()
        failed = self.start(script, interrupt=interrupt)
        self.settle()
        snapshot = self.tracker_snapshot()
        assert snapshot.on_screen is not None
        assert snapshot.on_screen.session_id == old
        assert snapshot.stream == snapshot.on_screen
        assert snapshot.last is not None
        assert snapshot.last.session_id == failed
        assert snapshot.last.reason is EndReason.FAILED
        assert snapshot.last.error is not None
        assert [p.sound for p in self.players.alive] == [True]

    @rule(
        bottom=st.sampled_from(["film", "tough"]),
        tops=st.lists(st.sampled_from(["short", "film", "radio", "breaks"]), min_size=1, max_size=4),
        pause=st.sampled_from([0.05, 0.15, 2.0]),
        stopped=st.booleans(),
    )
    def what_was_interrupted_comes_back(self, bottom: str, tops: list[str], pause: float, stopped: bool) -> None:
        """Whatever goes on top and ends, in the end the film at the bottom is on again."""
        self.heal()
        self.run(self.tracker.stop(everything=True))
        film = self.start(bottom)
        self.settle()
        for top in tops:
            self.start(top, duration=8.0, interrupt=True)
            self.run(asyncio.sleep(pause))
            if stopped:
                shown = self.tracker_snapshot().on_screen
                if shown is not None and shown.session_id != film:
                    self.run(self.tracker.stop(shown.session_id))
        self.settle()
        snapshot = self.tracker_snapshot()
        assert snapshot.on_screen is not None
        assert snapshot.on_screen.session_id == film
        assert not snapshot.interrupted
        assert [p.sound for p in self.players.alive] == [True]

    @rule(duration=st.sampled_from([1.0, 30.0]))
    def extend(self, duration: float) -> None:
        """A session that is on or waits can be given a new duration, counted from now."""
        for session in self.alive():
            if session.reason is None:
                self.run(self.changed(session.session_id, duration))

    async def changed(self, session_id: SessionId, duration: float) -> None:
        self.tracker.change(session_id, SessionChange(duration=duration, title="new"))
        saved = next(s for s in self.tracker.saved() if s.session_id == session_id)
        assert not saved.played or saved.remaining == pytest.approx(duration)

    @rule()
    def taken_up_again(self) -> None:
        """A stream that breaks after it has played is on again by itself, under the same id."""
        self.heal()
        self.run(self.tracker.stop(everything=True))
        film = self.start("film")
        self.settle()
        for player in self.players.alive:
            player.fail(MediaError(ErrorCode.MEDIA_NETWORK, "scripted"))
        self.run(asyncio.sleep(0.001))  # it is noticed, and nothing has taken its place yet
        assert self.stage.stack, "its last picture stays"
        self.settle()
        on_screen = self.tracker_snapshot().on_screen
        assert on_screen is not None
        assert (on_screen.session_id, on_screen.state) == (film, PlayerState.PLAYING)
        assert len(self.stage.stack) == 1

    @rule(before=st.sampled_from(ENDLESS), after=st.sampled_from(ENDLESS), away=st.booleans())
    def what_was_joined_is_followed(self, before: str, after: str, away: bool) -> None:
        """It is what the stream is, in one session, until that has ended; the central API may be away in between."""
        self.heal()
        self.run(self.tracker.stop(everything=True))
        self.stream_changes(["broken", before], False, 0.005)
        session = self.join(False)
        for script in (before, after):
            self.stream_changes([script], False, 0.005)
            self.settle()
            on_screen = self.tracker_snapshot().on_screen
            assert on_screen is not None
            assert (on_screen.session_id, on_screen.url) == (session, f"http://{script}/0")
            assert [p.url for p in self.players.alive] == [on_screen.url]
            self.stream_changes([], away, 0.005)
            if away:
                self.settle()
                assert self.tracker_snapshot().on_screen.session_id == session, "nobody has said that it is over"
        self.stream_changes([], False, 0.005)
        self.settle()
        snapshot = self.tracker_snapshot()
        assert snapshot.stream is None
        assert (snapshot.last.session_id, snapshot.last.reason) == (session, EndReason.FINISHED)

    @invariant()
    def one_picture_and_one_sound(self) -> None:
        if not hasattr(self, "tracker"):
            return
        assert sum(p.sound for p in self.players.players) <= 1, "sound never doubles"
        assert not self.players.device.was_shared, "a sound device that cannot be shared is enough"
        assert len([s for s in self.alive() if s.session_state is SessionState.ACTIVE]) <= 1
        on_screen = self.tracker_snapshot().on_screen
        if on_screen and on_screen.session_state is SessionState.ACTIVE and on_screen.media_type is MediaType.VIDEO:
            assert self.stage.stack, "what is on the screen has a window there"
            drawing = self.players.drawing_into(self.stage.stack[-1].xid)
            assert drawing is not None
            assert drawing.drawn or not drawing.alive

    @invariant()
    def every_end_comes_once(self) -> None:
        for session, reasons in getattr(self, "ends", {}).items():
            assert len(reasons) == 1, (session, reasons)

    def teardown(self) -> None:
        if not hasattr(self, "tracker"):
            return
        import agent.casting.runners

        agent.casting.runners.Session = Session  # type: ignore[attr-defined]
        self.run(self.tracker.close())
        self.run(asyncio.sleep(1.0))  # of virtual time: the longest end of a player takes 0.5 s
        assert not self.players.alive, "no player outlives its session"
        assert all(p.kills == 1 for p in self.players.players), "every process is ended once"
        assert not self.stage.windows
        assert set(self.ends) == set(self.accepted), "every accepted session has ended"
        left = {t.get_name() for t in asyncio.all_tasks(self.loop)}
        assert not left, left
        self.loop.close()

    # --- helpers ---

    def heal(self) -> None:
        async def call() -> None:
            self.stage.regain_display()

        self.run(call())
        self.players.broken = False

    def tracker_snapshot(self) -> Any:
        async def call() -> Any:
            return self.tracker.snapshot()

        return self.run(call())

    def alive(self) -> list[Any]:
        snapshot = self.tracker_snapshot()
        seen = (snapshot.stream, snapshot.on_screen, *snapshot.interrupted)
        return list({s.session_id: s for s in seen if s is not None}.values())


@pytest.mark.timeout(400)  # for a machine that others use too
class TestTracker(TrackerMachine.TestCase):  # type: ignore[misc,valid-type]
    settings = settings(
        max_examples=150, stateful_step_count=40, deadline=None, suppress_health_check=list(HealthCheck)
    )
