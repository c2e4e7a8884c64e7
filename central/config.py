"""The settings of the central API: where they are, and other names for them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from cast_util.settings import Loader
from central.core.errors import ConfigError
from central.core.settings import StateSettings
from central.settings import Settings

ALIASES: Final = {
    "DATABASE_URL": ("database", "url"),
    "API_SECRET": ("api", "secret"),
    "API_PORT": ("api", "port"),
    "REDIS_URL": ("cache", "url"),
    "RABBITMQ_URL": ("broker", "url"),
    "MEDIAMTX_API_URL": ("mediamtx", "api_url"),
    "MEDIAMTX_PUBLIC_URL": ("mediamtx", "public_url"),
    "MEDIAMTX_SECRET": ("mediamtx", "secret"),
}
"""The usual names, which hosting environments set; ours win over them, and both over the file."""

DEPRECATED: Final = {"API_SECRET": ("mediamtx", "secret")}
"""The meaning of names before 0.2: it still holds where nothing else sets that."""

SYSTEM_CONFIG: Final = Path("/etc/cast-central/config.toml")
"""Used under systemd when no file is named."""

SYSTEM_STATE: Final = Path("/var/lib/cast-central")
"""The folder in which systemd has the service keep its state (StateDirectory=cast-central)."""

LOADER: Final = Loader(Settings, program="cast-central", error=ConfigError, aliases=ALIASES, fallbacks=DEPRECATED)


def load_settings(path: Path | None = None, *, environ: Mapping[str, str] = os.environ) -> Settings:
    """The settings from the file at `path` and the environment.

    Without a path SYSTEM_CONFIG is read if systemd started this process and it exists. Raises ConfigError.
    """
    return LOADER.load(path, system=SYSTEM_CONFIG, environ=environ)


def settings_beside(
    path: Path | None = None,
    *,
    environ: Mapping[str, str] = os.environ,
    system_config: Path = SYSTEM_CONFIG,
    system_state: Path = SYSTEM_STATE,
) -> Settings:
    """The settings of the service on this machine, for a command that works on its database.

    Without a path those of the installed service, for those who may read its configuration and write to its state;
    for anybody else those of one that they run themselves. Raises ConfigError.
    """
    installed = path is None and not environ.get("STATE_DIRECTORY")
    settings = load_settings(path or (system_config if os.access(system_config, os.R_OK) else None), environ=environ)
    if installed and settings.state.dir is None and os.access(system_state, os.W_OK):
        return settings.model_copy(update={"state": StateSettings(dir=system_state)})
    return settings
