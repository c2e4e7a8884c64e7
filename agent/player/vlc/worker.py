"""The `vlc` player process: plays one thing through libVLC, then waits to be killed.

One thread, the main one, calls libVLC and answers pings. libVLC's callbacks only enqueue: a call from inside one
deadlocks. Calls may hang all the same (`stop()` above all); then the ping stays unanswered and the daemon kills.
"""

from __future__ import annotations

import argparse
import ctypes
import os
import queue
import re
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from agent.player import ipc
from agent.player.channel import Channel, die_with_parent
from agent.player.confine import NONE, Confinement, confine
from agent.player.vlc.options import instance_arguments, media_options, short_sound_options, start_options
from agent.player.vlc.reasons import broke_off, explain, nothing_shown
from agent.player.vlc.sound import SoundOutput
from agent.types import ErrorCode, Failure, MediaType, Quality, StreamType

REPORT_INTERVAL_S = 0.25
"""libVLC renews its own statistics four times a second; asking more often brings nothing new."""

PREROLL_TIMEOUT_S = 3.0
"""Usually 0.2 s; past this the player is used as it is."""

LATE_VIDEO_GRACE_S = 0.4
"""Adaptive and transport streams may announce their video after their audio, within a segment's first packets."""

CLOCK_STUCK_S = 0.6
"""libVLC's clock moves every 0.3 s."""

SHORT_S = 2.5
"""Sounds shorter than this may be buffered whole in silence: libVLC reads 1 s ahead over HTTP, 1.5 s at most."""

EARLY_END_S = 3.0
"""A film that ends this much before its length broke off; less is the rounding of containers."""

ENTRIES_AT_MOST = 100
ENTRY_LENGTH_AT_MOST = 500
"""Characters. All of a playlist goes through one line of the socket pair, which is 64 KiB at most."""

_PREROLL = Path(__file__).parents[1] / "preroll.mp4"
_LATE_VIDEO_DEMUXERS = {"adaptive", "ts"}
_HARDWARE = re.compile(r"Using (.+) for hardware decoding")
_DEMUXER = re.compile(r'using (?:access_)?demux module "(\w+)"')
_LOG_NOTICE, _LOG_WARNING = 2, 3
_AUDIO, _VIDEO = 0.0, 1.0
"""Kinds of track, as libvlc_track_type_t has them."""
_HTTP_ANSWER = re.compile(r"incoming response:\s+HTTP/\S+ (\d{3})")
_DEBUG_LINES_WORTH_READING = (b"using %s module", b"incoming response")
_SOUND_OPENED = b"%s '%4.4s' %d Hz"
"""Logged (src/audio_output/common.c, aout_FormatPrint) once sound was decoded and its device is open. The counter of
played buffers is up to 1 s late, and for a short sound it never comes."""
_LOG_LINES_KEPT = 200
_NOT_HEARD = 'This is sound without a picture, and the sound of this box is switched off ([audio] output = "none").'
_LOG_MEMORY_S = 30.0
"""A reason older than this is not why it fails now; libVLC gives up on a live playlist after about 14 s."""


class PlayerEvent(NamedTuple):
    name: str
    value: float = 0.0


class LogLine(NamedTuple):
    level: int
    text: str


class Clock(NamedTuple):
    """What libVLC's clock showed, since when, and how many pictures had been displayed by then."""

    ms: int
    since: float
    pictures: int


