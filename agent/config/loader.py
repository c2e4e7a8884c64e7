"""The settings of the agent: where they are, and all sections of them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from pydantic import Field

from agent.config.faces import DlnaSettings, EspHomeSettings
from agent.config.library import LibrarySettings
from agent.config.logins import LOGINS_LIMIT, Logins
from agent.config.settings import (
    WEBHOOKS_LIMIT,
    ApiSettings,
    AudioSettings,
    CentralSettings,
    DeviceSettings,
    DiscoverySettings,
    DisplaySettings,
    LogSettings,
    PlayerSettings,
    Presets,
    StateSettings,
    StreamSettings,
    Webhooks,
)
from agent.config.web import WebSettings
from agent.errors import ConfigError
from cast_util.settings import Loader, Sections

KEY_VARIABLE = "CAST_AGENT_KEY"
"""An environment variable that is no setting: the key with which the commands call an agent."""

SYSTEM_CONFIG = Path("/etc/cast-agent/config.toml")
"""Used under systemd when no file is named."""

SYSTEM_STATE = Path("/var/lib/cast-agent")
"""The state directory that systemd gives the service."""


class Settings(Sections):
    """All settings."""

    device: DeviceSettings = Field(default_factory=DeviceSettings)
    api: ApiSettings = Field(default_factory=ApiSettings)
    display: DisplaySettings = Field(default_factory=DisplaySettings)
    audio: AudioSettings = Field(default_factory=AudioSettings)
    player: PlayerSettings = Field(default_factory=PlayerSettings)
    web: WebSettings = Field(default_factory=WebSettings)
    stream: StreamSettings = Field(default_factory=StreamSettings)
    discovery: DiscoverySettings = Field(default_factory=DiscoverySettings)
    esphome: EspHomeSettings = Field(default_factory=EspHomeSettings)
    dlna: DlnaSettings = Field(default_factory=DlnaSettings)
    central: CentralSettings = Field(default_factory=CentralSettings)
    library: LibrarySettings = Field(default_factory=LibrarySettings)
    webhook: Webhooks = Field(
        default=(),
        description=f"up to {WEBHOOKS_LIMIT} tables, each with url, secret and events",
        examples=['[{"url": "http://192.168.1.9/"}]'],
    )
    login: Logins = Field(
        default=(),
        description=f"up to {LOGINS_LIMIT} tables, each with origin, kind, and secret or secret_file",
        examples=['[{"origin": "http://panel.lan", "kind": "header", "secret_file": "/etc/cast-agent/panel-token"}]'],
    )
    preset: Presets = Field(
        default=(),
        description="tables, each with id and the fields of a start",
        examples=['[{"id": "front-door", "url": "rtsp://camera.local/1"}]'],
    )
    state: StateSettings = Field(default_factory=StateSettings)
    log: LogSettings = Field(default_factory=LogSettings)


LOADER: Final = Loader(Settings, program="cast-agent", error=ConfigError, reserved=frozenset({KEY_VARIABLE}))


def load_settings(path: Path | None = None, *, system_config: Path = SYSTEM_CONFIG) -> Settings:
    """The settings from the file at `path` and the environment.

    Without a path `system_config` is read if systemd started this process and it exists. Raises ConfigError.
    """
    return LOADER.load(path, system=system_config, environ=os.environ)


def installed_config() -> Path | None:
    """The file of the agent that is installed on this machine, for commands that are about it; None where there is none
    or where this user may not read it."""
    return SYSTEM_CONFIG if os.access(SYSTEM_CONFIG, os.R_OK) else None


def admins_folder(path: Path | None = None) -> Path | None:
    """The folder for the key of this machine's administrators; None for an agent with another configuration, and for
    users other than root or without write access to it."""
    folder = SYSTEM_CONFIG.parent
    return folder if path in (None, SYSTEM_CONFIG) and os.geteuid() == 0 and folder.is_dir() else None


def settings_beside(path: Path | None = None) -> Settings:
    """The settings of the agent on this machine, for a command that works on its state, with `state.dir` filled in.

    Without a path that is the installed agent, for those who may write to its state; for anybody else one that they
    run themselves. Raises ConfigError.
    """
    installed = path is None and not os.environ.get("STATE_DIRECTORY")
    settings = load_settings(path or installed_config())
    folder = settings.state.dir
    if folder is None:
        folder = SYSTEM_STATE if installed and os.access(SYSTEM_STATE, os.W_OK) else settings.state.directory()
    return settings.model_copy(update={"state": StateSettings(dir=folder)})
