"""`python -m soak.pages --switches 100 --kills 20 --reloads 500`: web pages on the screen of a real agent. Each kind of
page and a film take turns, with so many switches; the renderer, the drawing process and the browser of a page are
killed so many times each; then it is reloaded so many times.

Exit code 0 when nothing white or black was seen, the page was always back in time, and its memory did not grow; 1 when
not, 2 when it could not be begun.
"""

from __future__ import annotations

import argparse
import os
import signal
import statistics
import subprocess
import sys
import time
from contextlib import suppress
from typing import Final

from bench.processes import command_of, group_of, memory_of
from tests.support.agent import Agent
from tests.support.clips import Clips
from tests.support.media_server import MediaServer
from tests.support.recorder import POINTS, ScreenRecorder
from tests.support.tools import MissingToolError
from tests.support.web_pages import WebPages
from tests.support.xserver import XServer

NOT_RUN: Final = (MissingToolError, RuntimeError, OSError, AssertionError, subprocess.SubprocessError)

BROWSER: Final = "browser"
PAGES: Final = "chromium"
ENGINES: Final = (PAGES, "vlc")
"""The engines of pages and of the film, in the order of their turns."""

KINDS: Final = ("renderer", "gpu-process", BROWSER)
"""The processes that are killed, as Chromium names them on their command lines; the browser has no name."""

BACK_S: Final = 3.0
GROWTH: Final = 1.5
"""The bars."""

FILM: Final = "magenta"
"""The colour of the film that pages take turns with."""
SWITCHED: Final = {
    "a solid page": ("/plain/red", "red"),
    "a page that paints late": ("/late/green", "green"),
    "a dashboard": ("/live/blue", "blue"),
}
"""The pages that take turns with it: path and colour. The dashboard has a websocket and draws ten times a second."""
ROUND: Final = 4
"""The switches of a round: to the page and back from spares, and again without."""
BRIEFLY_S: Final = 0.3
"""The time that a picture is on before the next switch. A spare is made 1 s after the one before was taken, so there is
none when the third and the fourth switch of a round come."""

SIZE: Final = (1280, 720)
READY_S: Final = 30.0
"""A spare browser is there 2 s after the one before was taken, on a machine that has nothing else to do."""
RELOAD_S: Final = 2.0
"""The longest that a reload takes on average; 0.2 s is usual."""
REST_S: Final = 5.0
"""The time after a load in which a page goes on loading, and Chromium collects its garbage."""
LOOKS: Final = 5
"""Looks at the memory, one second apart; the one in the middle counts."""


