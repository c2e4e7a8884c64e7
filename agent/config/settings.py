"""The sections of the settings: what each key may be, and what it is when nobody sets it."""

from __future__ import annotations

import base64
import binascii
import os
import socket
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Literal, get_args

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field

from agent.errors import ConfigError
from agent.media.urls import NETWORK_SCHEMES, check_central_url, check_webhook_url
from agent.types import DEFAULT_PORT, Quality, VideoOutput
from cast_util.folders import state_folder
from cast_util.settings import AbsolutePath, HostName, Port, Section, no_bool


def _display_name(name: str) -> str:
    # DNS-SD instance names are at most 63 bytes (RFC 6763, 4.1.1).
    if not name.isprintable() or not 1 <= len(name.encode(errors="replace")) <= 63:
        raise ValueError("should be 1 to 63 bytes of printable text")
    return name


def _network_scheme(scheme: str) -> str:
    scheme = scheme.lower().removesuffix("://")
    if scheme == "file":
        raise ValueError("file is not listed here: files are allowed by player.media_folders")
    if scheme not in NETWORK_SCHEMES:
        raise ValueError("not a scheme that is known here")
    return scheme


def _engine_scheme(scheme: str) -> str:
    return scheme.lower() if scheme.lower() in ("file", "image", "web") else _network_scheme(scheme)


def _with_defaults(engines: Mapping[str, Engine]) -> Mapping[str, Engine]:
    # libVLC plays no RTSP as Debian builds it (#981439), and does not say what is wrong with a certificate of rtmps.
    if misplaced := [scheme for scheme, engine in engines.items() if engine == "pillow" and scheme != "image"]:
        raise ValueError(f"pillow shows pictures only: it can be the engine of image, and not of {misplaced[0]}")
    if misplaced := [scheme for scheme, engine in engines.items() if (engine == "chromium") != (scheme == "web")]:
        raise ValueError(f"chromium shows web pages only, and nothing else does: this is wrong of {misplaced[0]}")
    return {"rtsp": "mpv", "rtsps": "mpv", "rtmps": "mpv", "image": "pillow", "web": "chromium", **engines}


def _webhook_secret(secret: str) -> str:
    try:
        key = base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    except binascii.Error:
        key = b""
    if not secret.startswith("whsec_") or not 24 <= len(key) <= 64:
        raise ValueError("is none of the form that Standard Webhooks have")
    return secret


def _each_once(webhooks: tuple[WebhookSettings, ...]) -> tuple[WebhookSettings, ...]:
    if len({webhook.url for webhook in webhooks}) < len(webhooks):
        raise ValueError("one url stands there twice; name all its events in one [[webhook]]")
    if len(webhooks) > WEBHOOKS_LIMIT:
        raise ValueError(f"these are too many, more than {WEBHOOKS_LIMIT}")
    return webhooks


def _as_tables(presets: object) -> object:
    """The presets as tables. A mistake in a preset is reported with the preset; it does not keep the agent from
    starting."""
    presets = [presets] if isinstance(presets, Mapping) else presets
    presets = presets if isinstance(presets, list | tuple) else [{"preset": presets}]
    return [dict(each) if isinstance(each, Mapping) else {"preset": each} for each in presets]


WEBHOOKS_LIMIT: Final = 16
"""Each has a connection and a place in the outbox of its own."""

Engine = Literal["vlc", "mpv", "pillow", "chromium"]
EventName = Literal[
    "agent_started",
    "session_started",
    "first_frame",
    "session_waiting",
    "session_failing",
    "session_resumed",
    "session_ended",
    "events_dropped",
    "outbox_set_aside",
]
"""The kinds of events that webhooks can have, as in `cast_wire.models`."""
EngineScheme = Annotated[str, AfterValidator(_engine_scheme)]
Seconds = Annotated[float, BeforeValidator(no_bool), Field(ge=1, le=120, allow_inf_nan=False)]
Language = Annotated[str, Field(pattern=r"^[a-z]{2,3}$")]
InterfaceName = Annotated[str, Field(pattern=r"^[^/\s\x00]{1,15}$")]  # as the kernel has it (IFNAMSIZ)
Text = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]+$")]


class DeviceSettings(Section):
    """The identity of this box."""

    id: str | None = Field(
        default=None,
        pattern=r"^[A-Za-z0-9._-]{1,64}$",
        description="1 to 64 letters, digits, dots, dashes, underscores",
    )
    name: Annotated[str, AfterValidator(_display_name)] = Field(
        default_factory=lambda: socket.gethostname()[:63] or "cast-agent",
        description="a name for people, 1 to 63 bytes long",
    )


class ApiSettings(Section):
    """The address of the HTTP server, and its callers."""

    host: HostName = Field(default="0.0.0.0", description="an IP address or a host name of this machine")
    port: Port = Field(default=DEFAULT_PORT, description="a whole number from 0 (any free port) to 65535")
    auth: Literal["keys", "none"] = Field(default="keys", description='"keys" or "none"')
    allowed_hosts: tuple[HostName, ...] = Field(default=(), description="a list of host names without http:// and path")


class DisplaySettings(Section):
    """The screen."""

    display: str | None = Field(
        default=None,
        pattern=r"^[0-9A-Za-z._/-]{0,100}:[0-9]{1,5}(\.[0-9]{1,3})?$",
        description='the name of an X display, such as ":0"',
    )
    idle: Literal["black", "card", "desktop"] = Field(default="black", description='"black", "card" or "desktop"')


