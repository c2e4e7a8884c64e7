"""The addresses to which a live stream is published, with the credentials in the form of each protocol. MediaMTX takes
any user name, with the stream key as the password."""

from __future__ import annotations

from typing import Final

from central.media.settings import MediaMtxSettings
from central.streams.urls import with_port

USER: Final = "any"
SRT_PACKET: Final = 1316
"""Bytes: seven packets of MPEG-TS, the most that an Ethernet frame holds."""


class PublishUrls:
    """Those that are known: of public_url with MediaMTX's usual ports, or whole ones where that is not so."""

    def __init__(self, settings: MediaMtxSettings) -> None:
        public = settings.public_url
        self._rtmp = settings.rtmp_url or with_port(public, 1935, scheme="rtmp")
        self._rtsp = settings.rtsp_url or with_port(public, 8554, scheme="rtsp")
        self._srt = settings.srt_url or with_port(public, 8890, scheme="srt")
        self._webrtc = settings.webrtc_url or with_port(public, 8889)

    def of(self, path: str, key: str) -> dict[str, str]:
        """The addresses for RTMP, RTSP, SRT and WHIP. That for WHIP holds no key: it is sent in a header."""
        urls = {}
        if self._rtmp:
            urls["rtmp"] = f"{self._rtmp}/{path}?user={USER}&pass={key}"
        if self._rtsp:
            scheme, _, host = self._rtsp.partition("://")
            urls["rtsp"] = f"{scheme}://{USER}:{key}@{host}/{path}"
        if self._srt:
            urls["srt"] = f"{self._srt}?streamid=publish:{path}:{USER}:{key}&pkt_size={SRT_PACKET}"
        if self._webrtc:
            urls["whip"] = f"{self._webrtc}/{path}/whip"
        return urls
