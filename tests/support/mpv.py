"""mpv as the agent starts it, asked to play what the agent would never ask for."""

from __future__ import annotations

import json
import os
import socket
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from agent.player.confine import Confinement
from agent.player.mpv.options import FD, mpv_command
from agent.types import VideoOutput
from tests.support.confined import NOTHING, WITHOUT
from tests.support.tools import end

ANSWER_S = 10.0
"""The longest wait for an answer: media that plays does so within 0.3 s, and media that does not ends sooner."""

PROTOCOLS = "file,concat,concatf,subfile,pipe,crypto,data,http,https,tcp,tls,udp,rtp,async,cache,unix,rtsp"

TRUSTING = [
    "--no-config",
    "--idle=yes",
    "--no-terminal",
    "--ytdl=no",
    "--load-unsafe-playlists=yes",
    f"--demuxer-lavf-o-append=protocol_whitelist={PROTOCOLS}",
]
"""Options of an mpv that goes wherever it is sent."""


class Mpv:
    """`with Mpv(folder) as mpv: mpv.plays(url)`: idle, without picture and sound, with the options that the agent gives
    it, or with others; confined by one means, or by none."""

    def __init__(
        self,
        folder: Path,
        *,
        means: str = NOTHING,
        options: Sequence[str] | None = None,
        video_output: str = "null",
        environment: Mapping[str, str] | None = None,
    ) -> None:
        plan = Confinement(folder=str(folder / "own")) if means != NOTHING else None
        command = mpv_command(output=VideoOutput.X11, audio_output="none", audio_device=None, confinement=plan)()
        if options is not None:
            rule = command.index("--")
            command = [*command[: rule + 2], *options, command[-1]]
        ours, theirs = socket.socketpair()
        with theirs:
            self.process = subprocess.Popen(
                [part.replace(FD, str(theirs.fileno())) for part in command],
                pass_fds=[theirs.fileno()],
                env={**os.environ, **(environment or {}), "CONFINE_WITHOUT": WITHOUT[means]},
                stdin=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
        ours.settimeout(ANSWER_S)
        self._socket, self._lines, self._asked = ours, ours.makefile("r"), 0
        self.confined_by = json.loads(self._lines.readline())["by"] if plan else NOTHING
        self.ask("set_property", "vo", video_output)

    def __enter__(self) -> Mpv:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._lines.close()
        self._socket.close()
        end(self.process)

    def ask(self, *words: object) -> Any:
        """The answer of mpv; None if it has nothing to say."""
        self._asked += 1
        self._socket.sendall(json.dumps({"command": words, "request_id": self._asked}).encode() + b"\n")
        while True:
            message = json.loads(self._lines.readline())
            if message.get("request_id") == self._asked and "event" not in message:
                return message.get("data")

    def plays(self, url: str, *, ask: Sequence[str] = ()) -> bool:
        """Return True if it shows or sounds anything of this address. It is stopped then."""
        self._socket.sendall(json.dumps({"command": ["loadfile", url]}).encode() + b"\n")
        began = played = False
        while True:
            match json.loads(self._lines.readline()).get("event"):
                case "start-file":
                    began = True
                case "playback-restart":
                    played = True
                    self.said = {name: self.ask("get_property", name) for name in ask}
                    self._socket.sendall(b'{"command": ["stop"]}\n')
                case "idle" if began:
                    return played
