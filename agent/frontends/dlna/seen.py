"""The sessions in the words of UPnP: the values of the state variables."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from agent.casting.saved import Volume
from agent.frontends.dlna.xml import elements, text
from agent.snapshot import SessionSnapshot, TrackerSnapshot
from agent.types import Capability, EndReason, MediaType, PlayerState, StreamType

NOT_IMPLEMENTED: Final = "NOT_IMPLEMENTED"

MIME_TYPES: Final = (
    *(f"video/{name}" for name in ("mp4", "x-matroska", "webm", "mpeg", "mp2t", "quicktime", "x-msvideo", "ogg")),
    *(f"video/{name}" for name in ("x-flv", "3gpp", "x-ms-wmv", "x-m4v", "avi", "mpeg2", "vnd.dlna.mpeg-tts")),
    *(f"audio/{name}" for name in ("mpeg", "mp4", "aac", "flac", "x-flac", "ogg", "opus", "wav", "x-wav", "webm")),
    *(f"audio/{name}" for name in ("x-m4a", "m4a", "mp3", "x-ms-wma", "L16", "vnd.dlna.adts", "x-aiff", "aiff")),
    *(f"image/{name}" for name in ("jpeg", "png", "gif", "webp", "svg+xml", "bmp")),
    *("application/vnd.apple.mpegurl", "application/x-mpegURL", "application/dash+xml", "application/ogg"),
)
"""Each in full: Home Assistant compares them as they are, and shows nothing where one is `*`."""

CONNECTION: Final = {
    "SourceProtocolInfo": "",
    "SinkProtocolInfo": ",".join(f"http-get:*:{mime}:*" for mime in MIME_TYPES),
    "CurrentConnectionIDs": "0",
    "A_ARG_TYPE_RcsID": "0",
    "A_ARG_TYPE_AVTransportID": "0",
    "A_ARG_TYPE_ProtocolInfo": "",
    "A_ARG_TYPE_ConnectionManager": "",
    "A_ARG_TYPE_ConnectionID": "-1",
    "A_ARG_TYPE_Direction": "Input",
    "A_ARG_TYPE_ConnectionStatus": "OK",
}
"""The variables of the ConnectionManager, which never change."""

NO_NUMBER: Final = str(2**31 - 1)
"""The value of a counter that is not counted."""

_STATES: Final[Mapping[PlayerState, str]] = {
    PlayerState.PLAYING: "PLAYING",
    PlayerState.COVERED: "PLAYING",
    PlayerState.PAUSED: "PAUSED_PLAYBACK",
}
"""Any other is a transition: nothing moves that a person could see."""

_CLASSES: Final[Mapping[MediaType | None, str]] = {
    MediaType.AUDIO: "audioItem.musicTrack",
    MediaType.IMAGE: "imageItem.photo",
}


@dataclass(frozen=True, slots=True)
class Named:
    """The media that a caller has named to be played."""

    url: str = ""
    """Without credentials."""
    title: str | None = None


def av_transport(snapshot: TrackerSnapshot, named: Named, *, is_new: bool) -> dict[str, str]:
    """The variables of AVTransport; `is_new` while the named media has not been played yet."""
    session, last = snapshot.stream, snapshot.last
    failed = session is None and last is not None and last.reason is EndReason.FAILED
    resource = named if session is None or is_new else Named(session.url, session.title)
    track = Named() if session is None else Named(session.url, session.title)
    length = clock(session.duration if session is not None and not _is_live(session) else None)
    return {
        "TransportState": _state(session, named),
        "TransportStatus": "ERROR_OCCURRED" if failed else "OK",
        "TransportPlaySpeed": "1",
        "CurrentTransportActions": ",".join(_actions(session)),
        "PlaybackStorageMedium": "NETWORK" if resource.url else "NONE",
        "RecordStorageMedium": NOT_IMPLEMENTED,
        "PossiblePlaybackStorageMedia": "NETWORK",
        "PossibleRecordStorageMedia": NOT_IMPLEMENTED,
        "PossibleRecordQualityModes": NOT_IMPLEMENTED,
        "CurrentPlayMode": "NORMAL",
        "RecordMediumWriteStatus": NOT_IMPLEMENTED,
        "CurrentRecordQualityMode": NOT_IMPLEMENTED,
        "NumberOfTracks": str(int(bool(resource.url))),
        "CurrentTrack": str(int(session is not None)),
        "CurrentTrackDuration": length,
        "CurrentMediaDuration": length,
        "CurrentTrackMetaData": _didl(track, session),
        "CurrentTrackURI": track.url,
        "AVTransportURI": resource.url,
        "AVTransportURIMetaData": _didl(resource, session),
        "NextAVTransportURI": NOT_IMPLEMENTED,
        "NextAVTransportURIMetaData": NOT_IMPLEMENTED,
    }


def place(session: SessionSnapshot | None) -> dict[str, str]:
    """The position variables. They change continuously, so no subscriber is told of them."""
    return {
        "RelativeTimePosition": clock(None if session is None else _position(session)),
        "AbsoluteTimePosition": clock(None if session is None else _position(session)),
        "RelativeCounterPosition": NO_NUMBER,
        "AbsoluteCounterPosition": NO_NUMBER,
    }


def rendering(volume: Volume) -> dict[str, str]:
    """The RenderingControl."""
    return {
        "PresetNameList": "FactoryDefaults",
        "Mute": str(int(volume.muted)),
        "Volume": str(round(volume.level * 100)),
    }


def clock(seconds: float | None) -> str:
    """A time such as `1:02:03`; NOT_IMPLEMENTED for live streams and unknown times."""
    if seconds is None:
        return NOT_IMPLEMENTED
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02}:{rest:02}"


def _state(session: SessionSnapshot | None, named: Named) -> str:
    if session is None:
        return "STOPPED" if named.url else "NO_MEDIA_PRESENT"
    return _STATES.get(session.state, "TRANSITIONING")


def _actions(session: SessionSnapshot | None) -> list[str]:
    """Play is always among them: Home Assistant waits until it is."""
    can = {} if session is None else session.capabilities
    optional = [name for name in ("Pause", "Seek") if can.get(name.lower()) is Capability.AVAILABLE]
    return ["Play", "Stop", *optional]


def _is_live(session: SessionSnapshot) -> bool:
    return session.stream_type is StreamType.LIVE


def _position(session: SessionSnapshot) -> float | None:
    """The position now. The snapshot of a session may be half a second old."""
    position, at = session.position, session.position_updated_at
    if position is None or at is None or _is_live(session):
        return None
    if session.state is PlayerState.PLAYING:
        position += max(0.0, (datetime.now(UTC) - at).total_seconds())
    return position if session.duration is None else min(position, session.duration)


def _didl(resource: Named, session: SessionSnapshot | None) -> str:
    """A DIDL-Lite document with one item; empty for nothing."""
    if not resource.url:
        return ""
    kind = _CLASSES.get(None if session is None else session.media_type, "videoItem")
    title = resource.title or resource.url.partition("?")[0].rstrip("/").rpartition("/")[2] or resource.url
    return (
        '<DIDL-Lite xmlns="urn:schemas-upnp-org:metadata-1-0/DIDL-Lite/" xmlns:dc="http://purl.org/dc/elements/1.1/" '
        'xmlns:upnp="urn:schemas-upnp-org:metadata-1-0/upnp/"><item id="0" parentID="-1" restricted="1">'
        f"{elements({'dc:title': title, 'upnp:class': f'object.item.{kind}'})}"
        f'<res protocolInfo="http-get:*:*:*">{text(resource.url)}</res></item></DIDL-Lite>'
    )
