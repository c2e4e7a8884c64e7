"""The `vlc` player process: plays one thing through libVLC, then waits to be killed.

One thread, the main one, calls libVLC and answers pings. libVLC's callbacks only enqueue: a call from inside one
deadlocks. Calls may hang all the same (`stop()` above all); then the ping stays unanswered and the daemon kills.
"""

from __future__ import annotations

import argparse
import sys
import time
from typing import Any

from agent.player import ipc
from agent.player.channel import Channel
from agent.player.confine import NONE, Confinement, confine
from agent.player.confine.display import require_display
from agent.player.reasons import no_decoder, not_heard
from agent.player.vlc import events, log_reader
from agent.player.vlc.ending import entries, failure_at_end, lost_playlist, waits_for_sound
from agent.player.vlc.events import PlayerEvent
from agent.player.vlc.hearing import Hearing
from agent.player.vlc.inbox import Inbox
from agent.player.vlc.log_reader import LogLine, LogReader
from agent.player.vlc.options import instance_arguments
from agent.player.vlc.output import Canvas
from agent.player.vlc.playback import Phase, Playback
from agent.player.vlc.plugins import has_plugin, has_plugin_cache, plugin_folders
from agent.player.vlc.preroll import preroll
from agent.player.vlc.reasons import comes_slowly, nothing_shown, picture, played_badly
from agent.player.vlc.sound import Audio, SoundOutput
from agent.types import ErrorCode, Failure, MediaType, VideoOutput
from cast_util.privileges import die_with_parent

REPORT_INTERVAL_S = 0.25
"""libVLC renews its own statistics four times a second; asking more often brings nothing new."""


