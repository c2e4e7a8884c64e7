"""The media: each source has a colour of its own on the screen, and a path on the server that can be broken."""

from __future__ import annotations

import random
from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum

from tests.support.clips import Clips
from tests.support.media_server import MediaServer
from tests.support.rtsp_server import COLOURS as CAMERA_COLOURS
from tests.support.rtsp_server import RtspServer

COLOURS = ("red", "green", "blue", "yellow", "magenta", "cyan", "orange", "grey")
HLS_COLOURS = ("cyan", "magenta")
"""Few, because each takes half a minute to encode on a small machine, once."""
LIVE_HLS_COLOUR = "red"
"""The one that the media server has."""

FILM_S = 400.0
HLS_S = 240.0
"""Longer than anything stays: the screen is emptied after every round."""
SHORT_S = 3.0
SLOW_S = 200.0
SLOW_RATE = 80_000
"""Bytes a second: its index of 150 kB takes 2 s, and then it comes eight times as fast as it plays."""


class Kind(StrEnum):
    """The kind of a source."""

    FILM = "mp4"
    SLOW = "slow mp4"
    """A film that comes at SLOW_RATE, so that for half a minute it is not there as a whole and can be broken off."""
    HLS = "hls"
    LIVE = "ts"
    LIVE_HLS = "live-hls"
    CAMERA = "camera"
    """RTSP, which mpv plays."""
    IMAGE = "image"
    RADIO = "radio"


WEIGHTS = {
    Kind.FILM: 4,
    Kind.SLOW: 3,
    Kind.HLS: 2,
    Kind.LIVE: 6,
    Kind.LIVE_HLS: 2,
    Kind.CAMERA: 4,
    Kind.IMAGE: 2,
    Kind.RADIO: 1,
}


@dataclass(frozen=True, slots=True)
class Source:
    """One stream; `path` is what a fault is set on."""

    kind: Kind
    colour: str
    """The colour in the middle of the screen; black for media that is only heard."""
    url: str
    path: str

    @property
    def moves(self) -> bool:
        return self.kind not in (Kind.IMAGE, Kind.RADIO)

    @property
    def has_position(self) -> bool:
        return self.kind in (Kind.FILM, Kind.SLOW, Kind.HLS)

    @property
    def is_live(self) -> bool:
        """It is not fetched ahead, so a fault is seen at once."""
        return self.kind in (Kind.LIVE, Kind.LIVE_HLS, Kind.CAMERA)

    def __str__(self) -> str:
        return self.kind if self.kind is Kind.RADIO else f"{self.kind} {self.colour}"


class Shelf:
    """All the sources of one media server, and the cameras."""

    def __init__(self, server: MediaServer, cameras: RtspServer) -> None:
        self._server = server
        self._cameras = cameras
        self._clips: Clips = server.clips

    def make_all(self) -> None:
        """Encode what is missing, so that no step waits for it."""
        for colour in COLOURS:
            self._clips.film_mp4(colour, FILM_S)
            self._clips.film_mp4(colour, SLOW_S)
            self._clips.film_mp4(colour, SHORT_S)
            self._clips.image("png", colour)
            self._server.routes.stream(colour)
        for colour in HLS_COLOURS:
            self._clips.hls(colour, HLS_S)
        self._clips.radio_mp3()

    def pick(self, dice: random.Random, *, taken: Collection[str], only: Collection[Kind] = tuple(Kind)) -> Source:
        """One of a colour that is not `taken`; black stands for the radio."""
        while True:
            kinds = [kind for kind in WEIGHTS if kind in only]
            kind = dice.choices(kinds, [WEIGHTS[kind] for kind in kinds])[0]
            colour = dice.choice(_colours(kind))
            if colour not in taken:
                return self._source(kind, colour)

    def short(self, colour: str) -> Source:
        """A film that is soon over."""
        return self._file(Kind.FILM, colour, str(self._clips.film_mp4(colour, SHORT_S)))

    def url(self, path: str) -> str:
        return self._server.url(path)

    def _source(self, kind: Kind, colour: str) -> Source:
        match kind:
            case Kind.FILM:
                return self._file(kind, colour, str(self._clips.film_mp4(colour, FILM_S)))
            case Kind.SLOW:
                return self._file(kind, colour, str(self._clips.film_mp4(colour, SLOW_S)), f"?rate={SLOW_RATE}")
            case Kind.HLS:
                return self._file(kind, colour, str(self._clips.hls(colour, HLS_S)))
            case Kind.IMAGE:
                return self._file(kind, colour, str(self._clips.image("png", colour)))
            case Kind.LIVE:
                path = f"/live/{colour}.ts"
            case Kind.LIVE_HLS:
                path = "/live-hls"
                return Source(kind, colour, self._server.url(f"{path}/index.m3u8"), path)
            case Kind.CAMERA:
                path = f"/{colour}"
                return Source(kind, colour, self._cameras.url(path), path)
            case Kind.RADIO:
                path = "/radio.mp3"
        return Source(kind, colour, self._server.url(path), path)

    def _file(self, kind: Kind, colour: str, file: str, query: str = "") -> Source:
        path = "/media/" + file.removeprefix(f"{self._clips.folder}/")
        return Source(kind, colour, self._server.url(path + query), path.removesuffix("/index.m3u8"))


def _colours(kind: Kind) -> tuple[str, ...]:
    match kind:
        case Kind.HLS:
            return HLS_COLOURS
        case Kind.LIVE_HLS:
            return (LIVE_HLS_COLOUR,)
        case Kind.CAMERA:
            return CAMERA_COLOURS
        case Kind.RADIO:
            return ("black",)
    return COLOURS
