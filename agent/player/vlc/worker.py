"""The `vlc` player process: plays one thing through libVLC, then waits to be killed.

One thread, the main one, calls libVLC and answers pings. libVLC's callbacks only enqueue: a call from inside one
deadlocks. Calls may hang all the same (`stop()` above all); then the ping stays unanswered and the daemon kills.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from agent.player import ipc
from agent.player.channel import Channel, die_with_parent
from agent.player.confine import NONE, Confinement, confine
from agent.player.confine.display import require_display
from agent.player.reasons import broke_off, no_decoder, not_heard, nothing_shown
from agent.player.vlc import events, log_reader
from agent.player.vlc.body import Body
from agent.player.vlc.events import PlayerEvent
from agent.player.vlc.facts import Facts
from agent.player.vlc.inbox import Inbox
from agent.player.vlc.log_reader import LogLine, LogReader
from agent.player.vlc.login import Login
from agent.player.vlc.options import instance_arguments, media_options, short_sound_options
from agent.player.vlc.plugins import has_plugin, has_plugin_cache, plugin_folders
from agent.player.vlc.reasons import live_fmp4, only_picture_lost, picture, piece_lost
from agent.player.vlc.sound import LostSound, SoundOutput
from agent.types import ErrorCode, Failure, MediaType, Quality

REPORT_INTERVAL_S = 0.25
"""libVLC renews its own statistics four times a second; asking more often brings nothing new."""

PREROLL_TIMEOUT_S = 3.0
"""Usually 0.2 s; past this the player is used as it is."""

LATE_VIDEO_GRACE_S = 0.4
"""Adaptive and transport streams may announce their video after their audio, within a segment's first packets."""

SHORT_S = 2.5
"""Sounds shorter than this may be buffered whole in silence: libVLC reads 1 s ahead over HTTP, 1.5 s at most."""

EARLY_END_S = 3.0
"""A film that ends this much before its length broke off; less is the rounding of containers."""

OUT_OF_STORE_S = 1.0
"""Without a new picture: what was in store has been shown. libVLC's counts are up to 0.5 s old."""

LOST_FOR_S = 10.0
"""After a playlist could not be read: up to three segments are in store, of 2 s as a rule."""

ENTRIES_AT_MOST = 100
ENTRY_LENGTH_AT_MOST = 500
"""Characters. All of a playlist goes through one line of the socket pair, which is 64 KiB at most."""

_PREROLL = Path(__file__).parents[1] / "preroll.mp4"
_LATE_VIDEO_DEMUXERS = {"adaptive", "ts"}


