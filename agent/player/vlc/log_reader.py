"""libVLC's log, as far as it tells something that libVLC tells nowhere else: what it chose, and why it failed."""

from __future__ import annotations

import ctypes
import math
import queue
import re
import time
from collections import deque
from enum import Enum, auto
from typing import Any, NamedTuple

from agent.player.reasons import explain
from agent.player.vlc.body import Body
from agent.player.vlc.events import PlayerEvent
from agent.types import Failure

_HARDWARE = re.compile(r"Using (.+) for hardware decoding")
_DEMUXER = re.compile(r'using (?:access_)?demux module "(\w+)"')
_PICTURE = re.compile(r"(?im)^\s*content-type:\s*image/")
_MJPEG = re.compile(r"(?im)^\s*content-type:\s*multipart/x-mixed-replace\b")
_PAGE = re.compile(r"(?im)^\s*content-type:\s*text/html\b")
_HTTP_ANSWER = re.compile(r"incoming response:\s+HTTP/\S+ (\d{3})")
_CHALLENGE = re.compile(r"^WWW-Authenticate:\s*(.+?)\s*$", re.IGNORECASE | re.MULTILINE)
_OLDER_ANSWER = re.compile(r"HTTP answer code (\d{3})")
"""A line of libVLC's older HTTP module (modules/access/http.c), which tries what the newer one could not have."""
_REFUSED = b"HTTP answer code 401"
_REFUSALS_AT_MOST = 2
"""Answers 401 to one address, one for each of these modules. Where a digest is offered, the older one would go on
asking, a thousand times a second, and whoever does that locks an account."""
_REFUSED_PAUSE_S = 0.1
"""The time that the older module is held up after each such answer, so that this process can be ended meanwhile."""
_LOG_NOTICE, _LOG_WARNING, _LOG_ERROR = 2, 3, 4
_HLS_STAYS_LIVE = "Updated playlist ID"
_STAYS_LIVE = (_HLS_STAYS_LIVE, "Updated MPD")
"""Logged (demux/hls, HLSRepresentation::scheduleNextUpdate, and demux/dash, DASHManager) whenever a playlist was read
that is to be read again, the first time before any of its media; of a recording never. Everything else that libVLC
tells is alike for both: it gives a live playlist a length, and says that it can be sought in."""
_FIRST_PICTURE = "Received first picture"
"""Logged (src/input/decoder.c) when a picture goes to the output while that waits for its buffer, to be drawn at once.
A picture that comes later waits for its moment, and is thrown away if the media is over by then."""
_READ_TO_END = "EOF reached"
"""Logged (src/input/input.c, MainLoopDemux) when all was read; up to 2 s of it are still to be shown."""
_BUFFERED = re.compile(r"Stream buffering done \((\d+) ms in (\d+) ms\)")
"""Logged (src/input/es_out.c) when so much of the media was read, in so much time since its first bytes."""
_SLOW_BY_MS = 250
"""The time beyond the length of what was buffered, 1 s as a rule. A radio sends as fast as it is heard."""
_LATE_VIDEO_S = 0.4
_CANNOT_JUMP = "cannot find any cluster or chapter"
"""Logged (demux/mkv) where libVLC cannot jump in a Matroska file, such as on a web server without ranges. It reads the
file again from its beginning then, with FFmpeg, and how much it had read before nobody knows."""
_GAVE_UP = "Could not update"
_NOT_UPDATED = "Failed to update"
"""Logged (demux/hls, HLSRepresentation::runLocalUpdates) each time that a live playlist cannot be read again."""
_SOUND_OPENED = b"%s '%4.4s' %d Hz"
"""Logged (src/audio_output/common.c, aout_FormatPrint) once sound was decoded and its device is open. The counter of
played buffers is up to 1 s late, and for a short sound it never comes."""
_DEBUG_LINES_WORTH_READING = (
    b"using %s module",
    b"incoming response",
    b"HTTP answer code",
    b"Stream buffering done",
    *(line.encode() for line in (*_STAYS_LIVE, _FIRST_PICTURE, _READ_TO_END)),
    _SOUND_OPENED,
)
_LINES_KEPT = 200
_LINE_BYTES = 4096
"""The longest lines are the headers of an answer over HTTP."""
_MEMORY_S = 30.0
"""A reason older than this is not why it fails now; libVLC gives up on a live playlist after about 14 s."""


class LogLine(NamedTuple):
    level: int
    text: str


class LivePlaylist(Enum):
    """The kind of playlist that is extended while it plays, as far as the log has shown it."""

    NONE = auto()
    DASH = auto()
    HLS = auto()