class VlcWorker:
    """libVLC and what it has said so far."""

    def __init__(
        self, *, channel_fd: int, audio_output: str, audio_device: str | None, confinement: Confinement | None
    ) -> None:
        import vlc  # only here: 31 ms and every wrapper of libVLC

        # Before libVLC has threads: those would stay free.
        self._confined = confine(confinement, libraries=_plugin_folders()) if confinement else NONE
        self._vlc = vlc
        self._inbox: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._log: deque[tuple[float, str]] = deque(maxlen=_LOG_LINES_KEPT)
        self._demuxer = ""
        self._hardware: str | None = None
        self._instance = vlc.Instance(instance_arguments(audio_output=audio_output))
        if self._instance is None:
            sys.exit("libVLC refused its arguments or found no plug-ins")
        self._keep = self._subscribe_log()
        self._player = self._new_player()
        self._output = SoundOutput(self._instance, self._player, output=audio_output, device=audio_device)
        self._media: Any = None
        self._stats = vlc.MediaStats()
        self._url = ""
        self._begin_at = 0.0
        self._clock = Clock(-1, 0.0, 0)
        self._loaded_at = 0.0
        self._vout = self._buffered_at = 0.0
        self._opened: MediaType | None = None
        self._ended = self._over = False
        self._sound = False
        self._added: set[float] = set()
        self._track_chosen = False
        self._heard_before = self._begun_again = self._sounded = False
        self._channel = Channel(channel_fd, self._inbox)

    def run(self) -> None:
        """Serve commands until the daemon goes away or kills."""
        self._channel.send(
            ipc.Hello(
                engine="vlc",
                version=self._vlc.libvlc_get_version().decode(errors="replace"),
                features={"rtsp": _has_plugin("liblive555_plugin.so"), "confinement": self._confined},
            )
        )
        next_report = 0.0
        while True:
            item = self._next(REPORT_INTERVAL_S if self._media is not None else None)
            if item is not None:
                self._handle(item)
            if self._media is not None and (now := time.monotonic()) >= next_report:
                next_report = now + REPORT_INTERVAL_S
                self._report_progress()
                self._look_for_audio_only(now)

    def _next(self, timeout: float | None) -> Any:
        try:
            return self._inbox.get(timeout=timeout)
        except queue.Empty:
            return None

    def _handle(self, item: Any) -> None:
        match item:
            case ipc.Ping(id=ping_id):
                self._channel.send(ipc.Pong(ping_id))
            case ipc.Warm(xid=xid):
                self._channel.send(ipc.Warmed(self._preroll(xid)))
            case ipc.Load():
                self._load(item)
            case ipc.Pause(on=on):
                self._player.set_pause(int(on))
                self._channel.send(ipc.Done())
            case ipc.Seek(position=position):
                self._player.set_time(round(position * 1000))
                self._channel.send(ipc.Done())
            case ipc.Sound(on=True):
                self._take_sound()
                self._channel.send(ipc.Done())
            case ipc.Sound(on=False):
                self._leave_sound()
            case ipc.Volume(level=level, muted=muted):
                self._output.set_volume(level, muted)
                self._channel.send(ipc.Done())
            case LogLine():
                self._read_log(item)
            case PlayerEvent():
                self._on_event(item)

    # --- commands ---

    def _preroll(self, xid: int) -> bool:
        media = self._instance.media_new_path(str(_PREROLL))
        media.add_option(":no-audio")
        self._player.set_xwindow(xid)
        self._player.set_media(media)
        self._player.play()
        shown, deadline = False, time.monotonic() + PREROLL_TIMEOUT_S
        while (left := deadline - time.monotonic()) > 0:
            item = self._next(left)
            if isinstance(item, PlayerEvent):
                shown = shown or item.name == "Vout"
                if item.name in ("EndReached", "EncounteredError"):
                    break
            elif item is not None and not isinstance(item, LogLine):
                self._handle(item)  # a ping, which must not wait
        self._player.stop()
        self._forget_events()
        return shown

    def _forget_events(self) -> None:
        """What was played before has ended, and what it said is not about what comes now."""
        kept = []
        while not self._inbox.empty():
            item = self._inbox.get()
            if not isinstance(item, PlayerEvent | LogLine):
                kept.append(item)
        for item in kept:
            self._inbox.put(item)

    def _load(self, load: ipc.Load) -> None:
        self._url = load.url
        self._output.set_volume(load.volume, load.muted)
        self._player.set_xwindow(load.xid)
        self._begin_at = load.position
        self._play(media_options(Quality(load.quality), position=load.position))

    def _play(self, options: list[str]) -> None:
        self._media = self._instance.media_new_location(self._url)
        for option in options:
            self._media.add_option(option)
        self._player.set_media(self._media)
        self._forget_events()
        self._loaded_at = time.monotonic()
        self._ended = False
        self._player.play()

    def _leave_sound(self) -> None:
        self._sound = False
        if self._opened is MediaType.AUDIO:
            self._player.set_pause(1)
        if self._track_chosen:
            self._player.audio_set_track(-1)  # the device is closed once libVLC says so, and only then it is done
        else:
            self._channel.send(ipc.Done())

    def _take_sound(self) -> None:
        audio_only = self._opened is MediaType.AUDIO
        self._sound = True
        if not self._output.wanted:
            if audio_only:
                self._fail(Failure(ErrorCode.MEDIA_UNSUPPORTED, _NOT_HEARD))
            return
        self._output.make()
        if audio_only and not self._heard_before and (self._ended or (self._duration() or SHORT_S) < SHORT_S):
            self._begin_again()
        else:
            tracks = [track for track, _ in self._player.audio_get_track_description() or [] if track >= 0]
            if tracks:
                self._player.audio_set_track(tracks[0])
                self._track_chosen = True
                if not self._heard_before and self._player.is_seekable():
                    self._read_again(from_the_start=audio_only)
            if audio_only:
                self._player.set_pause(0)
        self._heard_before = True

    def _begin_again(self) -> None:
        """For a sound that is shorter than what was buffered in silence: it is over, or about to be, before it was
        heard, and going back then loses a part of it."""
        self._begun_again = self._track_chosen = True
        self._play([*short_sound_options(), *start_options(self._begin_at)])

    def _read_again(self, *, from_the_start: bool) -> None:
        # What was buffered (1-2 s of it) was read without its sound. Without this the sound sets in that much later,
        # and breaks off again for 0.2 s; with it the first picture stands for some 0.1 s, and then both go on.
        begin_ms = round(self._begin_at * 1000)
        self._player.set_time(begin_ms if from_the_start else max(begin_ms, self._player.get_time()))

    # --- what libVLC says ---

    def _on_event(self, event: PlayerEvent) -> None:
        match event.name:
            case "Vout" if event.value > 0 and not self._vout:
                self._vout = time.monotonic()
                kind = MediaType.IMAGE if self._demuxer == "image" else MediaType.VIDEO
                self._report_opened(kind)
            case "Buffering" if event.value >= 100 and not self._buffered_at:
                self._buffered_at = time.monotonic()
                self._look_for_audio_only(self._buffered_at)
            case "SoundOpened":
                self._sounded = True
                self._report_progress()
            case "ESAdded":
                self._added.add(event.value)
            case "ESSelected" if event.value == _AUDIO and self._track_chosen and not self._sound:
                self._track_chosen = False
                self._channel.send(ipc.Done())
            case "EncounteredError":
                self._read_pending_log()
                self._fail(self._reason() or nothing_shown(self._url))
            case "EndReached":
                self._on_end()

    def _look_for_audio_only(self, now: float) -> None:
        if self._opened is not None or self._vout or not self._buffered_at:
            return  # garbage may look like sound to a demuxer, but it never fills a buffer
        if self._ended:  # its tracks are gone already
            if _AUDIO in self._added and _VIDEO not in self._added:
                self._report_opened(MediaType.AUDIO)
            return
        late = LATE_VIDEO_GRACE_S if self._demuxer in _LATE_VIDEO_DEMUXERS else 0.0
        if (
            now - self._buffered_at >= late
            and self._player.audio_get_track_count() > 0
            and self._player.video_get_track_count() <= 0
        ):
            self._player.set_pause(1)  # nothing of it may pass before it can be heard
            self._report_opened(MediaType.AUDIO)

    def _report_opened(self, kind: MediaType) -> None:
        if self._opened is None:
            self._opened = kind
            self._channel.send(ipc.OpenedReport(kind, _AUDIO in self._added))

    def _on_end(self) -> None:
        if self._ended:
            return
        self._ended = True
        self._read_pending_log()
        self._report_progress()
        self._look_for_audio_only(time.monotonic())
        if self._opened is MediaType.AUDIO and not self._sound:
            return  # a short sound, all of it buffered: it will be heard once it is given the sound
        if self._opened is MediaType.AUDIO and not self._sounded and not self._begun_again:
            self._begin_again()
            return
        if self._opened is None or (not self._vout and not self._sounded):
            if entries := self._entries():
                self._over = True
                self._channel.send(ipc.Playlist(entries))
            else:
                self._fail(self._reason() or nothing_shown(self._url))
            return
        position, duration = self._position(), self._duration()
        if position is not None and duration is not None and duration - position > EARLY_END_S:
            self._fail(broke_off(self._url, position=position, duration=duration))
        elif duration is None and (reason := self._reason()):
            self._fail(reason)  # live does not finish: it was cut off, and the log knows why
        elif not self._over:
            self._over = True
            self._channel.send(ipc.Finished())

    def _entries(self) -> list[str]:
        """The addresses in the playlist that the media turned out to be; what is too long for one is left out."""
        items = self._media.subitems()
        if items is None:
            return []
        addresses = [items.item_at_index(i).get_mrl() or "" for i in range(min(items.count(), ENTRIES_AT_MOST))]
        return [a for a in addresses if a and len(a) <= ENTRY_LENGTH_AT_MOST]

    def _reason(self) -> Failure | None:
        since = time.monotonic() - _LOG_MEMORY_S
        return explain([text for at, text in self._log if at >= since], self._url)

    def _fail(self, failure: Failure) -> None:
        if not self._over:
            self._over = True
            self._channel.send(ipc.Failed(failure.code, failure.message))

    def _read_log(self, line: LogLine) -> None:
        if m := _DEMUXER.search(line.text):
            if not self._demuxer:
                self._demuxer = m[1]
        elif m := _HARDWARE.search(line.text):
            self._hardware = m[1]
        elif m := _HTTP_ANSWER.match(line.text):
            if int(m[1]) >= 400:
                self._log.append((time.monotonic(), f"HTTP {m[1]} error"))
        elif line.level >= _LOG_WARNING:
            self._log.append((time.monotonic(), line.text))
            if "is not supported" in line.text and self._opened is None:
                failure = explain([line.text], self._url)
                if failure and failure.code is ErrorCode.MEDIA_DECODE and "audio" not in line.text:
                    self._fail(failure)

    def _read_pending_log(self) -> None:
        later = []
        while not self._inbox.empty():
            item = self._inbox.get()
            if isinstance(item, LogLine):
                self._read_log(item)
            else:
                later.append(item)
        for item in later:
            self._inbox.put(item)

    def _report_progress(self) -> None:
        self._media.get_stats(self._stats)
        self._channel.send(
            ipc.ProgressReport(
                pictures=self._stats.displayed_pictures,
                audio_buffers=max(self._stats.played_abuffers, int(self._sounded)),
                position=self._position(),
                duration=self._duration(),
                stream_type=self._stream_type(),
                hardware_decoding=self._hardware,
            )
        )

    def _stream_type(self) -> str | None:
        if self._opened is None:
            return None
        if self._opened is MediaType.IMAGE or self._player.get_length() > 0:
            return StreamType.BUFFERED
        return StreamType.LIVE

    def _position(self) -> float | None:
        """Where it is. libVLC's clock stands still once it has read a short file to its end, long before that is
        shown: then the pictures that were displayed since tell."""
        ms, duration = self._player.get_time(), self._duration()
        if ms < 0 or duration is None:
            return None
        now, pictures = time.monotonic(), self._stats.displayed_pictures
        if ms != self._clock.ms:
            self._clock = Clock(ms, now, pictures)
        position, fps = ms / 1000, float(self._player.get_fps())
        if fps > 0 and now - self._clock.since > CLOCK_STUCK_S:
            position += (pictures - self._clock.pictures) / fps
        return float(min(position, duration))

    def _duration(self) -> float | None:
        ms = self._player.get_length()
        return ms / 1000 if ms > 0 else None

    # --- subscriptions ---

    def _new_player(self) -> Any:
        player = self._instance.media_player_new()
        events = player.event_manager()
        kinds = self._vlc.EventType
        for kind, read in (
            (kinds.MediaPlayerEncounteredError, None),
            (kinds.MediaPlayerEndReached, None),
            (kinds.MediaPlayerBuffering, lambda e: float(e.u.new_cache)),
            (kinds.MediaPlayerVout, lambda e: float(e.u.new_count)),
            # The first field of these two is the kind of track.
            (kinds.MediaPlayerESAdded, lambda e: float(e.u.new_status)),
            (kinds.MediaPlayerESSelected, lambda e: float(e.u.new_status)),
        ):
            events.event_attach(kind, self._enqueue, str(kind).rpartition("MediaPlayer")[2], read)
        return player

    def _enqueue(self, event: Any, name: str, read: Callable[[Any], float] | None) -> None:
        value = read(event) if read else 0.0
        if name != "Buffering" or value >= 100:
            self._inbox.put(PlayerEvent(name, value))

    def _subscribe_log(self) -> Any:
        vsnprintf = ctypes.CDLL(None).vsnprintf
        get_object = self._vlc.dll.libvlc_log_get_object
        get_object.argtypes = [ctypes.c_void_p] * 4
        get_object.restype = None
        inbox = self._inbox

        @self._vlc.CallbackDecorators.LogCb  # type: ignore[untyped-decorator]
        def on_log(_data: Any, level: int, context: Any, text: bytes, arguments: Any) -> None:
            if level < _LOG_NOTICE and not text.startswith((*_DEBUG_LINES_WORTH_READING, _SOUND_OPENED)):
                return  # they come by the thousand
            kind = ctypes.c_char_p()
            get_object(ctypes.cast(context, ctypes.c_void_p), ctypes.byref(kind), None, None)
            if kind.value == b"audio output":
                if text.startswith(_SOUND_OPENED):
                    inbox.put(PlayerEvent("SoundOpened"))
                return  # a sound server that refuses is no reason why the media cannot be played
            buffer = ctypes.create_string_buffer(1024)
            vsnprintf(buffer, len(buffer), ctypes.c_char_p(text), ctypes.cast(arguments, ctypes.c_void_p))
            inbox.put(LogLine(level, buffer.value.decode(errors="replace")))

        self._instance.log_set(on_log, None)
        return on_log  # ctypes keeps no reference of its own


