"""The daemon's end of an mpv process: JSON lines over its socket (mpv's manual, "JSON IPC").

mpv answers from the thread that plays, so an answer to any question shows that it does not hang. What plays is asked
four times a second; those questions are what a silent mpv is missed by.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import structlog

from agent.errors import AgentError, MediaError, PlayerTimeoutError
from agent.player.base import Media, Opened, Progress
from agent.player.mpv.options import FD, RTSP_PROTOCOLS
from agent.player.mpv.reasons import (
    broke_off,
    explain,
    not_opened,
    nothing_shown,
    nothing_to_play,
    transport_refused,
    undecodable,
)
from agent.player.mpv.tls import TlsRelay
from agent.player.process import DONE_TIMEOUT_S, ChildPlayer
from agent.player.spawn import Child
from agent.player.vlc.reasons import not_heard
from agent.types import Failure, MediaType, Quality, StreamType

REPORT_INTERVAL_S = 0.25
"""As often as libVLC tells its counts."""

SURELY_DRAWN_S = 0.2
"""After its first picture was handed to the video output; drawing takes 1-20 ms. For one that no second follows."""

EARLY_END_S = 3.0
"""A film that ends this much before its length broke off; less is the rounding of containers."""

_LOG_LINES_KEPT = 100
_LOG_MEMORY_S = 30.0
"""A reason older than this is not why it fails now."""

_OBSERVED = ("time-pos", "seekable", "partially-seekable", "hwdec-current", "current-ao", "core-idle")
_TALKING_OUTPUTS = ("pulse", "pipewire")
"""Sound servers keep a volume for each application, and remember it."""

_SILENT_OUTPUT = "null"

log = structlog.get_logger(__name__)
Then = Callable[[Any], None]


class MpvPlayer(ChildPlayer):
    """A player that is mpv; see `agent.player.base.Player` for the contract."""

    _version = ""
    _confinement = ""
    _requests = 0
    _url = ""
    _source = ""
    _begin_at = 0.0
    _over = False
    _probing = False
    _kind: MediaType | None = None
    _sound = False
    _restarted_at: float | None = None
    _last_shown: float | None = None
    _seen = 0
    _heard_at: float | None = None
    _audio_buffers = 0
    _duration: float | None = None
    _clock: float | None = 0.0
    """mpv has none that runs between two pictures without sound; but it tells when it waits for its source."""

    def __init__(self, child: Child) -> None:
        super().__init__(child)
        self._waiting: dict[int, Then] = {}
        self._properties: dict[str, Any] = {}
        self._log: deque[tuple[float, str]] = deque(maxlen=_LOG_LINES_KEPT)
        self._outputs: Any = None
        self._now = asyncio.get_running_loop().time

    @property
    def engine(self) -> str:
        return "mpv"

    @property
    def features(self) -> Mapping[str, bool | str]:
        return {"mpv_confinement": self._confinement} if self._confinement else {}

    @property
    def version(self) -> str:
        """Empty until it has said it, some 0.1 s after its start."""
        return self._version

    async def load(self, media: Media, xid: int) -> None:
        self._url, self._begin_at = media.url, media.position
        self._source = await self._way_to(media.url)
        self._set("wid", xid)
        self._set_volume(media.volume, media.muted)
        if media.url.startswith("rtsp") or media.quality is Quality.LOW_LATENCY:
            self._say("apply-profile", "low-latency")
            self._clock = None  # it does not say any more when it waits for its source (cache-pause=no)
        for number, name in enumerate(_OBSERVED, 1):
            self._say("observe_property", number, name)
        self._play(media.position)
        self._keep(self._report(), "report")

    async def _way_to(self, url: str) -> str:
        """What mpv is to open for this address."""
        if url.startswith("rtsp"):
            self._set("demuxer-lavf-o", {"protocol_whitelist": RTSP_PROTOCOLS})
        if not url.startswith("rtsps:"):
            return url
        relay = TlsRelay(url, failed=self._fail)
        way = await relay.open()
        self._keep(relay.serve(), "tls")
        self._properties["transport"] = "tls"
        return way

    async def set_sound(self, on: bool) -> None:
        self._sound = on
        if self._kind is not MediaType.AUDIO:
            await self._command("set_property", "aid", "auto" if on else "no")
        elif on:
            if self._outputs is not None:
                await self._command("set_property", "ao", self._outputs)
            self._set("aid", "auto")
            self._play(self._begin_at)
        else:  # mpv has nothing to play without its sound, so it begins again where it is now
            self._begin_at = self._progress.position or 0.0
            await self._command("stop")

    async def set_volume(self, volume: float, muted: bool) -> None:
        self._set_volume(volume, muted)
        await self._command("get_property", "volume")

    async def pause(self, on: bool) -> None:
        await self._command("set_property", "pause", on)

    async def seek(self, position: float) -> None:
        await self._command("seek", position, "absolute")

    async def warm(self, xid: int, *, timeout_s: float) -> bool:
        """There is nothing that mpv would load in advance; it is warm once it has said its version."""
        try:
            async with asyncio.timeout(timeout_s):
                await self._unless_gone(self._greeted)
        except TimeoutError as e:
            raise PlayerTimeoutError(f"The player process said nothing within {timeout_s:.0f} s.") from e
        return False

    # --- what every player process has ---

    @staticmethod
    def _complete(command: Sequence[str], fd: int) -> list[str]:
        return [part.replace(FD, str(fd)) for part in command]

    async def _begin(self) -> None:
        # Not waited for: what is said meanwhile waits in the socket, and mpv's start is most of the time there is.
        self._say("request_log_messages", "warn")
        self._say("get_property", "mpv-version", then=self._on_version)

    def _ping(self) -> None:
        self._say("get_property", "pid")

    def _hear(self, line: bytes) -> None:
        message = json.loads(line)
        if not isinstance(message, dict):
            raise ValueError(f"not a message of mpv: {line[:80]!r}")
        if "event" in message:
            self._on_event(message)
            return
        then = self._waiting.pop(message.get("request_id", 0), None)
        if message.get("error") == "success":
            if then is not None:
                then(message.get("data"))
        elif message.get("error") != "property unavailable":
            log.warning("mpv_refused", pid=self.pid, error=message.get("error"))
        elif then is not None:
            then(None)

    # --- asking it ---

    def _say(self, *words: Any, then: Then | None = None) -> None:
        self._requests += 1
        if then is not None:
            self._waiting[self._requests] = then
        self._write(json.dumps({"command": words, "request_id": self._requests}).encode() + b"\n")

    def _set(self, name: str, value: Any) -> None:
        self._say("set_property", name, value)

    async def _command(self, *words: Any) -> Any:
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()

        def take(data: Any) -> None:
            if not answer.done():
                answer.set_result(data)

        self._say(*words, then=take)
        try:
            async with asyncio.timeout(DONE_TIMEOUT_S):
                return await self._unless_gone(answer)
        except TimeoutError as e:
            raise PlayerTimeoutError(
                f"The player process did not answer within {DONE_TIMEOUT_S:.0f} s ({words[0]})."
            ) from e
        finally:
            answer.cancel()

    def _play(self, position: float) -> None:
        self._set("start", f"{position:.3f}" if position > 0 else "none")
        self._say("loadfile", self._source)

    def _set_volume(self, volume: float, muted: bool) -> None:
        self._set("volume", round(volume * 100))
        self._set("mute", muted)

    async def _report(self) -> None:
        while not self._gone.done():
            await asyncio.sleep(REPORT_INTERVAL_S)
            with contextlib.suppress(AgentError):  # it is gone: whoever waits is told
                self._say("get_property", "duration", then=self._on_duration)
                self._say("get_property", "audio-pts", then=self._on_heard)

    # --- what it says ---

    def _on_version(self, data: Any) -> None:
        self._version = str(data).removeprefix("mpv ")
        if not self._greeted.done():
            self._greeted.set_result(None)

    def _on_event(self, message: dict[str, Any]) -> None:
        match message["event"]:
            case "property-change":
                self._on_property(message.get("name", ""), message.get("data"))
            case "playback-restart":
                if self._restarted_at is None:
                    self._restarted_at = self._now()
                    self._learn("seekable")
                    self._learn("partially-seekable")
                    self._say("get_property", "duration", then=self._on_duration)
                    self._say("get_property", "track-list", then=self._on_tracks)
            case "confined":  # the launcher's only word, said before it became mpv
                self._confinement = str(message.get("by", ""))
            case "log-message":
                self._log.append((self._now(), f"{message.get('text', '')}".strip()))
            case "end-file":
                # Its last log lines may come behind this event, but never behind the answer to a later question.
                self._say("get_property", "pid", then=lambda _: self._on_end(message.get("reason", "")))

    def _learn(self, name: str) -> None:
        self._say("get_property", name, then=lambda data: self._on_property(name, data))

    def _on_property(self, name: str, data: Any) -> None:
        self._properties[name] = data
        if name == "time-pos" and data is not None and self._restarted_at is not None and data != self._last_shown:
            # With video it is the time of the picture that was handed to the output last: it stands when that does.
            self._last_shown = data
            self._seen += 1
            self._renew_progress()
        elif name == "current-ao" and data in _TALKING_OUTPUTS:
            self._set("ao-volume", 100)
            self._set("ao-mute", False)

    def _on_tracks(self, data: Any) -> None:
        tracks = data or []
        video = next((track for track in tracks if track.get("type") == "video" and track.get("selected")), None)
        has_audio = any(track.get("type") == "audio" for track in tracks)
        if video is None and _is_silent(self._outputs):
            self._fail(not_heard())
        elif video is None:
            self._open(MediaType.AUDIO, has_audio)
            if self._probing:
                self._say("stop")
        else:
            self._open(MediaType.IMAGE if video.get("image") else MediaType.VIDEO, has_audio)

    def _open(self, kind: MediaType, has_audio: bool) -> None:
        self._kind = kind
        self._renew_progress()
        if not self._opened.done():
            self._opened.set_result(Opened(kind, has_audio))

    def _on_end(self, reason: str) -> None:
        if self._over or reason in ("stop", "quit"):
            return
        lines = self._recent_lines()
        if reason == "error" and self._tries_again(lines):
            return
        if reason in ("error", "redirect") or self._kind is None:
            self._fail(self._why(lines))
            return
        position, duration = self._position(), self._finite()
        if position is not None and duration is not None and duration - position > EARLY_END_S:
            self._fail(broke_off(self._url, position=position, duration=duration))
        elif duration is None and (failure := explain(lines, self._url)):
            self._fail(failure)  # live does not finish: it was cut off, and the log knows why
        elif not self._finished.done():
            self._over = True
            self._finished.set_result(None)

    def _tries_again(self, lines: list[str]) -> bool:
        """Whether there is another way to open it; that is under way then."""
        if transport_refused(lines) and "transport" not in self._properties:
            self._properties["transport"] = "udp"
            self._log.clear()
            self._set("rtsp-transport", "udp")
            self._play(self._begin_at)
            return True
        nothing = any("No video or audio streams" in line for line in lines)
        if nothing and self._kind is None and not self._probing and not undecodable(lines):
            # Perhaps it has nothing but sound, which it was not to play yet: look, without opening a device.
            self._probing = True
            self._log.clear()
            self._say("get_property", "ao", then=self._remember_outputs)
            self._set("ao", _SILENT_OUTPUT)
            self._set("aid", "auto")
            self._play(0.0)
            return True
        return False

    def _remember_outputs(self, data: Any) -> None:
        self._outputs = data

    def _recent_lines(self) -> list[str]:
        since = self._now() - _LOG_MEMORY_S
        return [text for at, text in self._log if at >= since]

    def _why(self, lines: list[str]) -> Failure:
        if reason := explain(lines, self._url):
            return reason
        if any("No video or audio streams" in line for line in lines):
            return nothing_to_play(self._url)
        if any("avformat_open_input() failed" in line for line in lines):
            return not_opened(self._url)
        return nothing_shown(self._url)

    def _fail(self, failure: Failure) -> None:
        self._over = True
        self._failed(MediaError(failure.code, failure.message))

    # --- how far it is ---

    def _on_duration(self, data: Any) -> None:
        self._duration = data

    def _on_heard(self, data: Any) -> None:
        if self._clock is not None and self._properties.get("core-idle") is False:
            self._clock += REPORT_INTERVAL_S
        if data is not None and data != self._heard_at:
            self._heard_at = data
            self._audio_buffers += self._sound
        self._renew_progress()

    def _renew_progress(self) -> None:
        self._progress = Progress(
            pictures=self._pictures(),
            audio_buffers=self._audio_buffers,
            clock=self._clock,
            position=self._position(),
            duration=self._finite(),
            stream_type=self._stream_type(),
            hardware_decoding=self._hardware(),
            at=self._now(),
        )

    def _pictures(self) -> int:
        """How many were drawn for certain: all but the one that was handed to the output last."""
        if self._kind in (None, MediaType.AUDIO) or self._restarted_at is None:
            return 0
        drawn = self._seen - 1
        return max(drawn, 1) if self._now() - self._restarted_at > SURELY_DRAWN_S else max(drawn, 0)

    def _hardware(self) -> str | None:
        name = self._properties.get("hwdec-current")
        return name if name not in (None, "", "no") else None

    def _position(self) -> float | None:
        return None if self._finite() is None else self._properties.get("time-pos") or self._last_shown

    def _finite(self) -> float | None:
        """The length of what has one. What is live has a `duration` too: how much of it has come."""
        has_end = self._properties.get("seekable") and not self._properties.get("partially-seekable")
        return self._duration if has_end and self._kind is not MediaType.IMAGE else None

    def _stream_type(self) -> StreamType | None:
        if self._kind is None:
            return None
        finite = self._kind is MediaType.IMAGE or self._finite() is not None
        return StreamType.BUFFERED if finite else StreamType.LIVE


def _is_silent(outputs: Any) -> bool:
    """Whether these outputs, a property of mpv, are none that could be heard."""
    return bool(outputs) and all(output.get("name") == _SILENT_OUTPUT for output in outputs)