class AudioSettings(Section):
    """The output of the sound."""

    output: Literal["auto", "pulse", "alsa", "none"] = Field(
        default="auto", description='"auto", "pulse", "alsa" or "none"'
    )
    device: Text | None = Field(default=None, description="the name of a device, as pactl or aplay lists it")
    languages: tuple[Language, ...] = Field(
        default=(), max_length=16, description='a list of ISO 639 codes, the best one first, such as ["de", "en"]'
    )


class PlayerSettings(Section):
    """The players, and the media that they may play."""

    quality: Quality = Field(default=Quality.AUTO, description='"auto", "1080p", "720p" or "low-latency"')
    start_timeout: Seconds = Field(default=15.0, description="seconds, from 1 to 120")
    stall_timeout: Seconds = Field(default=5.0, description="seconds, from 1 to 120")
    media_folders: tuple[AbsolutePath, ...] = Field(default=(), description="a list of absolute paths")
    allowed_schemes: tuple[Annotated[str, AfterValidator(_network_scheme)], ...] = Field(
        default=NETWORK_SCHEMES, description="a list of some of " + ", ".join(NETWORK_SCHEMES)
    )
    output: VideoOutput = Field(default=VideoOutput.AUTO, description='"auto", "gl" or "x11"')
    engines: Annotated[Mapping[EngineScheme, Engine], AfterValidator(_with_defaults)] = Field(
        default_factory=lambda: _with_defaults({}),
        description='a table of schemes, each with "vlc" or "mpv"; image may have "pillow", web has "chromium"',
    )


class StreamSettings(Section):
    """The retries of streams, and the list of recent ones."""

    restore: bool = Field(default=True, description="true or false")
    retry: bool = Field(default=True, description="true or false")
    recent: bool = Field(default=True, description="true or false")


class DiscoverySettings(Section):
    """Settings for finding the box on the LAN."""

    enabled: bool = Field(default=True, description="true or false")
    interfaces: tuple[InterfaceName, ...] = Field(default=(), description='a list of interfaces, such as ["eth0"]')


class CentralSettings(Section):
    """The central API that this box reports to; none: nobody."""

    url: Annotated[str, AfterValidator(check_central_url)] | None = Field(
        default=None, description="an address such as https://central.example.org, or http:// in your own network"
    )
    token: str | None = Field(
        default=None,
        pattern=r"^et_[A-Za-z0-9_-]{43}$",
        repr=False,
        description="an enrolment token as `cast-central enrol` prints it, et_ and 43 characters",
    )
    heartbeat: Annotated[float, BeforeValidator(no_bool)] = Field(
        default=60.0, ge=1, le=3600, allow_inf_nan=False, description="seconds, from 1 to 3600"
    )


class WebhookSettings(Section):
    """A receiver of events by HTTP."""

    url: Annotated[str, AfterValidator(check_webhook_url)] = Field(
        repr=False, description="an address such as http://homeassistant.local:8123/api/webhook/..., or https://"
    )
    secret: Annotated[str, AfterValidator(_webhook_secret)] | None = Field(
        default=None, repr=False, description="whsec_ and 24 to 64 bytes in base64, the same as the receiver has"
    )
    events: Annotated[tuple[EventName, ...], Field(min_length=1)] | None = Field(
        default=None, description="a list of at least one of " + ", ".join(get_args(EventName))
    )


Webhooks = Annotated[tuple[WebhookSettings, ...], AfterValidator(_each_once)]


class PresetSettings(Section):
    """One preset: an id and the fields of a start. Its mistakes are found where presets are used."""

    model_config = ConfigDict(frozen=True, extra="allow")

    # The fields that most presets have; the rest is any other field of a start.
    id: Any = Field(default=None, description="1 to 64 lower-case letters, digits, dashes and underscores")
    title: Any = Field(default=None, description="a text of one line")
    url: Any = Field(default=None, description="an address that can be played")
    duration: Any = Field(default=None, description="seconds, more than 0")
    interrupt: Any = Field(default=None, description="true or false")
    keep_ready: Any = Field(default=None, description="true or false")

    def __repr_args__(self) -> Iterator[tuple[str, object]]:
        yield "id", self.id  # an address may hold a password


Presets = Annotated[tuple[PresetSettings, ...], BeforeValidator(_as_tables)]


class StateSettings(Section):
    """The folder for state that outlives restarts."""

    dir: AbsolutePath | None = Field(default=None, description="an absolute path")

    def directory(self, environ: Mapping[str, str] = os.environ) -> Path:
        """`dir`, or else where systemd or the XDG rules put it. Raises ConfigError when there is no home."""
        if self.dir is not None:
            return self.dir
        try:
            return state_folder("cast-agent", environ)
        except RuntimeError as error:
            raise ConfigError(
                "This user has no home directory to keep state in. Set dir in the section [state] to a "
                "directory that cast-agent may write to, such as /var/lib/cast-agent."
            ) from error

    def runtime_directory(self, environ: Mapping[str, str] = os.environ) -> Path:
        """The folder in memory, where systemd or the XDG rules have such a place; else `directory()`, whose disk may be
        slow."""
        if by_systemd := environ.get("RUNTIME_DIRECTORY"):
            return Path(by_systemd.split(":")[0])
        xdg = Path(environ.get("XDG_RUNTIME_DIR", ""))
        return xdg / "cast-agent" if xdg.is_absolute() else self.directory(environ)


class LogSettings(Section):
    """The level and the format of the log."""

    format: Literal["auto", "json", "console"] = Field(default="auto", description='"auto", "json" or "console"')
    level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description='"debug", "info", "warning" or "error"'
    )