@contextmanager
def _mapped_files() -> Iterator[Iterator[str]]:
    with open("/proc/self/maps", encoding="utf-8", errors="replace") as maps:
        yield (line.rstrip("\n").partition("/")[2] for line in maps)


def _has_plugin(file_name: str) -> bool:
    return any(next(Path(folder).rglob(file_name), None) for folder in _plugin_folders())


def _plugin_folders() -> list[str]:
    folders = [Path(p) for p in os.environ.get("VLC_PLUGIN_PATH", "").split(os.pathsep) if p]
    with _mapped_files() as files:
        folders += {Path("/" + f).parent / "vlc" / "plugins" for f in files if "libvlccore.so" in f}
    return [str(folder) for folder in folders]


def main() -> None:
    parser = argparse.ArgumentParser(description="A player process of cast-agent; started by the daemon only.")
    parser.add_argument("--fd", type=int, required=True)
    parser.add_argument("--parent", type=int, required=True)
    parser.add_argument("--audio-output", default="auto")
    parser.add_argument("--audio-device")
    parser.add_argument("--confine", nargs="+", help="what it may reach")
    options = parser.parse_args()
    die_with_parent(options.parent)
    VlcWorker(
        channel_fd=options.fd,
        audio_output=options.audio_output,
        audio_device=options.audio_device,
        confinement=Confinement.from_words(options.confine) if options.confine else None,
    ).run()


if __name__ == "__main__":
    main()
