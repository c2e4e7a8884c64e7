"""A player process without a media library, which fails on request: `python -m tests.support.scripted_player WAY`."""

from __future__ import annotations

import argparse
import os
import queue
import signal
import sys
import time

from agent.player import ipc
from agent.player.channel import Channel
from cast_util.privileges import die_with_parent


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("way")
    parser.add_argument("--engine", default="scripted")
    parser.add_argument("--fd", type=int, required=True)
    parser.add_argument("--parent", type=int, required=True)
    options = parser.parse_args()
    die_with_parent(options.parent)
    match options.way:
        case "exits":
            sys.exit("no libVLC here")
        case "exits-with-an-address":
            sys.exit("cannot open rtsp://admin:hunter2@cam.local/live?token=tok5ecret")
        case "never-says-hello":
            time.sleep(60)
    inbox: queue.SimpleQueue[ipc.Command] = queue.SimpleQueue()
    channel = Channel(options.fd, inbox)
    channel.send(ipc.Hello(options.engine, "1.0", {"rtsp": False}))
    if options.way == "dies-soon":
        time.sleep(0.2)  # it has been taken for a good one by then
        os.kill(os.getpid(), signal.SIGSEGV)
    while True:
        match inbox.get():
            case ipc.Ping(id=ping_id):
                channel.send(ipc.Pong(ping_id))
            case ipc.Warm():
                if options.way == "hangs-warming":
                    time.sleep(60)
                channel.send(ipc.Warmed(True))
            case ipc.Sound() | ipc.SetVolume():
                channel.send(ipc.Done())
            case ipc.Load() if options.way == "talks-nonsense":
                os.write(options.fd, b'{"is": "Poem", "of": "rtsp://admin:hunter2@cam.local/"}\n')
            case ipc.Load():
                channel.send(ipc.ProgressReport(25, 2, 0, None, None, None, None, None))
                channel.send(ipc.OpenedReport("video", True))


if __name__ == "__main__":
    main()
