"""The failures that only libVLC has, as a code and a sentence for a person."""

from __future__ import annotations

from agent.player import reasons as shared
from agent.player.reasons import failure, source_name
from agent.player.vlc.log_reader import LogReader
from agent.types import ErrorCode, Failure


def played_badly(log: LogReader, *, heard: bool = True) -> Failure | None:
    """The failure of media that libVLC would play badly and another engine plays well; None for all other media.
    `heard`: the box has sound."""
    if log.live_fmp4:
        return Failure(
            ErrorCode.MEDIA_UNSUPPORTED, "libVLC stands still at each segment of live HLS in fragmented MP4 (fMP4)."
        )
    if heard and log.demuxer == "flacsys":  # 0.05-0.2 s, which are a syllable of a spoken message
        return Failure(ErrorCode.MEDIA_UNSUPPORTED, "libVLC loses the end of a short sound in FLAC.")
    if log.is_mjpeg:  # it looks for the beginning of the next one to know where a picture ends
        return Failure(ErrorCode.MEDIA_UNSUPPORTED, "libVLC shows each picture of an MJPEG camera too late.")
    return None


def nothing_shown(log: LogReader, url: str) -> Failure:
    """The failure of media that "played" to its end, with nothing to see or hear."""
    return shared.web_page(url) if log.is_page else shared.nothing_shown(url)


def comes_slowly() -> Failure:
    """The failure of a sound that comes slower than it is heard. libVLC discards what it had buffered whenever a piece
    comes late; another engine waits."""
    return failure(ErrorCode.MEDIA_UNSUPPORTED, "libVLC loses parts of a sound that comes slower than it is heard.")


def picture() -> Failure:
    """The failure of a picture, which another engine shows."""
    return failure(ErrorCode.MEDIA_UNSUPPORTED, "This is a still picture, and libVLC is set up to leave those alone.")


def piece_lost(url: str, reason: Failure, *, live: bool) -> Failure:
    """The failure of a playlist of which a segment was not available. A live one goes on; of a recording another engine
    may show the rest."""
    if live:
        return Failure(
            ErrorCode.MEDIA_NETWORK, f"A piece of the live stream of {source_name(url)} was missing. {reason.message}"
        )
    return Failure(reason.code, f"A piece of the recording of {source_name(url)} was missing. {reason.message}")


def only_picture_lost() -> Failure:
    """The failure of a film of one picture and sound whose picture was decoded too late to be drawn."""
    return failure(
        ErrorCode.MEDIA_DECODE,
        "libVLC cannot show the only picture of this film; in a Matroska file (.mkv) it can.",
    )


def digest_wanted(url: str) -> Failure:
    """The failure of a source that asks for the password in a way that libVLC does not know, and another engine
    does."""
    return failure(
        ErrorCode.MEDIA_UNSUPPORTED, f"{source_name(url)} asks for the password by digest, which libVLC does not know."
    )