class LogReader:
    """The facts in libVLC's log so far."""

    def __init__(self) -> None:
        self.demuxer = ""
        """Name of the module that takes the media apart."""
        self._playlist = LivePlaylist.NONE
        self._segments_mp4 = False
        """True if the segments of the playlist are fragmented MP4 (fMP4)."""
        self.hardware: str | None = None
        """Name of the hardware decoder in use."""
        self.is_picture = False
        """True if the server calls the media a picture."""
        self.is_mjpeg = False
        """True if the server sends one picture after the other, as cameras do (MJPEG)."""
        self.is_page = False
        """True if the server calls the media a web page."""
        self.pictured = False
        """True once the first picture was certainly drawn."""
        self.buffered = False
        """True once enough was read to begin."""
        self.is_slow = False
        """True if what was read until then took longer to come than to be heard or seen."""
        self.cannot_jump = False
        """True if the media is a Matroska file that can only be read from its beginning to its end."""
        self.read_to_end = False
        """True once the media was read to its end, since the last seek."""
        self.challenges: list[str] = []
        """The methods that the last answer 401 offered for the password."""
        self._refusals = 0
        self.body = Body()
        """The body of the media that plays."""
        self.not_updated_at = -math.inf
        """The monotonic time at which a live playlist last could not be read."""
        self._lines: deque[tuple[float, str]] = deque(maxlen=_LINES_KEPT)

    @property
    def late_video_s(self) -> float:
        """The seconds by which video may be announced after sound: in adaptive and transport streams, within the first
        packets of a segment."""
        return _LATE_VIDEO_S if self.demuxer in ("adaptive", "ts") else 0.0

    def read(self, line: LogLine) -> None:
        self.body.read(line.text)
        if m := _DEMUXER.search(line.text):
            if self.demuxer == "adaptive" and m[1] == "mp4":
                self._segments_mp4 = True
            self.demuxer = self.demuxer or m[1]
        elif m := _HARDWARE.search(line.text):
            self.hardware = m[1]
        elif m := _HTTP_ANSWER.match(line.text):
            self.is_picture = _PICTURE.search(line.text) is not None
            self.is_mjpeg = _MJPEG.search(line.text) is not None
            self.is_page = _PAGE.search(line.text) is not None
            if int(m[1]) >= 400:
                self._keep(f"HTTP {m[1]} error")
            if int(m[1]) == 401:
                self.challenges = _CHALLENGE.findall(line.text)
                self._refusals += 1
        elif m := _OLDER_ANSWER.match(line.text):
            self._refusals += int(m[1]) == 401
        elif line.text.startswith(_STAYS_LIVE):
            self._playlist = LivePlaylist.HLS if line.text.startswith(_HLS_STAYS_LIVE) else LivePlaylist.DASH
        elif line.text.startswith(_FIRST_PICTURE):
            self.pictured = True
        elif line.text.startswith(_READ_TO_END):
            self.read_to_end = True
        elif m := _BUFFERED.match(line.text):
            self.buffered = True
            self.is_slow = int(m[2]) - int(m[1]) > _SLOW_BY_MS
        elif line.text.startswith(_CANNOT_JUMP):
            self.cannot_jump = True
        elif line.level >= _LOG_WARNING:
            if line.text.startswith(_NOT_UPDATED):
                self.not_updated_at = time.monotonic()
            self._keep(line.text)

    def reason(self, url: str) -> Failure | None:
        """The most telling reason for a failure that happens now, or None."""
        since = time.monotonic() - _MEMORY_S
        return explain([text for at, text in self._lines if at >= since], url)

    def forget(self) -> None:
        """Forget the failures of the way of opening before."""
        self._lines.clear()
        self.challenges, self._refusals = [], 0

    @property
    def live(self) -> bool:
        """Return True if the media is a playlist that is extended while it plays."""
        return self._playlist is not LivePlaylist.NONE

    @property
    def live_fmp4(self) -> bool:
        """Return True if the media is a live HLS playlist whose segments are fragmented MP4."""
        return self._playlist is LivePlaylist.HLS and self._segments_mp4

    @property
    def is_refused(self) -> bool:
        """Return True if the source refused so often that it must not be asked again."""
        return self._refusals >= _REFUSALS_AT_MOST

    @property
    def gave_up(self) -> bool:
        """Return True if a live playlist could not be read any more."""
        return any(text.startswith(_GAVE_UP) for _, text in self._lines)

    def _keep(self, text: str) -> None:
        self._lines.append((time.monotonic(), text))


def subscribe(vlc: Any, instance: Any, inbox: queue.SimpleQueue[Any]) -> Any:
    """Have the lines that are worth reading put into `inbox`. What it returns must be kept for as long."""
    vsnprintf = ctypes.CDLL(None).vsnprintf
    get_object = vlc.dll.libvlc_log_get_object
    get_object.argtypes = [ctypes.c_void_p] * 4
    get_object.restype = None

    @vlc.CallbackDecorators.LogCb  # type: ignore[untyped-decorator]
    def on_log(_data: Any, level: int, context: Any, text: bytes, arguments: Any) -> None:
        if level < _LOG_NOTICE and not text.startswith(_DEBUG_LINES_WORTH_READING):
            return  # they come by the thousand
        kind = ctypes.c_char_p()
        get_object(ctypes.cast(context, ctypes.c_void_p), ctypes.byref(kind), None, None)
        if kind.value == b"audio output":
            if text.startswith(_SOUND_OPENED):
                inbox.put(PlayerEvent("SoundOpened"))
            elif level >= _LOG_ERROR:
                inbox.put(PlayerEvent("SoundRefused"))
            return  # a sound server that refuses is no reason why the media cannot be played
        buffer = ctypes.create_string_buffer(_LINE_BYTES)
        vsnprintf(buffer, len(buffer), ctypes.c_char_p(text), ctypes.cast(arguments, ctypes.c_void_p))
        inbox.put(LogLine(level, buffer.value.decode(errors="replace")))
        if buffer.value.startswith(_REFUSED):
            time.sleep(_REFUSED_PAUSE_S)  # holds up the thread of libVLC that logs it, and no other

    instance.log_set(on_log, None)
    return on_log  # ctypes keeps no reference of its own
