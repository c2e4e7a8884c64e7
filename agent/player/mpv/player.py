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
from urllib.parse import urlsplit

import structlog

from agent.errors import AgentError, MediaError, PlayerTimeoutError
from agent.player.base import Media, Opened
from agent.player.child import DONE_TIMEOUT_S, ChildPlayer
from agent.player.mpv.facts import OBSERVED, Facts
from agent.player.mpv.json_ipc import Line
from agent.player.mpv.log_reader import LogReader
from agent.player.mpv.options import FD, HEIGHTS, RTSP_PROTOCOLS, own_sound, rendition
from agent.player.mpv.reasons import broke_off, refused
from agent.player.mpv.relay import Relay
from agent.player.reasons import not_heard
from agent.player.spawn import Child
from agent.types import Failure, MediaType, Quality

REPORT_INTERVAL_S = 0.25
"""As often as libVLC tells its counts."""

EARLY_END_S = 3.0
"""A film that ends this much before its length broke off; less is the rounding of containers."""

_TALKING_OUTPUTS = ("pulse", "pipewire")
"""Sound servers keep a volume for each application, and remember it."""

_SILENT_OUTPUT = "null"

SOUND_PAUSE_S = 4.0
"""Between two attempts to be heard, for as long as a film goes on: a sound server may come at any time. Looking for
one takes mpv some milliseconds."""

_IN_PIECES = ("hls", "dash")
"""Their size is that of their playlist."""

_UNTIMED = ("mpjpeg",)
"""A camera's pictures, one after the other: FFmpeg takes them for 25 a second, so mpv would stop each second to wait
for more of them."""

log = structlog.get_logger(__name__)


