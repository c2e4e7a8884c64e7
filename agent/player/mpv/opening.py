"""The ways in which mpv opens an address, tried one after the other."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from enum import IntEnum
from typing import Any
from urllib.parse import urlsplit

from agent.player.base import Media
from agent.player.ffmpeg.relay import RTSP_PROTOCOLS, Relay
from agent.player.mpv.json_ipc import JsonIpc
from agent.player.mpv.log_reader import LogReader
from agent.player.mpv.options import own_sound, rendition
from agent.types import Failure, MediaType

SILENT_OUTPUT = "null"
"""An output of mpv that nobody hears."""

BEGINNING_S = 0.5
"""The positions that are played from the beginning. FFmpeg refuses to seek in HLS to before the first packet that it
has read, in a film whose sound begins before its picture up to this much after position 0, and mpv takes that for the
end of the film."""


class Way(IntEnum):
    """The ways to open an address, in the order in which they are tried; none is tried twice."""

    PLAIN = 1
    UDP = 2
    """The way for a camera that refuses TCP."""
    RELAY = 3
    """Through a relay of ours: at once where FFmpeg would not check a certificate, and for a camera that refuses a
    password and may take it when it is told in another way."""
    PROBE = 4
    """The way for media that has nothing but sound, which it was not to play yet: without opening a device."""


class Opening:
    """The ways to open one media. `keep` runs a coroutine for as long as the player; `failed` is called when a relay
    fails."""

    def __init__(
        self,
        line: JsonIpc,
        log: LogReader,
        *,
        keep: Callable[[Coroutine[Any, Any, None], str], None],
        failed: Callable[[Failure], None],
    ) -> None:
        self._line = line
        self._log = log
        self._keep = keep
        self._failed = failed
        self._source = ""
        self._relay: Relay | None = None
        self._at_most: int | None = None
        self.url = ""
        self.way = Way.PLAIN
        self.begin_at = 0.0
        """Seconds."""
        self.audio: int | str = "auto"
        """The track that belongs to the picture, as mpv numbers it."""
        self.outputs: Any = None
        """Mpv's list of audio outputs, while another one stands in their place."""

    @property
    def chooses_rendition(self) -> bool:
        """Return True while the tracks are chosen here, by their height, and not by mpv."""
        return self._at_most is not None

    @property
    def unknown_digest(self) -> str | None:
        """The algorithm of the only digest that a camera offered, where FFmpeg does not know it; otherwise empty. None
        where it is not opened through a relay."""
        return self._relay.unknown_digest if self._relay is not None else None

    async def begin(self, media: Media) -> None:
        """Open it for the first time, without sound. Raises MediaError when its relay cannot be opened."""
        self.url, self.begin_at = media.url, media.position
        if media.url.startswith("rtsp"):
            self._line.set("demuxer-lavf-o", {"protocol_whitelist": RTSP_PROTOCOLS})
        self._source = media.url
        if media.url.startswith("rtsps:"):
            await self._take_relay()
        if media.quality.lines is not None and not media.url.startswith("rtsp") and not media.ready:
            self._at_most = media.quality.lines
            self._line.set("track-auto-selection", False)
        self.play()

    def play(self, position: float | None = None) -> None:
        """Open it, from where it is to begin or at this position, in seconds."""
        position = self.begin_at if position is None else position
        self._line.set("start", f"{position:.3f}" if position >= BEGINNING_S else "none")
        self._line.say("loadfile", self._source)

    def catch_up(self) -> None:
        """Have it shown as fast as it can be, with nothing looked up before: what a camera sent, kept until now."""
        self._line.set("demuxer-lavf-format", "nut")
        self._line.set("demuxer-lavf-probe-info", "no")
        self._line.set("stream-buffer-size", 4096)
        self.show_at_once()

    def show_at_once(self) -> None:
        """Have each picture shown when it comes; mpv would wait for the second one to know how long the first lasts."""
        self._line.set("cache-pause", False)
        self._line.set("untimed", True)

    def choose(self, tracks: Any) -> None:
        """Choose, before anything is decoded, the best rendition up to the height, or else the lowest."""
        video = rendition(tracks or [], at_most=self._at_most or 0)
        self._line.set("track-auto-selection", True)
        if video is None:
            self._at_most = None
            self.play()  # sound alone, perhaps: as any other then
            return
        self._line.set("vid", video["id"])
        self.audio = own_sound(video, tracks)

    def try_again(self, kind: MediaType | None) -> bool:
        """Open it in the next way that may help, by what the log says. Return False if there is none."""
        if self._log.transport_refused and self.way < Way.UDP:
            self._enter(Way.UDP)
            self._line.set("rtsp-transport", "udp")
            self.play()
            return True
        if self._log.password_refused and self.way < Way.RELAY and _has_password(self.url):
            self._enter(Way.RELAY)
            self._keep(self._open_by_relay(), "relayed")
            return True
        if self._log.found_no_streams and kind is None and self.way < Way.PROBE:
            self._enter(Way.PROBE)
            self._line.get("ao", self._remember_outputs)
            self._line.set("ao", SILENT_OUTPUT)
            self._line.set("aid", "auto")
            self.play(0.0)
            return True
        return False

    def _enter(self, way: Way) -> None:
        """Begin another way, without the mistakes of the one before."""
        self.way = way
        self._log.forget()

    async def _take_relay(self, *, only_to_mend: bool = False) -> None:
        self.way = Way.RELAY
        self._relay = relay = Relay(self.url, failed=self._failed, only_to_mend=only_to_mend)
        self._source = await relay.open()
        self._keep(relay.serve(), "relay")

    async def _open_by_relay(self) -> None:
        await self._take_relay(only_to_mend=True)
        self.play()

    def _remember_outputs(self, data: Any) -> None:
        self.outputs = data


def seek_to(position: float, *, file_format: str, exact: bool = False) -> tuple[str, float, str]:
    """Return mpv's command that seeks to a position in seconds; `exact` also where a key frame would do."""
    if file_format == "hls" and position < BEGINNING_S:
        return "seek", BEGINNING_S, "absolute+keyframes"  # shows its first segment from the last key frame up to there
    return "seek", position, "absolute+exact" if exact else "absolute"


def _has_password(url: str) -> bool:
    """Return True for the address of a camera with a password that may have to be sent in another way."""
    return url.startswith("rtsp:") and urlsplit(url).username is not None
