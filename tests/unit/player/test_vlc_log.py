"""The facts in libVLC's log that libVLC tells nowhere else."""

from __future__ import annotations

import time

import pytest

from agent.player.vlc.log_reader import LogLine, LogReader
from agent.player.vlc.reasons import nothing_shown, played_badly
from agent.types import ErrorCode

DEBUG, WARNING, ERROR = 0, 3, 4
URL = "http://user:secret@nas.local/live/index.m3u8"


def reader(*lines: tuple[int, str]) -> LogReader:
    log = LogReader()
    for level, text in lines:
        log.read(LogLine(level, text))
    return log


@pytest.mark.parametrize(
    ("line", "live"),
    [
        ("Updated playlist ID http://nas.local/live/index.m3u8, after 0s", True),
        ("Updated MPD, next update in 5s", True),
        ('using demux module "adaptive"', False),
    ],
)
def test_a_playlist_that_is_read_again_is_live(line: str, live: bool) -> None:
    """libVLC schedules the next reading of a live playlist only."""
    assert reader((DEBUG, line)).live is live


@pytest.mark.parametrize(
    ("content_type", "badly"),
    [("multipart/x-mixed-replace;boundary=frame", True), ("image/jpeg", False), ("video/mp4", False)],
)
def test_a_camera_that_sends_one_picture_after_the_other_is_left_to_another_engine(
    content_type: str, badly: bool
) -> None:
    """It is known by what its server calls it, before any of its pictures."""
    log = reader((DEBUG, f"incoming response:\nHTTP/1.1 200 OK\r\nServer: cam\r\ncontent-type: {content_type}\r\n\r\n"))
    assert (played_badly(log) is not None) is badly


@pytest.mark.parametrize(("content_type", "is_page"), [("text/html; charset=utf-8", True), ("video/mp4", False)])
def test_a_server_that_calls_it_a_web_page_is_believed(content_type: str, is_page: bool) -> None:
    log = reader((DEBUG, f"incoming response:\nHTTP/1.1 200 OK\r\ncontent-type: {content_type}\r\n\r\n"))
    assert ("sent a web page" in nothing_shown(log, URL).message) is is_page


@pytest.mark.parametrize(
    ("playlist", "segments", "badly"),
    [
        ("Updated playlist ID 0, after 2s", "mp4", True),
        ("Updated playlist ID 0, after 2s", "ts", False),
        ("Updated MPD, next update in 2s (1..1)", "mp4", False),
        ("a recording", "mp4", False),
    ],
)
def test_live_hls_in_fragmented_mp4_is_left_to_another_engine(playlist: str, segments: str, badly: bool) -> None:
    """The order of the lines does not matter: that the playlist goes on, or what its segments are, may be logged
    first."""
    first, then = (DEBUG, playlist), (DEBUG, f'using demux module "{segments}"')
    adaptive = (DEBUG, 'using demux module "adaptive"')
    assert (played_badly(reader(adaptive, first, then)) is not None) is badly
    assert (played_badly(reader(adaptive, then, first)) is not None) is badly


@pytest.mark.parametrize(
    ("ms", "took_ms", "slow"),
    [(1008, 1985, True), (1008, 20, False), (1008, 1100, False), (0, 40, False), (480, 960, True)],
)
def test_what_takes_longer_to_come_than_to_be_heard_is_slow(ms: int, took_ms: int, slow: bool) -> None:
    """A live stream takes as long as it is heard, and is not."""
    log = reader((DEBUG, f"Stream buffering done ({ms} ms in {took_ms} ms)"))
    assert (log.buffered, log.is_slow) == (True, slow)


def test_a_matroska_file_that_libvlc_cannot_jump_in_is_known() -> None:
    assert reader((ERROR, "cannot find any cluster or chapter, damaged file ?")).cannot_jump


def test_flac_is_left_to_another_engine() -> None:
    assert played_badly(reader((DEBUG, 'using demux module "flacsys"'))) is not None
    assert played_badly(reader((DEBUG, 'using demux module "wav"'))) is None


def test_the_first_demuxer_is_that_of_the_media() -> None:
    """The ones inside an adaptive stream come later."""
    log = reader((DEBUG, 'using demux module "adaptive"'), (DEBUG, 'using demux module "ts"'))
    assert log.demuxer == "adaptive"


def test_a_live_playlist_that_libvlc_gave_up() -> None:
    """Only giving it up counts, not one reading that failed; and it is a reason, in which no credentials are."""
    failed = (WARNING, "Failed to update 0/3 playlist ID http://nas.local/live/index.m3u8")
    assert not reader(failed).gave_up
    assert reader().not_updated_at < reader(failed).not_updated_at <= time.monotonic()
    log = reader(failed, (ERROR, "Could not update  anymore, disabling"))
    assert log.gave_up
    reason = log.reason(URL)
    assert reason is not None
    assert (reason.code, reason.message) == (
        ErrorCode.MEDIA_NETWORK,
        "nas.local no longer sends the playlist of the live stream.",
    )


def test_an_http_answer_that_is_an_error_is_a_reason() -> None:
    """libVLC logs the answers to its adaptive streams at the debug level only."""
    log = reader((DEBUG, "incoming response:\nHTTP/1.1 404 Not Found\r\n"), (DEBUG, "incoming response:\nHTTP/1.1 200"))
    reason = log.reason(URL)
    assert reason is not None
    assert reason.code is ErrorCode.MEDIA_NOT_FOUND


def test_the_first_picture_and_the_end_are_noticed() -> None:
    """libVLC tells nowhere else that a film's only picture was drawn, or that all was read."""
    log = reader((DEBUG, 'using demux module "mkv"'))
    assert (log.pictured, log.read_to_end) == (False, False)
    log = reader((DEBUG, "Received first picture"), (DEBUG, "EOF reached"))
    assert (log.pictured, log.read_to_end) == (True, True)


def test_what_is_refused_again_and_again_is_known() -> None:
    """Each of libVLC's two HTTP modules may ask once; the methods that were offered are those of the newer one."""
    offers = "WWW-Authenticate: Digest realm=cam\r\nwww-authenticate: Basic\r\n"
    newer = f"incoming response:\nHTTP/1.1 401 Unauthorized\r\n{offers}"
    log = reader((DEBUG, newer))
    assert (log.challenges, log.is_refused) == (["Digest realm=cam", "Basic"], False)
    log.read(LogLine(DEBUG, "HTTP answer code 401"))
    assert log.is_refused
    log.forget()
    assert (log.challenges, log.is_refused, log.reason(URL)) == ([], False, None)
