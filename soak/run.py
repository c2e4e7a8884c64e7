"""One run: takes step after step, says what each did and what was wrong with it, and adds up."""

from __future__ import annotations

import statistics
import subprocess
import time
from collections import Counter

from soak.box import Box
from soak.check import Fault, Wrong, settle
from soak.growth import Growth
from soak.model import Model
from soak.plan import choose, dice_of
from soak.steps import STEPS, settles_within
from soak.streams import StepError
from tests.support.xserver import wait_answers

LOG_LINES = 30
EMPTY_S = 15.0
"""The time after a fault until the screen is empty, or the daemon is started afresh."""
FAILURES = (StepError, AssertionError, OSError, TimeoutError, ValueError, RuntimeError, subprocess.SubprocessError)
"""The errors of a step in which the agent does not do what it should."""


class Run:
    """`step()` as often as wanted, then `end()` while all still runs, then `summary()`."""

    def __init__(self, box: Box, *, seed: int) -> None:
        self._box = box
        self._seed = seed
        self._began = time.monotonic()
        self._growth = Growth()
        self._faults: Counter[Fault] = Counter()
        self._wrong_steps: list[int] = []
        self._kinds: Counter[str] = Counter()
        self.steps = 0

    def step(self) -> None:
        """Take the next step and look at what becomes of it."""
        box, number = self._box, self.steps
        dice = dice_of(self._seed, number)
        name = choose(dice, box.model, number)
        self.steps += 1
        self._kinds[name] += 1
        took_s, wrong = 0.0, list[Wrong]()
        box.doing = did = ""
        try:
            did = STEPS[name](box, dice)
            took_s, wrong = settle(box, within_s=settles_within(name, box))
            if name == "end of round" and not wrong:
                did += f"; {self._growth.look(box, number)}"
        except FAILURES as error:
            did = did or box.doing
            wrong.append(Wrong(Fault.STEP, f"{type(error).__name__}: {str(error)[:600]}"))
        box.mend(*box.gone)
        box.gone.clear()
        wrong += [Wrong(Fault.PICTURE, text) for text in box.watch.take_strays()]
        wrong += [Wrong(Fault.STATUS, text) for text in box.watch.take_lies()]
        self._tell(number, name, did, took_s, wrong)
        if wrong:
            self._wrong_steps.append(number)
            self._faults.update({one.fault for one in wrong})
            self._start_over(number)

    def end(self) -> None:
        """Empty the screen, and look once more."""
        box = self._box
        try:
            STEPS["stop all"](box, dice_of(self._seed, self.steps))
            _, wrong = settle(box, within_s=settles_within("stop all", box))
            self._growth.look(box, self.steps)
        except FAILURES as error:
            wrong = [Wrong(Fault.STEP, f"{type(error).__name__}: {error}")]
        self._tell(self.steps, "end", "", 0.0, wrong)
        self._faults.update({one.fault for one in wrong})

    def summary(self, *, left_behind: list[int]) -> bool:
        """Print what was found; whether anything was wrong."""
        grown, found = self._growth.verdict()
        seconds = time.monotonic() - self._began
        faults, orphans = self._faults, self._faults[Fault.PROCESS] + len(left_behind)
        print(f"\n{self.steps} steps in {seconds / 60:.1f} minutes, --seed {self._seed}, {self._box.lives} daemons")
        print("  " + ", ".join(f"{count} {name}" for name, count in self._kinds.most_common()))
        print(f"steps with wrong pictures: {faults[Fault.PICTURE]}")
        print(f"steps with disagreements:  {faults[Fault.STATUS]}")
        print(f"steps with orphans:        {orphans} (left behind at the end: {left_behind or 'none'})")
        print(f"steps that failed:         {faults[Fault.STEP]}")
        print(f"growth: {len(grown)} lives in which something grew")
        for line in found or ["no life of the daemon was long enough to tell (see soak/plan.py)"]:
            print(f"  {'GREW' if line in grown else 'flat'}  {line}")
        for what, values in self._box.times.items():
            middle, worst = statistics.median(values), max(values)
            print(f"{what}: median {middle:.2f} s, at most {worst:.2f} s, {len(values)} times")
        print(f"slowest /status: {self._box.watch.slowest_s:.2f} s")
        if self._wrong_steps:
            print(f"wrong were the steps {self._wrong_steps}")
        bad = bool(sum(faults.values()) or grown or left_behind)
        print("WRONG" if bad else "all right", flush=True)
        return bad

    def _tell(self, number: int, name: str, did: str, took_s: float, wrong: list[Wrong]) -> None:
        model = self._box.model
        at = time.monotonic() - self._began
        print(f"{number:4d} {at:7.1f} s  {name}: {did}")
        print(f"{'':16}expected {_expected(model)}: ", end="")
        if not wrong:
            print(f"ok {took_s:.2f} s", flush=True)
            return
        print("WRONG")
        for one in wrong:
            print(f"{'':16}! {one.fault}: {one.text}")
        print(f"{'':16}screen: {self._box.picture(f'step-{number}')}")
        for line in self._box.log.last(LOG_LINES):
            print(f"{'':16}| {line}")
        print(end="", flush=True)

    def _start_over(self, number: int) -> None:
        """Whatever state it is in: an empty screen, and an agent that answers."""
        box = self._box
        box.watch.allow(None)
        box.mend(*box.model.stack)
        box.model = Model(volume=box.model.volume)
        try:
            wait_answers(box.x.display, timeout_s=1.0)
        except TimeoutError:
            box.x.restart()
        try:
            box.agent.call("POST", "/stop", {"all": True})
            _, wrong = settle(box, within_s=EMPTY_S)
        except FAILURES as error:
            wrong = [Wrong(Fault.STEP, str(error))]
        if wrong:
            print(f"{'':16}still wrong, so the daemon is started afresh: {wrong[0].text}", flush=True)
            if box.agent.process is not None:
                box.agent.kill()
            (box.agent.folder / "state" / "wanted.json").unlink(missing_ok=True)
            box.agent.run()
            box.lives += 1
        box.watch.take_strays(), box.watch.take_lies()


def _expected(model: Model) -> str:
    top = model.top
    if top is None:
        return "black, idle"
    state = "broken" if top.broken else "paused" if top.paused else "playing"
    below = "".join(f" / {wanted.source}" for wanted in model.waiting)
    return f"{model.colour}, {top.source} {state}{below}"