class VlcWorker:
    """libVLC and what it has said so far."""

    def __init__(
        self,
        *,
        channel_fd: int,
        audio_output: str,
        audio_device: str | None,
        confinement: Confinement | None,
        shows_pictures: bool = True,
        languages: Sequence[str] = (),
        plays_live_fmp4: bool = True,
    ) -> None:
        import vlc  # only here: 31 ms and every wrapper of libVLC

        # Before libVLC has threads: those would stay free.
        self._confined = confine(confinement, libraries=plugin_folders()) if confinement else NONE
        require_display()
        self._vlc = vlc
        self._inbox = Inbox()
        self._log = LogReader()
        self._instance = vlc.Instance(instance_arguments(audio_output=audio_output))
        if self._instance is None:
            sys.exit("libVLC refused its arguments or found no plug-ins")
        self._keep = log_reader.subscribe(vlc, self._instance, self._inbox)
        self._player = self._instance.media_player_new()
        events.subscribe(vlc, self._player, self._inbox)
        self._output = SoundOutput(self._instance, self._player, output=audio_output, device=audio_device)
        self._shows_pictures = shows_pictures
        self._languages = languages
        self._track = -1
        """That was heard last."""
        self._plays_live_fmp4 = plays_live_fmp4
        self._media: Any = None
        self._facts = Facts(vlc, self._player, self._log)
        self._url = ""
        self._login = Login("")
        self._quality = Quality.AUTO
        self._begin_at = 0.0
        self._vout = self._buffered_at = 0.0
        self._opened: MediaType | None = None
        self._ended = self._over = False
        self._sound = self._paused = False
        self._added: set[float] = set()
        self._track_chosen = self._looked_back = False
        self._heard_before = self._begun_again = self._sounded = False
        self._lost_sound = LostSound()
        self._choosing_again: int | None = None
        """The audio track that is chosen once there is a new output."""
        self._channel = Channel(channel_fd, self._inbox)

    def run(self) -> None:
        """Serve commands until the daemon goes away or kills."""
        self._channel.send(
            ipc.Hello(
                engine="vlc",
                version=self._vlc.libvlc_get_version().decode(errors="replace"),
                features={
                    "rtsp": has_plugin("liblive555_plugin.so"),
                    "plugin_cache": has_plugin_cache(),
                    "confinement": self._confined,
                },
            )
        )
        next_report = 0.0
        while True:
            item = self._inbox.next(REPORT_INTERVAL_S if self._media is not None else None)
            if item is not None:
                self._handle(item)
            if self._media is not None and (now := time.monotonic()) >= next_report:
                next_report = now + REPORT_INTERVAL_S
                self._report_progress()
                self._look_for_audio_only(now)
                self._look_for_lost_playlist(now)
                self._look_for_lost_sound(now)

    def _handle(self, item: Any) -> None:
        match item:
            case ipc.Ping(id=ping_id):
                self._channel.send(ipc.Pong(ping_id))
            case ipc.Warm(xid=xid):
                self._channel.send(ipc.Warmed(self._preroll(xid)))
            case ipc.Load():
                self._load(item)
            case ipc.Pause(on=on):
                self._paused = on
                self._player.set_pause(int(on))
                self._channel.send(ipc.Done())
            case ipc.Seek(position=position):
                self._go_to(round(position * 1000))
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
            item = self._inbox.next(left)
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
        self._inbox.take(PlayerEvent, LogLine)

    def _load(self, load: ipc.Load) -> None:
        self._url, self._login = load.url, Login(load.url)
        self._output.set_volume(load.volume, load.muted)
        self._player.set_xwindow(load.xid)
        self._quality = Quality(load.quality)
        self._begin_at = load.position
        self._facts.begins_at(round(load.position * 1000))
        self._play(media_options(self._quality, position=load.position))

    def _play(self, options: list[str]) -> None:
        login = self._login
        self._media = self._instance.media_new_location(login.bare if login.is_kept_back else login.url)
        for option in options:
            self._media.add_option(option)
        self._player.set_media(self._media)
        self._forget_events()
        self._ended = self._log.read_to_end = False
        self._log.body = Body()
        self._player.play()

    def _leave_sound(self) -> None:
        self._sound, self._choosing_again = False, None
        if self._opened is MediaType.AUDIO:
            self._player.set_pause(1)
        if self._track_chosen:
            self._track = self._player.audio_get_track()
            self._player.audio_set_track(-1)  # the device is closed once libVLC says so, and only then it is done
        else:
            self._channel.send(ipc.Done())

    def _take_sound(self) -> None:
        audio_only = self._opened is MediaType.AUDIO
        self._sound = True
        self._output.make()
        self._read_pending_log()
        over = self._is_short or not self._player.is_seekable() if audio_only else self._log.read_to_end
        tracks = [track for track, _ in self._player.audio_get_track_description() or [] if track >= 0]
        if (over or self._ended or len(tracks) > 1) and not self._heard_before:
            self._begin_again()
        else:
            if tracks:
                self._player.audio_set_track(self._track if self._track in tracks else tracks[0])
                self._track_chosen = True
                if not self._heard_before and self._player.is_seekable() and not self._log.live:
                    self._read_again(from_the_start=audio_only)
            if audio_only:
                self._player.set_pause(0)
        self._heard_before = True

    def _begin_again(self) -> None:
        """For what is over, or about to be, before it was heard: a sound that is shorter than what was buffered in
        silence (going back then loses a part of it) or cannot go back, or a film of which libVLC had nothing more to
        show. And for what has several sound tracks: which of them is the usual one libVLC decides when it opens a media
        with its sound, and tells nobody. Its picture stands meanwhile."""
        self._begun_again = self._track_chosen = True
        options = media_options(self._quality, position=self._begin_at, sound=True, languages=self._languages)
        self._play([*options, *(short_sound_options() if self._is_short else [])])

    @property
    def _is_short(self) -> bool:
        if self._opened is MediaType.AUDIO and (self._ended or self._log.read_to_end):
            return True
        return bool(0 < self._media.get_duration() < SHORT_S * 1000)

    def _read_again(self, *, from_the_start: bool) -> None:
        # What was buffered (1-2 s of it) was read without its sound. Without this the sound sets in that much later,
        # and breaks off again for 0.2 s; with it the first picture stands for some 0.1 s, and then both go on.
        begin_ms = round(self._begin_at * 1000)
        self._go_to(begin_ms if from_the_start else max(begin_ms, self._player.get_time()))

    def _go_to(self, position_ms: int) -> None:
        self._player.set_time(position_ms)
        self._facts.begins_at(position_ms)
        self._log.read_to_end = False

    # --- what libVLC says ---

    def _on_event(self, event: PlayerEvent) -> None:
        match event.name:
            case "Vout" if event.value > 0 and not self._vout:
                self._vout = time.monotonic()
                kind = MediaType.IMAGE if self._log.demuxer == "image" else MediaType.VIDEO
                self._report_opened(kind)
            case "Buffering" if event.value >= 100 and not self._buffered_at:
                self._buffered_at = time.monotonic()
                self._look_for_audio_only(self._buffered_at)
            case "SoundOpened":
                self._sounded = self._lost_sound.opened = True
                self._report_progress()
            case "SoundRefused":
                self._lost_sound.complaints += 1
            case "ESAdded":
                self._added.add(event.value)
            case "ESSelected" if event.value == events.AUDIO and self._track_chosen and not self._sound:
                self._track_chosen = False
                self._channel.send(ipc.Done())
            case "ESSelected" if event.value == events.AUDIO and self._choosing_again is not None:
                track, self._choosing_again = self._choosing_again, None
                self._output.make(anew=True)
                self._player.audio_set_track(track)
            case "EncounteredError":
                self._read_pending_log()
                self._fail(self._log.reason(self._url) or nothing_shown(self._url))
            case "EndReached":
                self._on_end()

    def _look_for_audio_only(self, now: float) -> None:
        if self._opened is not None or self._vout or not self._buffered_at:
            return  # garbage may look like sound to a demuxer, but it never fills a buffer
        if self._ended:  # its tracks are gone already
            if events.AUDIO in self._added and events.VIDEO not in self._added:
                self._report_opened(MediaType.AUDIO)
            return
        late = LATE_VIDEO_GRACE_S if self._log.demuxer in _LATE_VIDEO_DEMUXERS else 0.0
        if (
            now - self._buffered_at >= late
            and self._player.audio_get_track_count() > 0
            and self._player.video_get_track_count() <= 0
        ):
            self._player.set_pause(1)  # nothing of it may pass before it can be heard
            self._report_opened(MediaType.AUDIO)

    def _look_for_lost_playlist(self, now: float) -> None:
        """libVLC asks for a live playlist again for 14 s, and for ever if the server is another one by then; opened
        anew, the stream is there as soon as its server is."""
        if self._paused:
            self._facts.moved_at = now
        lost = now - self._log.not_updated_at < LOST_FOR_S
        still = self._opened is MediaType.VIDEO and now - self._facts.moved_at > OUT_OF_STORE_S
        if lost and still and (reason := self._log.reason(self._url)):
            self._fail(reason)

    def _look_for_lost_sound(self, now: float) -> None:
        """A sound server that comes late or starts anew is nothing that libVLC would look for."""
        expected = self._sound and self._output.wanted and self._opened is MediaType.VIDEO and not self._paused
        if not self._lost_sound.is_due(self._facts.counts, now, expected=expected and events.AUDIO in self._added):
            return
        track = self._player.audio_get_track()
        if track >= 0 and not self._ended and self._output.make():
            self._choosing_again = track
            self._player.audio_set_track(-1)  # the output is free once libVLC says so

    def _report_opened(self, kind: MediaType) -> None:
        if self._opened is None:
            self._opened = kind
            if kind is MediaType.AUDIO and not self._output.wanted:
                self._fail(not_heard())
                return
            self._report_progress()
            self._channel.send(ipc.OpenedReport(kind, events.AUDIO in self._added))

    def _on_end(self) -> None:
        if self._ended:
            return
        self._ended = True
        self._read_pending_log()
        self._report_progress()
        self._look_for_audio_only(time.monotonic())
        if not self._sound and self._waits_for_sound():
            return
        if self._opened is MediaType.AUDIO and not self._sounded and not self._begun_again:
            self._begin_again()
            return
        if self._opened is None or (not self._vout and not self._sounded):
            if entries := self._entries():
                self._over = True
                self._channel.send(ipc.Playlist(entries))
            else:
                self._fail(self._log.reason(self._url) or nothing_shown(self._url))
            return
        position, duration = self._facts.position(), self._facts.duration()
        if self._log.live and not self._log.gave_up:
            # libVLC also ends a live playlist of which it could not have a segment, long before that has its end.
            if reason := self._log.reason(self._url):
                self._fail(piece_lost(self._url, reason))
            else:
                self._finish()
        elif position is not None and duration is not None and duration - position > EARLY_END_S:
            if not self._sound and not self._log.pictured and events.AUDIO in self._added:
                self._fail(only_picture_lost())
            elif self._is_whole:  # the length is that of a late subtitle, or wrong
                self._finish()
            else:
                self._fail(broke_off(self._url, position=position, duration=duration))
        elif duration is None and (reason := self._log.reason(self._url)):
            self._fail(reason)  # live does not finish: it was cut off, and the log knows why
        else:
            self._finish()

    @property
    def _is_whole(self) -> bool:
        return self._log.demuxer != "adaptive" and (self._url.startswith("file:") or self._facts.is_whole)

    def _waits_for_sound(self) -> bool:
        """Whether all that was to be seen or heard without the sound was, and the rest comes with it: a sound that is
        over before it was heard, or a film whose pictures are (one picture and music). Without the sound libVLC has
        nothing to wait for, and reads such a film to its end at once."""
        if self._opened is MediaType.AUDIO:
            return True
        if not {events.AUDIO, events.VIDEO} <= self._added:
            return False
        if self._begin_at and not self._log.pictured and not self._looked_back:
            self._looked_back = True  # its picture comes before the position, and is to be seen there too
            self._play(media_options(self._quality))
            return True
        return self._opened is MediaType.VIDEO and self._log.pictured

    def _entries(self) -> list[str]:
        """The addresses in the playlist that the media turned out to be; what is too long for one is left out."""
        items = self._media.subitems()
        if items is None:
            return []
        addresses = [items.item_at_index(i).get_mrl() or "" for i in range(min(items.count(), ENTRIES_AT_MOST))]
        return [a for a in addresses if a and len(a) <= ENTRY_LENGTH_AT_MOST]

    def _finish(self) -> None:
        if not self._over:
            self._over = True
            if self._log.live:
                self._facts.complete()
                self._report_progress()
            self._channel.send(ipc.Finished())

    def _fail(self, failure: Failure, *, kind: MediaType | None = None) -> None:
        if self._over:
            return
        if (refusal := self._login.asked(failure, self._log.challenges)) is None:
            self._log.forget()
            self._play(media_options(self._quality, position=self._begin_at))
            return
        if self._opened is None and refusal.code is ErrorCode.MEDIA_UNSUPPORTED:
            # SVG, or a picture behind a digest, which an engine for pictures may know.
            maybe_picture = self._log.is_picture or refusal is not failure
            kind = kind or (MediaType.IMAGE if maybe_picture else None)
        self._over = True
        self._channel.send(ipc.Failed(refusal.code, refusal.message, kind, refusal.is_full))

    def _read_log(self, line: LogLine) -> None:
        self._log.read(line)
        refused = self._log.is_refused and not self._login.is_kept_back
        if refused and self._opened is None and (refusal := self._log.reason(self._url)):
            self._fail(refusal)  # libVLC would go on asking
        if not self._shows_pictures and self._opened is None and self._log.demuxer == "image":
            self._fail(picture(), kind=MediaType.IMAGE)
        if not self._plays_live_fmp4 and self._opened is None and self._log.live_fmp4:
            self._fail(live_fmp4())
        needed = self._opened is None or (self._opened is MediaType.AUDIO and self._sound)
        if needed and (failure := no_decoder(line.text)):
            self._fail(failure)  # libVLC plays on without it

    def _read_pending_log(self) -> None:
        for line in self._inbox.take(LogLine):
            self._read_log(line)

    def _report_progress(self) -> None:
        self._channel.send(self._facts.report(self._media, self._opened, sounded=self._sounded))


def main() -> None:
    parser = argparse.ArgumentParser(description="A player process of cast-agent; started by the daemon only.")
    parser.add_argument("--fd", type=int, required=True)
    parser.add_argument("--parent", type=int, required=True)
    parser.add_argument("--audio-output", default="auto")
    parser.add_argument("--audio-device")
    parser.add_argument("--languages", nargs="+", default=[], help="of sound tracks, the best one first")
    parser.add_argument("--no-pictures", dest="shows_pictures", action="store_false")
    parser.add_argument("--no-live-fmp4", dest="plays_live_fmp4", action="store_false")
    parser.add_argument("--confine", nargs="+", help="what it may reach")
    options = parser.parse_args()
    die_with_parent(options.parent)
    VlcWorker(
        channel_fd=options.fd,
        audio_output=options.audio_output,
        audio_device=options.audio_device,
        shows_pictures=options.shows_pictures,
        languages=options.languages,
        plays_live_fmp4=options.plays_live_fmp4,
        confinement=Confinement.from_words(options.confine) if options.confine else None,
    ).run()


if __name__ == "__main__":
    main()
