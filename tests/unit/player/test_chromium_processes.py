"""The processes of a browser: what becomes of the process that draws when another one ends."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from agent.player.chromium import processes as processes_module
from agent.player.chromium.processes import Processes
from tests.support.scripted_browser import ScriptedBrowser
from tests.support.tools import until


class Family:
    """Real processes under the names of a browser's, and what was asked and told because of them."""

    def __init__(self) -> None:
        self._running = {name: subprocess.Popen(["sleep", "60"]) for name in ("GPU", "page", "other")}
        self.answers: list[Callable[[bool], None]] = []
        """What the page is still to answer."""
        self.crashes = 0
        self.browser = ScriptedBrowser()
        self.processes = Processes(self.browser.cdp, ask=self.answers.append, crashed=self._crash)

    def _crash(self) -> None:
        self.crashes += 1

    def look(self, *names: str) -> None:
        """Have those of the processes found that are named."""
        found: list[dict[str, Any]] = [{"type": "browser", "id": os.getpid()}]
        for name in names:
            found.append({"type": "GPU" if name == "GPU" else "renderer", "id": self._running[name].pid})
        self.browser.results["SystemInfo.getProcessInfo"] = {"processInfo": found}
        self.processes.look()
        self.browser.answer()

    def end(self, name: str) -> None:
        self._running[name].kill()
        self._running[name].wait()

    @property
    def draws(self) -> bool:
        """Return True if the process that draws is not stopped."""
        stat = Path(f"/proc/{self._running['GPU'].pid}/stat").read_text()
        return stat.rpartition(")")[2].split()[0] != "T"

    def close(self) -> None:
        self.processes.close()
        for process in self._running.values():
            process.send_signal(signal.SIGKILL)
            process.wait()


@pytest.fixture
async def family() -> AsyncIterator[Family]:
    made = Family()
    yield made
    made.close()


async def test_nothing_is_drawn_from_the_death_of_a_renderer_on(family: Family) -> None:
    """Nor later, if the page has crashed."""
    family.look("GPU", "page")
    family.end("page")
    await until(lambda: family.answers)
    await until(lambda: not family.draws)
    assert family.crashes == 0
    family.answers[0](False)
    assert (family.crashes, family.draws) == (1, False)


async def test_a_page_that_lives_draws_again(family: Family) -> None:
    """The renderer was that of a page that was left, or of a frame."""
    family.look("GPU", "page", "other")
    family.end("other")
    await until(lambda: not family.draws)
    family.answers[0](True)
    await until(lambda: family.draws)
    assert family.crashes == 0


async def test_an_answer_from_before_another_death_does_not_count(family: Family) -> None:
    family.look("GPU", "page", "other")
    family.end("other")
    await until(lambda: len(family.answers) == 1)
    family.end("page")
    await until(lambda: len(family.answers) == 2)
    family.answers[0](True)
    assert not family.draws


async def test_the_death_of_the_process_that_draws_is_a_crash(family: Family) -> None:
    family.look("GPU", "page")
    family.end("GPU")
    await until(lambda: family.crashes == 1)


async def test_a_renderer_that_came_later_is_watched(family: Family) -> None:
    """Another document may have another one; frames inside it are not looked at."""
    family.look("GPU", "other")
    family.processes.hear("Page.frameNavigated", {"frame": {"id": "F2", "parentId": "F1"}})
    assert family.browser.methods == []
    family.processes.hear("Page.frameNavigated", {"frame": {"id": "F1"}})
    assert family.browser.methods == ["SystemInfo.getProcessInfo"]
    family.look("GPU", "other", "page")
    family.end("page")
    await until(lambda: not family.draws)


async def test_a_renderer_that_has_ended_before_the_look_counts(family: Family) -> None:
    family.end("page")
    family.look("GPU", "page")
    await until(lambda: not family.draws)


async def test_as_many_are_watched_as_is_promised(family: Family, monkeypatch: pytest.MonkeyPatch) -> None:
    """The process that draws is one of them in any case."""
    monkeypatch.setattr(processes_module, "WATCHED", 1)
    family.look("page", "other", "GPU")
    family.end("page")
    family.end("GPU")
    await until(lambda: family.crashes == 1)
    assert family.answers == []