class Run:
    """Switches, kills, reloads, and notes what is wrong."""

    def __init__(self, agent: Agent, display: str, pages: WebPages, film: str) -> None:
        """`film`: the address of the one that pages take turns with."""
        self._agent = agent
        self._display = display
        self._pages = pages
        self._film = film
        self.wrong: list[str] = []

    def switch(self, kind: str, times: int) -> None:
        """Switch between a film and this kind of page. Raises AssertionError when one is not shown."""
        path, colour = SWITCHED[kind]
        url, order, cold = self._pages.url(path), [FILM], 0
        self._agent.start(self._film, loop=True)
        with ScreenRecorder(self._display) as recorder:
            for number in range(times):
                if number % ROUND == 0:
                    self._agent.wait_until(lambda: all(map(self._has_spare, ENGINES)), READY_S, "the spares are ready")
                time.sleep(BRIEFLY_S)
                engine = ENGINES[number % 2]
                cold += not self._has_spare(engine)
                if engine == PAGES:
                    self._agent.show_page(url)
                else:
                    self._agent.start(self._film, loop=True)
                order.append((colour, FILM)[number % 2])
            recording = recorder.stop()
        seen = [recording.colours(point) for point in range(len(POINTS))]
        others = [found for found in seen if found != order]
        print(
            f"{kind}: {times} switches to and from it, {cold} of them without a spare; "
            f"{'nothing else was seen' if not others else f'seen: {others}'}, {recording.rate_hz:.0f} looks a second",
            flush=True,
        )
        if others:
            self.wrong.append(f"{kind}: the screen was not only {FILM} and {colour}")

    def kill(self, kind: str, times: int) -> None:
        """Kill the processes of this kind. Raises AssertionError when the page does not come back."""
        self._show("/plain/red")
        with ScreenRecorder(self._display) as recorder:
            took = [self._back(kind) for _ in range(times)]
            recording = recorder.stop()
        seconds = {colour: recording.seconds_of(colour) for colour in ("white", "black")}
        print(
            f"{kind} killed {times} times: back after {statistics.median(took):.2f} s, at most {max(took):.2f} s; "
            f"white {seconds['white'] * 1000:.0f} ms, black {seconds['black'] * 1000:.0f} ms, "
            f"{recording.rate_hz:.0f} looks a second",
            flush=True,
        )
        self.wrong += [f"{kind}: back after {took_s:.2f} s" for took_s in took if took_s > BACK_S]
        self.wrong += [f"{kind}: {colour} for {lasted:.3f} s" for colour, lasted in seconds.items() if lasted]
        if recording.colours() != ["red"]:
            self.wrong.append(f"{kind}: the screen was {', '.join(recording.colours())}")

    def reload(self, times: int) -> None:
        """Reload the page. Raises AssertionError when it stops doing so."""
        self._show("/reloading/blue")
        player = self._agent.player_pid()
        before = self._memory(player)
        self._pages.reloads = times
        self._agent.wait_until(lambda: not self._pages.reloads, RELOAD_S * times, "it was reloaded")
        after = self._memory(player)
        print(f"reloaded {times} times: PSS {before:.0f} -> {after:.0f} MiB, {after / before:.2f} x", flush=True)
        if after > before * GROWTH:
            self.wrong.append(f"{after / before:.2f} times the memory after {times} reloads")
        if self._agent.player_pid() != player:
            self.wrong.append("another browser took over during the reloads")

    def _show(self, path: str) -> None:
        """A new session, because the pauses before the attempts of one session grow while it keeps failing."""
        self._agent.show_page(self._pages.url(path))
        self._agent.wait_state("playing")
        self._agent.wait_until(lambda: self._has_spare(PAGES), READY_S, "a spare browser is ready")

    def _back(self, kind: str) -> float:
        """Seconds from the death of the processes to the next picture."""
        self._show("/plain/red")
        player = self._agent.player_pid()
        killed = [player] if kind == BROWSER else _of_kind(player, kind)
        assert killed, f"the page has no {kind}"
        for pid in killed:
            with suppress(ProcessLookupError):  # it went with another one
                os.kill(pid, signal.SIGKILL)
        began = time.monotonic()
        self._agent.wait_until(lambda: self._agent.player_pid() != player, READY_S, "another browser has the page")
        self._agent.wait_state("playing")
        return time.monotonic() - began

    def _has_spare(self, engine: str) -> bool:
        return bool(self._agent.health()["checks"]["player"]["engines"][engine]["spare_ready"])

    def _memory(self, player: int) -> float:
        """MiB of PSS, of all processes of the browser."""
        time.sleep(REST_S)
        looks = []
        for _ in range(LOOKS):
            looks.append(memory_of(group_of(player)).pss)
            time.sleep(1.0)
        return statistics.median(looks)


def _of_kind(player: int, kind: str) -> list[int]:
    return [pid for pid in group_of(player) if f"--type={kind}" in " ".join(command_of(pid))]


def main() -> int:
    options = _options()
    run: Run | None = None
    try:
        with (
            MediaServer(Clips()) as media,
            WebPages() as pages,
            XServer(SIZE) as x,
            Agent(x.display, audio__output="none") as agent,
        ):
            agent.show_page(pages.url("/plain/red"))
            run = Run(agent, x.display, pages, media.file_url(media.clips.film_mp4(FILM)))
            for kind in SWITCHED:
                run.switch(kind, options.switches)
            for kind in KINDS:
                run.kill(kind, options.kills)
            run.reload(options.reloads)
    except NOT_RUN as error:
        print(f"soak pages: {error}", file=sys.stderr)
        return 1 if run is not None else 2
    for line in run.wrong:
        print(f"  ! {line}")
    print("WRONG" if run.wrong else "all right", flush=True)
    return 1 if run.wrong else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="soak.pages", description="Switches to, kills and reloads web pages of the real agent."
    )
    parser.add_argument("--switches", type=int, default=100, metavar="N", help="to and from each kind (default 100)")
    parser.add_argument("--kills", type=int, default=20, metavar="N", help="of each process (default 20)")
    parser.add_argument("--reloads", type=int, default=500, metavar="N", help="of one page (default 500)")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
