"""The processes of a browser, whose deaths the kernel tells of: sooner than the browser does, and of all kinds."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import Callable, Mapping
from typing import Any, Final

from agent.player.chromium.cdp import Cdp

WATCHED: Final = 32
"""The most processes that are watched: a page may have as many frames of other sites as it likes."""

_DRAWS, _RENDERS = "GPU", "renderer"
"""The kinds of processes, as the browser names them, whose death changes the picture."""


class Processes:
    """The processes of one browser. `ask` asks the page for any answer, and tells whether that is alive; `crashed` is
    called when it is not, or when the process that draws has gone.

    After the death of a renderer the browser has white painted, and then that the page has crashed: 20-60 ms later on a
    machine that does nothing else, and at times before it tells of the death. The kernel tells 20 ms before the white,
    and 40 ms or more on a busy machine; then the process that draws is stopped. Which renderer is whose is not known,
    and one may end because its page has been left: if the page answers, the process that draws continues.
    """

    def __init__(self, cdp: Cdp, *, ask: Callable[[Callable[[bool], None]], None], crashed: Callable[[], None]) -> None:
        self._cdp = cdp
        self._ask = ask
        self._on_crashed = crashed
        self.pids: set[int] = set()
        """All of them, from the first look on."""
        self._watched: dict[int, int] = {}
        """The descriptors of those that are watched, by their ids."""
        self._drawing = 0
        """The id of the process that draws; 0 until it is known."""
        self._questions = 0
        self._is_closed = False

    def look(self) -> None:
        """See which there are; for the first paint of the page, and for each other document that it goes to."""
        self._cdp.say("SystemInfo.getProcessInfo", then=self._on_found)

    def hear(self, event: str, about: Mapping[str, Any]) -> None:
        """Process an event of the browser: another document may have another renderer."""
        if self.pids and event == "Page.frameNavigated" and "parentId" not in (about.get("frame") or {}):
            self.look()

    def close(self) -> None:
        """Watch none any more. Idempotent."""
        self._is_closed = True
        for pid in list(self._watched):
            self._leave(pid)

    def _on_found(self, result: Mapping[str, Any]) -> None:
        kinds = {int(process["id"]): str(process.get("type", "")) for process in result.get("processInfo", ())}
        kinds.pop(0, None)  # one that has not started yet
        if kinds:
            self.pids = set(kinds)
        # The process that draws comes first, so that it is among those that are watched.
        for pid, kind in sorted(kinds.items(), key=lambda entry: entry[1] != _DRAWS):
            if kind in (_DRAWS, _RENDERS) and pid not in self._watched and len(self._watched) < WATCHED:
                self._watch(pid, is_drawing=kind == _DRAWS)

    def _watch(self, pid: int, *, is_drawing: bool) -> None:
        ended = self._on_crashed if is_drawing else self._on_renderer_ended
        if self._is_closed:
            return
        try:
            descriptor = self._watched[pid] = os.pidfd_open(pid)
        except ProcessLookupError:  # it has ended since
            ended()
            return
        if is_drawing:
            self._drawing = pid

        def gone() -> None:
            self._leave(pid)
            ended()

        asyncio.get_running_loop().add_reader(descriptor, gone)

    def _leave(self, pid: int) -> None:
        descriptor = self._watched.pop(pid)
        asyncio.get_running_loop().remove_reader(descriptor)
        os.close(descriptor)

    def _on_renderer_ended(self) -> None:
        self._signal_drawing(signal.SIGSTOP)
        self._questions += 1
        question = self._questions

        def answered(alive: bool) -> None:
            if not alive:
                self._on_crashed()
            elif question == self._questions:  # none has ended since
                self._signal_drawing(signal.SIGCONT)

        self._ask(answered)

    def _signal_drawing(self, number: signal.Signals) -> None:
        if (descriptor := self._watched.get(self._drawing)) is not None:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(descriptor, number)
