"""The state of the connections of this box."""

from __future__ import annotations

from agent.frontends.http.answer import Answer, Moment, Seconds


class ReportingAnswer(Answer):
    """The state of the connection to the central API that this box reports to."""

    enabled: bool
    """True if the central API is used."""
    connected: bool
    """True if its last answer was a good one."""
    last_success: Moment | None
    """The time of its last good answer since the agent was started."""
    queued: int
    """Events that it does not have yet."""
    dropped: int
    """Events that it will never have: too many or too old, or the disk was full."""
    url: str | None
    device_id: str | None
    """The id of this box at the central API."""
    stream_id: str | None
    """The id of this box's stream there."""
    code: str | None
    """The code by which others join that stream."""
    problem: str | None
    """The problem, and what to do about it."""


class WebhookAnswer(Answer):
    """The state of one webhook."""

    url: str
    """Scheme and host alone: the rest may be a secret."""
    connected: bool
    """True if its last answer was a good one."""
    last_success: Moment | None
    """The time of its last good answer since the agent was started."""
    queued: int
    """Events that wait for it."""
    dropped: int
    """Events that it will never get: too many or too old, or the disk was full."""
    disabled: bool
    """Its receiver answered 410, so nothing is sent to it until it is configured otherwise."""
    problem: str | None
    """The problem, and what to do about it."""


class DlnaAnswer(Answer):
    """The reachability of this box for DLNA controllers."""

    port: int | None
    """Null when it cannot be listened on."""
    subscribers: tuple[str, ...]
    """The addresses of those that are told what changes."""
    problem: str | None
    """The problem, and what to do about it."""


class CameraAnswer(Answer):
    """The state of a camera or live stream that is to be kept ready."""

    preset: str
    """The id of the preset with `keep_ready`."""
    url: str
    """Without credentials."""
    ready: bool
    """A start shows a picture at once."""
    size: int
    """Bytes in memory: all since the last key frame, and what of live HLS is not due yet."""
    seconds: Seconds
    """The time since the last key frame."""
    viewers: int
    """Players that show it now; the camera is asked once for all of them."""
    problem: str | None
    """The problem, and what to do about it; a start goes to the camera itself meanwhile."""


class EspHomeAnswer(Answer):
    """The reachability of this box for Home Assistant by ESPHome's native API."""

    name: str
    """The node name, after which Home Assistant names the actions of this box."""
    port: int | None
    """Null when it cannot be listened on."""
    has_key: bool
    """Home Assistant has brought a key, or it was shown to be typed there."""
    window_s: Seconds
    """Seconds for which the first caller may still add the box without a key; 0 when nobody may."""
    clients: tuple[str, ...]
    """The connected clients: their names for themselves, and their addresses."""
    problem: str | None
    """The problem, and what to do about it."""
