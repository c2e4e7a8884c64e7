"""The daemon's end of an mpv process: what it is told to do, and what is made of what it says.

mpv answers from the thread that plays, so an answer to any question shows that it does not hang. What plays is asked
four times a second; those questions are what a silent mpv is missed by.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import structlog

from agent.errors import AgentError, MediaError, PlayerTimeoutError
from agent.player.base import Media, Opened
from agent.player.child import DONE_TIMEOUT_S, ChildPlayer
from agent.player.ffmpeg.reasons import refused
from agent.player.mpv.ending import failure_at_end
from agent.player.mpv.facts import OBSERVED, Facts
from agent.player.mpv.json_ipc import JsonIpc
from agent.player.mpv.log_reader import LogReader
from agent.player.mpv.opening import SILENT_OUTPUT, Opening, Way, seek_to
from agent.player.mpv.options import FD, UNTIMED
from agent.player.mpv.sound import LostSound
from agent.player.reasons import not_heard
from agent.player.spawn import Child
from agent.player.tally import Tally
from agent.types import Failure, MediaType, Quality

REPORT_INTERVAL_S = 0.25
"""The interval at which libVLC updates its counts."""

CATCH_UP_S = 1.5
"""The time after which a camera that was kept ready is live: 4 s of its pictures are decoded in less."""

_TALKING_OUTPUTS = ("pulse", "pipewire")
"""Sound servers keep a volume for each application, and remember it."""

log = structlog.get_logger(__name__)


class MpvPlayer(ChildPlayer):
    """A player that is mpv; see `agent.player.base.Player` for the contract."""

    _version = ""
    _confinement = ""
    _format = ""
    _size: int | None = None
    _sound = False
    _has_audio = False
    _paused = False

    def __init__(self, child: Child, tally: Tally) -> None:
        super().__init__(child, tally)
        self._line = JsonIpc(self._write, on_event=self._on_event)
        now = asyncio.get_running_loop().time
        self._facts = Facts(now)
        self._lost = LostSound()
        self._log = LogReader(now)
        self._opening = Opening(self._line, self._log, keep=self._keep, failed=self._fail)

    @property
    def engine(self) -> str:
        return "mpv"

    @property
    def features(self) -> Mapping[str, bool | str]:
        return {"confinement": self._confinement} if self._confinement else {}

    @property
    def version(self) -> str:
        """Empty until it has said it, some 0.1 s after its start."""
        return self._version

    async def load(self, media: Media, xid: int) -> None:
        self._line.set("wid", xid)
        self._set_volume(media.volume, media.muted)
        if media.url.startswith("rtsp") or media.quality is Quality.LOW_LATENCY or media.ready:
            self._line.say("apply-profile", "low-latency")
            self._facts.clock = None  # it does not say any more when it waits for its source (cache-pause=no)
        for number, name in enumerate((*OBSERVED, "current-ao"), 1):
            self._line.say("observe_property", number, name)
        if media.ready:
            self._opening.catch_up()
            self._keep(self._catch_up(), "catch-up")
        await self._opening.begin(media)
        self._keep(self._report(), "report")

    async def set_sound(self, on: bool) -> None:
        self._sound = on
        if self._facts.kind is not MediaType.AUDIO:
            position = self._facts.position()
            begins_late = on and (self._format == "hls" or await self._has_read_all())
            await self._command("set_property", "aid", self._opening.audio if on else "no")
            if begins_late and position is not None:
                # FFmpeg does not go back for a track that is chosen late: sound and picture would go on where it has
                # read to, or end there. Also, mpv has turned a film of one picture into a still image by then, which
                # would stay when its sound has ended.
                await self._command(*seek_to(position, file_format=self._format, exact=True))
        elif on:
            if self._opening.outputs is not None:
                await self._command("set_property", "ao", self._opening.outputs)
            self._line.set("aid", "auto")
            self._opening.play()
        else:  # mpv has nothing to play without its sound, so it begins again where it is now
            self._opening.begin_at = self._progress.position or 0.0
            await self._command("stop")

    async def _has_read_all(self) -> bool:
        cache = await self._command("get_property", "demuxer-cache-state")
        return isinstance(cache, dict) and bool(cache.get("eof"))

    async def set_volume(self, volume: float, muted: bool) -> None:
        self._set_volume(volume, muted)
        await self._command("get_property", "volume")

    async def pause(self, on: bool) -> None:
        self._paused = on
        await self._command("set_property", "pause", on)

    async def seek(self, position: float) -> None:
        await self._command(*seek_to(position, file_format=self._format))

    async def warm(self, xid: int, *, timeout_s: float) -> bool:
        """Return once mpv has reported its version. It loads nothing in advance."""
        try:
            async with asyncio.timeout(timeout_s):
                await self.greeted()
        except TimeoutError as e:
            raise PlayerTimeoutError(f"The player process sent nothing within {timeout_s:.0f} s.") from e
        return False

    # --- what every player process has ---

    @staticmethod
    def _complete(command: Sequence[str], fd: int) -> list[str]:
        return [part.replace(FD, str(fd)) for part in command]

    async def _begin(self) -> None:
        # Not waited for: what is said meanwhile waits in the socket, and mpv's start is most of the time there is.
        self._line.say("request_log_messages", "warn")
        self._line.get("mpv-version", self._on_version)

    def _ping(self) -> None:
        self._line.say("get_property", "pid")

    def _hear(self, line: bytes) -> None:
        self._line.hear(line)

    # --- asking it ---

    async def _command(self, *words: Any) -> Any:
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()

        def take(data: Any) -> None:
            if not answer.done():
                answer.set_result(data)

        self._line.say(*words, then=take)
        try:
            async with asyncio.timeout(DONE_TIMEOUT_S):
                return await self._unless_gone(answer)
        except TimeoutError as e:
            raise PlayerTimeoutError(
                f"The player process did not answer within {DONE_TIMEOUT_S:.0f} s ({words[0]})."
            ) from e
        finally:
            answer.cancel()

    def _set_volume(self, volume: float, muted: bool) -> None:
        self._line.set("volume", round(volume * 100))
        self._line.set("mute", muted)

    async def _catch_up(self) -> None:
        await asyncio.sleep(CATCH_UP_S)
        with contextlib.suppress(AgentError):  # as in _report
            self._line.set("untimed", False)

    async def _report(self) -> None:
        while not self._gone.done():
            await asyncio.sleep(REPORT_INTERVAL_S)
            with contextlib.suppress(AgentError):  # the player is gone: the waiting caller gets the error
                self._line.get("duration", self._on_duration)
                self._line.get("audio-pts", self._on_heard)
                self._look_for_lost_sound()

    def _look_for_lost_sound(self) -> None:
        expected = self._sound and self._has_audio and self._facts.kind is MediaType.VIDEO and not self._paused
        expected = expected and not self._finished.done()
        is_due = self._lost.is_due(asyncio.get_running_loop().time(), expected=expected)
        self._facts.sound_lost = self._lost.is_lost
        if is_due:
            self._line.set("aid", "no")
            self._line.set("aid", self._opening.audio)

    # --- what it says ---

    def _on_version(self, data: Any) -> None:
        self._version = str(data).removeprefix("mpv ")
        if not self._greeted.done():
            self._greeted.set_result(None)

    def _on_event(self, message: dict[str, Any]) -> None:
        match message["event"]:
            case "property-change":
                self._on_property(message.get("name", ""), message.get("data"))
            case "file-loaded":
                self._line.get("file-format", self._on_format)
                if self._opening.chooses_rendition:
                    self._line.get("track-list", self._opening.choose)
            case "playback-restart" | "video-reconfig" as event:
                # If the tracks are chosen here, it restarts before there are any.
                first_picture = "video-reconfig" if self._opening.chooses_rendition else "playback-restart"
                if event == first_picture and self._facts.restarted():
                    for name in ("seekable", "partially-seekable"):
                        self._line.get(name, partial(self._on_property, name))
                    self._line.get("duration", self._on_duration)
                    self._line.get("file-size", self._on_size)
                    self._line.get("track-list", self._on_tracks)
            case "confined":  # the launcher's only word, said before it became mpv
                self._confinement = str(message.get("by", ""))
            case "log-message":
                self._log.read(str(message.get("text", "")))
            case "end-file":
                # Its last log lines may come behind this event, but never behind the answer to a later question.
                self._line.get("pid", lambda _: self._on_end(message.get("reason", "")))

    def _on_property(self, name: str, data: Any) -> None:
        if name == "current-ao":
            self._lost.output_changed(data is not None)
            if data in _TALKING_OUTPUTS:
                self._line.set("ao-volume", 100)
                self._line.set("ao-mute", False)
        elif self._facts.observed(name, data):
            self._progress = self._facts.progress()

    def _on_format(self, data: Any) -> None:
        self._format = data or ""
        self._facts.untimed = data in UNTIMED
        if self._facts.untimed:
            self._opening.show_at_once()

    def _on_size(self, data: Any) -> None:
        self._size = data

    def _on_tracks(self, data: Any) -> None:
        tracks = data or []
        video = next((track for track in tracks if track.get("type") == "video" and track.get("selected")), None)
        has_audio = any(track.get("type") == "audio" for track in tracks)
        if video is None and _is_silent(self._opening.outputs):
            self._fail(not_heard())
        elif video is None:
            self._open(MediaType.AUDIO, has_audio)
            if self._opening.way is Way.PROBE:
                self._line.say("stop")
        else:
            self._open(MediaType.IMAGE if video.get("image") else MediaType.VIDEO, has_audio)

    def _open(self, kind: MediaType, has_audio: bool) -> None:
        self._facts.kind, self._has_audio = kind, has_audio
        self._progress = self._facts.progress()
        if not self._opened.done():
            self._opened.set_result(Opened(kind, has_audio))

    def _on_end(self, reason: str) -> None:
        opening, log, kind = self._opening, self._log, self._facts.kind
        if self._finished.done() or reason in ("stop", "quit"):
            return
        if reason == "error" and opening.try_again(kind):
            return
        if (digest := opening.unknown_digest) is not None and log.password_refused:
            self._fail(refused(opening.url, unknown_digest=digest))
        elif reason in ("error", "redirect") or kind is None:
            self._fail(log.why_nothing(opening.url))
        elif failure := failure_at_end(self._facts, log, opening.url, file_format=self._format, size=self._size):
            self._fail(failure)
        else:
            self._finished.set_result(None)

    def _fail(self, failure: Failure) -> None:
        self._failed(MediaError(failure.code, failure.message, is_full=failure.is_full))

    # --- how far it is ---

    def _on_duration(self, data: Any) -> None:
        if data is not None:  # it has ended, and would pass for live from now on
            self._facts.duration = data

    def _on_heard(self, data: Any) -> None:
        self._facts.heard(data, sound=self._sound, since_s=REPORT_INTERVAL_S)
        self._progress = self._facts.progress()


def _is_silent(outputs: Any) -> bool:
    """Return True if none of these outputs, a property of mpv, can be heard."""
    return bool(outputs) and all(output.get("name") == SILENT_OUTPUT for output in outputs)