class MpvPlayer(ChildPlayer):
    """A player that is mpv; see `agent.player.base.Player` for the contract."""

    _version = ""
    _confinement = ""
    _url = ""
    _source = ""
    _begin_at = 0.0
    _over = False
    _probing = False
    _sound = False
    _udp = False
    _at_most: int | None = None
    _audio: int | str = "auto"
    _format = ""
    _size: int | None = None
    _has_audio = False
    _paused = False
    _output_opened = False
    _no_output_since: float | None = None

    def __init__(self, child: Child) -> None:
        super().__init__(child)
        self._line = Line(self._write, on_event=self._on_event)
        now = asyncio.get_running_loop().time
        self._facts = Facts(now)
        self._log = LogReader(now)
        self._relay: Relay | None = None
        self._outputs: Any = None

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
        self._url, self._begin_at = media.url, media.position
        self._source = await self._way_to(media.url)
        self._line.set("wid", xid)
        self._set_volume(media.volume, media.muted)
        if media.url.startswith("rtsp") or media.quality is Quality.LOW_LATENCY:
            self._line.say("apply-profile", "low-latency")
            self._facts.clock = None  # it does not say any more when it waits for its source (cache-pause=no)
        elif (height := HEIGHTS.get(media.quality)) is not None:
            self._at_most = height
            self._line.set("track-auto-selection", False)
        for number, name in enumerate((*OBSERVED, "current-ao"), 1):
            self._line.say("observe_property", number, name)
        self._play(media.position)
        self._keep(self._report(), "report")

    async def _way_to(self, url: str) -> str:
        """What mpv is to open for this address."""
        if url.startswith("rtsp"):
            self._line.set("demuxer-lavf-o", {"protocol_whitelist": RTSP_PROTOCOLS})
        return await self._relayed() if url.startswith("rtsps:") else url

    async def _relayed(self, *, only_to_mend: bool = False) -> str:
        self._relay = relay = Relay(self._url, failed=self._fail, only_to_mend=only_to_mend)
        way = await relay.open()
        self._keep(relay.serve(), "relay")
        return way

    async def _open_by_relay(self) -> None:
        self._source = await self._relayed(only_to_mend=True)
        self._play(self._begin_at)

    async def set_sound(self, on: bool) -> None:
        self._sound = on
        if self._facts.kind is not MediaType.AUDIO:
            position = self._facts.position()
            begins_late = on and position is not None and (self._format == "hls" or await self._has_read_all())
            await self._command("set_property", "aid", self._audio if on else "no")
            if begins_late:
                # FFmpeg does not go back by itself for a track that is chosen late: sound and picture would go on
                # where it has read to, or end there. And of a film of one picture mpv has made a still image by then,
                # which would stay when its sound has ended.
                await self._command("seek", position, "absolute+exact")
        elif on:
            if self._outputs is not None:
                await self._command("set_property", "ao", self._outputs)
            self._line.set("aid", "auto")
            self._play(self._begin_at)
        else:  # mpv has nothing to play without its sound, so it begins again where it is now
            self._begin_at = self._progress.position or 0.0
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
        await self._command("seek", position, "absolute")

    async def warm(self, xid: int, *, timeout_s: float) -> bool:
        """There is nothing that mpv would load in advance; it is warm once it has said its version."""
        try:
            async with asyncio.timeout(timeout_s):
                await self.greeted()
        except TimeoutError as e:
            raise PlayerTimeoutError(f"The player process said nothing within {timeout_s:.0f} s.") from e
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

    def _play(self, position: float) -> None:
        self._line.set("start", f"{position:.3f}" if position > 0 else "none")
        self._line.say("loadfile", self._source)

    def _set_volume(self, volume: float, muted: bool) -> None:
        self._line.set("volume", round(volume * 100))
        self._line.set("mute", muted)

    async def _report(self) -> None:
        while not self._gone.done():
            await asyncio.sleep(REPORT_INTERVAL_S)
            with contextlib.suppress(AgentError):  # it is gone: whoever waits is told
                self._line.get("duration", self._on_duration)
                self._line.get("audio-pts", self._on_heard)
                self._look_for_lost_sound()

    def _look_for_lost_sound(self) -> None:
        """mpv drops the track when its device is lost or cannot be opened, and does not look for another."""
        now = asyncio.get_running_loop().time()
        expected = self._sound and self._has_audio and self._facts.kind is MediaType.VIDEO and not self._paused
        if not expected or self._output_opened or self._over:
            self._no_output_since = None
        elif self._no_output_since is None:
            self._no_output_since = now
        elif now - self._no_output_since >= SOUND_PAUSE_S:
            self._no_output_since = now
            self._line.set("aid", "no")
            self._line.set("aid", self._audio)

    # --- what it says ---

    def _on_version(self, data: Any) -> None:
        self._version = str(data).removeprefix("mpv ")
        if not self._greeted.done():
            self._greeted.set_result(None)

    def _on_event(self, message: dict[str, Any]) -> None:
        match message["event"]:
            case "property-change":
                self._on_property(message.get("name", ""), message.get("data"))
            case "file-loaded" if self._at_most is not None:
                self._line.get("track-list", self._choose)
            case "playback-restart" | "video-reconfig" as event:
                # Where the tracks are chosen here, it restarts before there are any.
                first_picture = "playback-restart" if self._at_most is None else "video-reconfig"
                if event == first_picture and self._facts.restarted():
                    for name in ("seekable", "partially-seekable"):
                        self._line.get(name, partial(self._on_property, name))
                    self._line.get("duration", self._on_duration)
                    self._line.get("file-format", self._on_format)
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
            self._output_opened = data is not None
            if data in _TALKING_OUTPUTS:
                self._line.set("ao-volume", 100)
                self._line.set("ao-mute", False)
        elif self._facts.observed(name, data):
            self._progress = self._facts.progress()

    def _on_format(self, data: Any) -> None:
        self._format = data or ""
        if data in _UNTIMED:
            self._line.set("cache-pause", False)

    def _on_size(self, data: Any) -> None:
        self._size = data

    def _choose(self, tracks: Any) -> None:
        """Before anything is decoded: the best rendition up to the height, or else the lowest."""
        video = rendition(tracks or [], at_most=self._at_most or 0)
        self._line.set("track-auto-selection", True)
        if video is None:
            self._at_most = None
            self._play(self._begin_at)  # sound alone, perhaps: as any other then
            return
        self._line.set("vid", video["id"])
        self._audio = own_sound(video, tracks)

    def _on_tracks(self, data: Any) -> None:
        tracks = data or []
        video = next((track for track in tracks if track.get("type") == "video" and track.get("selected")), None)
        has_audio = any(track.get("type") == "audio" for track in tracks)
        if video is None and _is_silent(self._outputs):
            self._fail(not_heard())
        elif video is None:
            self._open(MediaType.AUDIO, has_audio)
            if self._probing:
                self._line.say("stop")
        else:
            self._open(MediaType.IMAGE if video.get("image") else MediaType.VIDEO, has_audio)

    def _open(self, kind: MediaType, has_audio: bool) -> None:
        self._facts.kind, self._has_audio = kind, has_audio
        self._progress = self._facts.progress()
        if not self._opened.done():
            self._opened.set_result(Opened(kind, has_audio))

    def _on_end(self, reason: str) -> None:
        if self._over or reason in ("stop", "quit"):
            return
        if reason == "error" and self._tries_again():
            return
        if self._relay is not None and self._log.password_refused:
            self._fail(refused(self._url, unknown_digest=self._relay.unknown_digest))
            return
        if reason in ("error", "redirect") or self._facts.kind is None:
            self._fail(self._log.why_nothing(self._url))
            return
        position, duration = self._facts.position(), self._facts.length()
        failure: Failure | None = None
        if duration is None:
            failure = self._log.reason(self._url)  # live does not finish: it was cut off, and the log knows why
        elif position is not None and duration - position > EARLY_END_S and not self._is_whole:
            failure = broke_off(self._url, position=position, duration=duration)
        if failure is not None:
            self._fail(failure)
        elif not self._finished.done():
            self._over = True
            self._finished.set_result(None)

    @property
    def _is_whole(self) -> bool:
        """Whether all came that was announced: then the length is that of a late subtitle, or wrong."""
        known = self._size is not None and self._format not in _IN_PIECES
        return known and not self._log.was_cut_off and self._log.reason(self._url) is None

    def _tries_again(self) -> bool:
        """Whether there is another way to open it; that is under way then."""
        if self._log.transport_refused and not self._udp and self._source == self._url:
            self._udp = True
            self._log.forget()
            self._line.set("rtsp-transport", "udp")
            self._play(self._begin_at)
            return True
        if self._log.password_refused and self._relay is None and _has_password(self._url):
            self._log.forget()
            self._keep(self._open_by_relay(), "relayed")
            return True
        if self._log.found_no_streams and self._facts.kind is None and not self._probing:
            # Perhaps it has nothing but sound, which it was not to play yet: look, without opening a device.
            self._probing = True
            self._log.forget()
            self._line.get("ao", self._remember_outputs)
            self._line.set("ao", _SILENT_OUTPUT)
            self._line.set("aid", "auto")
            self._play(0.0)
            return True
        return False

    def _remember_outputs(self, data: Any) -> None:
        self._outputs = data

    def _fail(self, failure: Failure) -> None:
        self._over = True
        self._failed(MediaError(failure.code, failure.message, is_full=failure.is_full))

    # --- how far it is ---

    def _on_duration(self, data: Any) -> None:
        if data is not None:  # it has ended, and would pass for live from now on
            self._facts.duration = data

    def _on_heard(self, data: Any) -> None:
        self._facts.heard(data, sound=self._sound, since_s=REPORT_INTERVAL_S)
        self._progress = self._facts.progress()


def _has_password(url: str) -> bool:
    """Whether it is the address of a camera, with a password that may have to be told in another way."""
    return url.startswith("rtsp:") and urlsplit(url).username is not None


def _is_silent(outputs: Any) -> bool:
    """Whether these outputs, a property of mpv, are none that could be heard."""
    return bool(outputs) and all(output.get("name") == _SILENT_OUTPUT for output in outputs)
