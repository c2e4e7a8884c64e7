"""Bare libVLC: the least program around it that can play, told what to do line by line on its standard input.

    play URL XID       in a window, or with XID 0 in one that libVLC opens itself, from nothing
    replace URL XID    stop what is on, then play

It says `ready` when it can be told, and `stopped MS` when `stop()` has returned. The same arguments and options as
the agent's own player process, so that only what is around libVLC makes the difference.
"""

from __future__ import annotations

import argparse
import sys
import threading
import time
from typing import Any

from agent.player.vlc.options import instance_arguments, media_options
from agent.types import Quality

DOUBLE = ["--zoom=2", "--video-x=0", "--video-y=0"]
"""Media of half the screen's size fill it when libVLC opens the window: without a window manager there is no full
screen for it."""

PREROLL_S = 3.0
"""The time that the agent's player gives a pre-roll; 0.2 s is usual."""


class BareVlc:
    """One instance, one player."""

    def __init__(self, arguments: list[str]) -> None:
        import vlc

        self._vlc = vlc
        self._instance = vlc.Instance(instance_arguments(audio_output="auto") + arguments)
        if self._instance is None:
            sys.exit("libVLC refused its arguments or found no plug-ins")
        self._player = self._instance.media_player_new()

    def preroll(self, file: str, xid: int) -> None:
        """Play a clip to its end in a window that nobody sees, then stop."""
        ended = threading.Event()

        def on_end(event: Any) -> None:
            ended.set()

        events, kind = self._player.event_manager(), self._vlc.EventType.MediaPlayerEndReached
        events.event_attach(kind, on_end)
        self._play(self._instance.media_new_path(file), xid)
        ended.wait(PREROLL_S)
        self._player.stop()
        events.event_detach(kind)

    def play(self, url: str, xid: int) -> None:
        self._play(self._instance.media_new_location(url), xid)

    def stop(self) -> float:
        """Seconds that it took; libVLC may hang in here without end."""
        began = time.perf_counter()
        self._player.stop()
        return time.perf_counter() - began

    def _play(self, media: Any, xid: int) -> None:
        for option in media_options(Quality.AUTO):
            media.add_option(option)
        if xid:
            self._player.set_xwindow(xid)
        self._player.set_media(media)
        self._player.play()


def main() -> None:
    """Serve until standard input is closed."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--preroll", nargs=2, metavar=("FILE", "XID"))
    parser.add_argument("--double", action="store_true", help="for windows that libVLC opens itself")
    options = parser.parse_args()
    bare = BareVlc(DOUBLE if options.double else [])
    if options.preroll:
        bare.preroll(options.preroll[0], int(options.preroll[1]))
    print("ready", flush=True)
    for line in sys.stdin:
        command, url, xid = line.split()
        if command == "replace":
            print(f"stopped {bare.stop() * 1000:.1f}", flush=True)
        bare.play(url, int(xid))


if __name__ == "__main__":
    main()