class VlcWorker:
    """libVLC and its messages so far."""

    def __init__(
        self,
        *,
        channel_fd: int,
        output: VideoOutput,
        audio: Audio,
        confinement: Confinement | None,
        shows_pictures: bool = True,
        plays_all: bool = True,
    ) -> None:
        import vlc  # only here: 31 ms and every wrapper of libVLC

        # Before libVLC has threads: those would stay free.
        self._confined = confine(confinement, libraries=plugin_folders()) if confinement else NONE
        depth = require_display()
        self._vlc = vlc
        self._inbox = Inbox()
        self._log = LogReader()
        self._instance = vlc.Instance(instance_arguments(audio_output=audio.output))
        if self._instance is None:
            sys.exit("libVLC refused its arguments or found no plug-ins")
        self._keep = log_reader.subscribe(vlc, self._instance, self._inbox)
        self._player = self._instance.media_player_new()
        events.subscribe(vlc, self._player, self._inbox)
        self._canvas = Canvas(vlc, self._player, output=output, depth=depth)
        self._output = SoundOutput(self._instance, self._player, output=audio.output, device=audio.device)
        self._shows_pictures = shows_pictures
        self._plays_all = plays_all
        self._vout = self._buffered_at = 0.0
        self._paused = False
        self._channel = Channel(channel_fd, self._inbox)
        self._playback = Playback(vlc, self._instance, self._player, log=self._log, inbox=self._inbox)
        self._hearing = Hearing(
            self._player,
            self._playback,
            output=self._output,
            log=self._log,
            languages=audio.languages,
            done=lambda: self._channel.send(ipc.Done()),
            read_log=self._read_pending_log,
        )

    def run(self) -> None:
        """Serve commands until the daemon goes away or kills."""
        self._channel.send(
            ipc.Hello(
                engine="vlc",
                version=self._vlc.libvlc_get_version().decode(errors="replace"),
                features={
                    "rtsp": has_plugin("liblive555_plugin.so"),
                    "plugin_cache": has_plugin_cache(),
                    "output": self._canvas.output,
                    "confinement": self._confined,
                },
            )
        )
        next_report = 0.0
        while True:
            item = self._inbox.next(REPORT_INTERVAL_S if self._playback.is_loaded else None)
            if item is not None:
                self._handle(item)
            if self._playback.is_loaded and (now := time.monotonic()) >= next_report:
                next_report = now + REPORT_INTERVAL_S
                self._report_progress()
                self._look_for_audio_only(now)
                if self._paused:
                    self._playback.facts.moved_at = now
                if failure := lost_playlist(self._playback, self._log, now):
                    self._fail(failure)
                self._hearing.look_for_lost_sound(now, paused=self._paused)

    def _handle(self, item: Any) -> None:
        match item:
            case ipc.Ping(id=ping_id):
                self._channel.send(ipc.Pong(ping_id))
            case ipc.Warm(xid=xid):
                self._canvas.embed(xid)
                shown = preroll(self._instance, self._player, inbox=self._inbox, meanwhile=self._handle)
                self._playback.forget_events()
                self._channel.send(ipc.Warmed(shown))
            case ipc.Load():
                self._output.set_volume(item.volume, item.muted)
                self._canvas.embed(item.xid)
                self._playback.load(item)
            case ipc.Pause(on=on):
                self._paused = on
                self._player.set_pause(int(on))
                self._channel.send(ipc.Done())
            case ipc.Seek(position=position):
                self._playback.go_to(round(position * 1000))
                self._channel.send(ipc.Done())
            case ipc.Sound(on=True):
                self._hearing.take(heard=item.heard)
                self._channel.send(ipc.Done())
            case ipc.Sound(on=False):
                self._hearing.leave()  # it is done once the device is closed
            case ipc.SetVolume(level=level, muted=muted):
                self._output.set_volume(level, muted)
                self._channel.send(ipc.Done())
            case LogLine():
                self._read_log(item)
            case PlayerEvent():
                self._on_event(item)

    # --- what libVLC says ---

    def _on_event(self, event: PlayerEvent) -> None:
        match event.name:
            case "Vout" if event.value > 0 and not self._vout:
                self._vout = time.monotonic()
                self._report_opened(MediaType.IMAGE if self._log.demuxer == "image" else MediaType.VIDEO)
            case "SoundOpened":
                self._hearing.device_opened()
                self._report_progress()
            case "SoundRefused":
                self._hearing.device_refused()
            case "ESAdded":
                self._playback.tracks.add(event.value)
            case "ESSelected" if event.value == events.AUDIO:
                self._hearing.track_changed()
            case "EncounteredError":
                self._read_pending_log()
                self._fail(self._log.reason(self._playback.url) or nothing_shown(self._log, self._playback.url))
            case "EndReached":
                self._on_end()

    def _look_for_audio_only(self, now: float) -> None:
        playback = self._playback
        if playback.kind is not None or self._vout or not self._buffered_at:
            return  # garbage may look like sound to a demuxer, but it never fills a buffer
        if playback.phase is Phase.ENDED:  # its tracks are gone already
            if playback.has_sound and not playback.has_video:
                self._report_opened(MediaType.AUDIO)
            return
        if (
            now - self._buffered_at >= self._log.late_video_s
            and self._player.audio_get_track_count() > 0
            and self._player.video_get_track_count() <= 0
        ):
            self._player.set_pause(1)  # nothing of it may pass before it can be heard
            self._report_opened(MediaType.AUDIO)

    def _report_opened(self, kind: MediaType) -> None:
        if self._playback.kind is not None:
            return
        self._playback.kind = kind
        if kind is MediaType.AUDIO and not self._output.wanted:
            self._fail(not_heard())
            return
        if kind is MediaType.AUDIO and self._log.is_slow and not self._plays_all:
            self._fail(comes_slowly())
            return
        self._report_progress()
        self._channel.send(ipc.OpenedReport(kind, self._playback.has_sound))

    def _on_end(self) -> None:
        playback, hearing = self._playback, self._hearing
        if playback.phase is not Phase.PLAYING:
            return
        playback.enter(Phase.ENDED)
        self._read_pending_log()
        if self._playback.phase is not Phase.ENDED:
            return  # the log had why, or that it is to be opened with its password
        self._report_progress()
        self._look_for_audio_only(time.monotonic())
        if not hearing.on and waits_for_sound(playback, self._log):
            if playback.has_video and self._canvas.output is VideoOutput.X11:
                playback.hold()
            return
        if playback.kind is MediaType.AUDIO and hearing.may_begin_again:
            hearing.begin_again()
        elif playback.kind is None or (not self._vout and not hearing.sounded):
            if found := entries(playback):
                self._tell_end(ipc.Playlist(found))
            else:
                self._fail(self._log.reason(playback.url) or nothing_shown(self._log, playback.url))
        elif failure := failure_at_end(playback, self._log, heard=hearing.on):
            self._fail(failure)
        else:
            if self._log.live:
                playback.facts.complete()
                self._report_progress()
            self._tell_end(ipc.Finished())

    def _fail(self, failure: Failure, *, kind: MediaType | None = None) -> None:
        playback = self._playback
        if playback.phase is Phase.OVER:
            return
        if (refusal := playback.login.asked(failure, self._log.challenges)) is None:
            self._log.forget()
            playback.open()
            return
        if playback.kind is None and refusal.code is ErrorCode.MEDIA_UNSUPPORTED:
            # SVG, or a picture behind a digest, which an engine for pictures may know.
            maybe_picture = self._log.is_picture or refusal is not failure
            kind = kind or (MediaType.IMAGE if maybe_picture else None)
        self._tell_end(ipc.Failed(refusal.code, refusal.message, kind, refusal.is_full))

    def _tell_end(self, end: ipc.Finished | ipc.Failed | ipc.Playlist) -> None:
        if self._playback.phase is not Phase.OVER:
            self._playback.enter(Phase.OVER)
            self._channel.send(end)

    def _read_log(self, line: LogLine) -> None:
        self._log.read(line)
        if self._log.buffered and not self._buffered_at:
            self._buffered_at = time.monotonic()
            self._look_for_audio_only(self._buffered_at)
        playback, opening = self._playback, self._playback.kind is None
        refused = opening and self._log.is_refused and not playback.login.is_kept_back
        if refused and (refusal := self._log.reason(playback.url)):
            self._fail(refusal)  # libVLC would go on asking
        if opening and self._log.cannot_jump and not playback.in_order:
            playback.read_in_order()
        if opening and not self._shows_pictures and self._log.demuxer == "image":
            self._fail(picture(), kind=MediaType.IMAGE)
        if opening and not self._plays_all and (weakness := played_badly(self._log, heard=self._output.wanted)):
            self._fail(weakness)
        if (opening or (playback.kind is MediaType.AUDIO and self._hearing.on)) and (failure := no_decoder(line.text)):
            self._fail(failure)  # libVLC plays on without it

    def _read_pending_log(self) -> None:
        for line in self._inbox.take(LogLine):
            self._read_log(line)

    def _report_progress(self) -> None:
        hearing = self._hearing
        self._channel.send(self._playback.report(sounded=hearing.sounded, sound_lost=hearing.is_lost))


def main() -> None:
    parser = argparse.ArgumentParser(description="A player process of cast-agent; started by the daemon only.")
    parser.add_argument("--fd", type=int, required=True)
    parser.add_argument("--parent", type=int, required=True)
    parser.add_argument("--output", type=VideoOutput, default=VideoOutput.AUTO)
    parser.add_argument("--audio-output", default="auto")
    parser.add_argument("--audio-device")
    parser.add_argument("--languages", nargs="+", default=[], help="of sound tracks, the best one first")
    parser.add_argument("--no-pictures", dest="shows_pictures", action="store_false")
    parser.add_argument("--not-all", dest="plays_all", action="store_false", help="leave what libVLC plays badly")
    parser.add_argument("--confine", nargs="+", help="what it may reach")
    options = parser.parse_args()
    die_with_parent(options.parent)
    VlcWorker(
        channel_fd=options.fd,
        output=options.output,
        audio=Audio(options.audio_output, options.audio_device, options.languages),
        shows_pictures=options.shows_pictures,
        plays_all=options.plays_all,
        confinement=Confinement.from_words(options.confine) if options.confine else None,
    ).run()


if __name__ == "__main__":
    main()
