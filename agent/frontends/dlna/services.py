"""The three services of a media renderer (UPnP AVTransport:1, RenderingControl:1, ConnectionManager:1): one table, of
which callers are told, and by which what they send is checked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

Arguments = Mapping[str, str]
"""Names, each with the state variable that says what it may be; or names with their values."""

DEVICE_TYPE: Final = "urn:schemas-upnp-org:device:MediaRenderer:1"


@dataclass(frozen=True, slots=True)
class Variable:
    """The allowed values of a variable."""

    kind: str = "string"
    values: tuple[str, ...] = ()
    """The allowed values; none: any."""
    limits: tuple[int, int] | None = None
    """The least and the greatest."""
    is_event: bool = False
    """Subscribers are told of it."""

    def allows(self, value: str) -> bool:
        """Return True if an argument may be this."""
        if self.values:
            return value in self.values
        if self.kind == "boolean":
            return value.lower() in ("0", "1", "true", "false", "yes", "no")
        if self.kind in ("ui2", "ui4", "i4"):
            number = int(value) if value.isascii() and value.removeprefix("-").isdigit() and len(value) < 12 else None
            least, greatest = self.limits or (-(2**31) if self.kind == "i4" else 0, 2**32 - 1)
            return number is not None and least <= number <= greatest
        return True


@dataclass(frozen=True, slots=True)
class Action:
    """The arguments of an action, in and out."""

    takes: Arguments
    gives: Arguments


@dataclass(frozen=True, slots=True)
class Service:
    """One of the three."""

    name: str
    variables: Mapping[str, Variable]
    actions: Mapping[str, Action]

    @property
    def kind(self) -> str:
        """Its type, as callers name it."""
        return f"urn:schemas-upnp-org:service:{self.name}:1"


_ID: Final = {"InstanceID": "A_ARG_TYPE_InstanceID"}
_CHANNEL: Final = {**_ID, "Channel": "A_ARG_TYPE_Channel"}
_LAST_CHANGE: Final = {
    "LastChange": Variable(is_event=True),
    "A_ARG_TYPE_InstanceID": Variable("ui4"),
}

AV_TRANSPORT: Final = Service(
    "AVTransport",
    {
        **_LAST_CHANGE,
        "TransportState": Variable(
            values=("STOPPED", "PLAYING", "TRANSITIONING", "PAUSED_PLAYBACK", "NO_MEDIA_PRESENT"),
        ),
        "TransportStatus": Variable(values=("OK", "ERROR_OCCURRED")),
        "TransportPlaySpeed": Variable(values=("1",)),
        "CurrentTransportActions": Variable(),
        "PlaybackStorageMedium": Variable(values=("NONE", "NETWORK")),
        "RecordStorageMedium": Variable(values=("NOT_IMPLEMENTED",)),
        "PossiblePlaybackStorageMedia": Variable(),
        "PossibleRecordStorageMedia": Variable(),
        "PossibleRecordQualityModes": Variable(),
        "CurrentPlayMode": Variable(values=("NORMAL",)),
        "RecordMediumWriteStatus": Variable(values=("NOT_IMPLEMENTED",)),
        "CurrentRecordQualityMode": Variable(values=("NOT_IMPLEMENTED",)),
        "NumberOfTracks": Variable("ui4", limits=(0, 1)),
        "CurrentTrack": Variable("ui4", limits=(0, 1)),
        "CurrentTrackDuration": Variable(),
        "CurrentMediaDuration": Variable(),
        "CurrentTrackMetaData": Variable(),
        "CurrentTrackURI": Variable(),
        "AVTransportURI": Variable(),
        "AVTransportURIMetaData": Variable(),
        "NextAVTransportURI": Variable(),
        "NextAVTransportURIMetaData": Variable(),
        "RelativeTimePosition": Variable(),
        "AbsoluteTimePosition": Variable(),
        "RelativeCounterPosition": Variable("i4"),
        "AbsoluteCounterPosition": Variable("i4"),
        "A_ARG_TYPE_SeekMode": Variable(values=("REL_TIME", "ABS_TIME")),
        "A_ARG_TYPE_SeekTarget": Variable(),
    },
    {
        "SetAVTransportURI": Action(
            {**_ID, "CurrentURI": "AVTransportURI", "CurrentURIMetaData": "AVTransportURIMetaData"}, {}
        ),
        "GetMediaInfo": Action(
            _ID,
            {
                "NrTracks": "NumberOfTracks",
                "MediaDuration": "CurrentMediaDuration",
                "CurrentURI": "AVTransportURI",
                "CurrentURIMetaData": "AVTransportURIMetaData",
                "NextURI": "NextAVTransportURI",
                "NextURIMetaData": "NextAVTransportURIMetaData",
                "PlayMedium": "PlaybackStorageMedium",
                "RecordMedium": "RecordStorageMedium",
                "WriteStatus": "RecordMediumWriteStatus",
            },
        ),
        "GetTransportInfo": Action(
            _ID,
            {
                "CurrentTransportState": "TransportState",
                "CurrentTransportStatus": "TransportStatus",
                "CurrentSpeed": "TransportPlaySpeed",
            },
        ),
        "GetPositionInfo": Action(
            _ID,
            {
                "Track": "CurrentTrack",
                "TrackDuration": "CurrentTrackDuration",
                "TrackMetaData": "CurrentTrackMetaData",
                "TrackURI": "CurrentTrackURI",
                "RelTime": "RelativeTimePosition",
                "AbsTime": "AbsoluteTimePosition",
                "RelCount": "RelativeCounterPosition",
                "AbsCount": "AbsoluteCounterPosition",
            },
        ),
        "GetDeviceCapabilities": Action(
            _ID,
            {
                "PlayMedia": "PossiblePlaybackStorageMedia",
                "RecMedia": "PossibleRecordStorageMedia",
                "RecQualityModes": "PossibleRecordQualityModes",
            },
        ),
        "GetTransportSettings": Action(
            _ID, {"PlayMode": "CurrentPlayMode", "RecQualityMode": "CurrentRecordQualityMode"}
        ),
        "GetCurrentTransportActions": Action(_ID, {"Actions": "CurrentTransportActions"}),
        "Play": Action({**_ID, "Speed": "TransportPlaySpeed"}, {}),
        "Pause": Action(_ID, {}),
        "Stop": Action(_ID, {}),
        "Seek": Action({**_ID, "Unit": "A_ARG_TYPE_SeekMode", "Target": "A_ARG_TYPE_SeekTarget"}, {}),
        "Next": Action(_ID, {}),
        "Previous": Action(_ID, {}),
    },
)

RENDERING_CONTROL: Final = Service(
    "RenderingControl",
    {
        **_LAST_CHANGE,
        "PresetNameList": Variable(),
        "Mute": Variable("boolean"),
        "Volume": Variable("ui2", limits=(0, 100)),
        "A_ARG_TYPE_Channel": Variable(values=("Master",)),
        "A_ARG_TYPE_PresetName": Variable(values=("FactoryDefaults",)),
    },
    {
        "ListPresets": Action(_ID, {"CurrentPresetNameList": "PresetNameList"}),
        "SelectPreset": Action({**_ID, "PresetName": "A_ARG_TYPE_PresetName"}, {}),
        "GetMute": Action(_CHANNEL, {"CurrentMute": "Mute"}),
        "SetMute": Action({**_CHANNEL, "DesiredMute": "Mute"}, {}),
        "GetVolume": Action(_CHANNEL, {"CurrentVolume": "Volume"}),
        "SetVolume": Action({**_CHANNEL, "DesiredVolume": "Volume"}, {}),
    },
)

CONNECTION_MANAGER: Final = Service(
    "ConnectionManager",
    {
        "SourceProtocolInfo": Variable(is_event=True),
        "SinkProtocolInfo": Variable(is_event=True),
        "CurrentConnectionIDs": Variable(is_event=True),
        "A_ARG_TYPE_ConnectionStatus": Variable(values=("OK",)),
        "A_ARG_TYPE_ConnectionManager": Variable(),
        "A_ARG_TYPE_Direction": Variable(values=("Input",)),
        "A_ARG_TYPE_ProtocolInfo": Variable(),
        "A_ARG_TYPE_ConnectionID": Variable("i4"),
        "A_ARG_TYPE_AVTransportID": Variable("i4"),
        "A_ARG_TYPE_RcsID": Variable("i4"),
    },
    {
        "GetProtocolInfo": Action({}, {"Source": "SourceProtocolInfo", "Sink": "SinkProtocolInfo"}),
        "GetCurrentConnectionIDs": Action({}, {"ConnectionIDs": "CurrentConnectionIDs"}),
        "GetCurrentConnectionInfo": Action(
            {"ConnectionID": "A_ARG_TYPE_ConnectionID"},
            {
                "RcsID": "A_ARG_TYPE_RcsID",
                "AVTransportID": "A_ARG_TYPE_AVTransportID",
                "ProtocolInfo": "A_ARG_TYPE_ProtocolInfo",
                "PeerConnectionManager": "A_ARG_TYPE_ConnectionManager",
                "PeerConnectionID": "A_ARG_TYPE_ConnectionID",
                "Direction": "A_ARG_TYPE_Direction",
                "Status": "A_ARG_TYPE_ConnectionStatus",
            },
        ),
    },
)

SERVICES: Final = {service.name: service for service in (AV_TRANSPORT, RENDERING_CONTROL, CONNECTION_MANAGER)}
