"""The settings of the media server."""

from __future__ import annotations

from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field

from cast_util.settings import AbsolutePath, Section
from central.core.settings import HttpUrl, Networks, PublicUrl, Secret


def _media_url(*schemes: str) -> AfterValidator:
    """An address with one of these schemes, which everybody may see."""
    allowed = " or ".join(f"{scheme}://" for scheme in schemes)

    def check(url: str) -> str:
        parts = urlsplit(url)
        if parts.scheme not in schemes or not parts.hostname or parts.username is not None:
            raise ValueError(f"should begin with {allowed} and a host, without user name and password")
        if parts.query or parts.fragment:
            raise ValueError("should hold no ? and no #")
        _ = parts.port  # raises ValueError when it is none
        return url.rstrip("/")

    return AfterValidator(check)


class MediaMtxSettings(Section):
    """The media server whose publishers are checked here."""

    api_url: HttpUrl | None = Field(default=None, description="the control API, such as http://127.0.0.1:9997")
    public_url: PublicUrl | None = Field(
        default=None, description="as viewers reach it, such as http://media.example.org"
    )
    hls_url: PublicUrl | None = Field(
        default=None, description="as viewers reach it, such as https://media.example.org/hls"
    )
    webrtc_url: PublicUrl | None = Field(
        default=None, description="as viewers reach it, such as https://media.example.org/webrtc"
    )
    rtsp_url: Annotated[str, _media_url("rtsp", "rtsps")] | None = Field(
        default=None, description="as viewers reach it, such as rtsp://media.example.org:8554"
    )
    rtmp_url: Annotated[str, _media_url("rtmp", "rtmps")] | None = Field(
        default=None, description="as publishers reach it, such as rtmp://media.example.org"
    )
    srt_url: Annotated[str, _media_url("srt")] | None = Field(
        default=None, description="as publishers reach it, such as srt://media.example.org:8890"
    )
    recordings: AbsolutePath | None = Field(default=None, description="an absolute path")
    """The folder into which MediaMTX records live streams; it has the same path for both."""
    secret: Secret | None = Field(default=None, description="16 to 200 printable ASCII characters without blanks")
    addresses: Networks = Field(default=(), description="a list of IP addresses or networks")
    """May call /auth and /webhook without the secret; this machine may, too, as long as there is none."""
    reads: Literal["open", "checked"] = Field(default="open", description='"open" or "checked"')
    key_in_path: bool = Field(default=False, description="true or false")
    unclaimed: Literal["kick", "leave"] = Field(default="kick", description='"kick" or "leave"')
    """The treatment of a publisher that this server did not let in."""
    lease: float = Field(default=10.0, ge=1, le=120, description="seconds, from 1 to 120")
    """The time that an accepted publisher may take until its stream is ready."""
    grace: float = Field(default=10.0, ge=0, le=3600, description="seconds, from 0 (none) to 3600")
    """The time that a publisher may be away before its stream ends. Publishers are back within seconds of a restart or
    a change of network (OBS Studio tries again after 2 s and 4 s), and viewers look at a still picture meanwhile."""
    reconcile: float = Field(default=1.0, ge=1, le=3600, description="seconds, from 1 to 3600")
    """The greatest delay with which a lost publisher is noticed where no hook reports it. One that is back before that
    is refused once, because its key seems to be in use; publishers need two seconds to be back."""
