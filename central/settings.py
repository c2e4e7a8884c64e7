"""All sections of the configuration. Each feature brings its own."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

from pydantic import Field

from cast_util.settings import Sections
from central.core.errors import ConfigError
from central.core.settings import (
    ApiSettings,
    BrokerSettings,
    CacheSettings,
    DatabaseSettings,
    LogSettings,
    RetentionSettings,
    StateSettings,
)
from central.devices.settings import DeviceSettings
from central.library.settings import LibrarySettings, S3Settings
from central.media.settings import MediaMtxSettings


class Settings(Sections):
    """All settings."""

    api: ApiSettings = Field(default_factory=ApiSettings)
    database: DatabaseSettings = Field(default_factory=DatabaseSettings)
    cache: CacheSettings = Field(default_factory=CacheSettings)
    broker: BrokerSettings = Field(default_factory=BrokerSettings)
    state: StateSettings = Field(default_factory=StateSettings)
    mediamtx: MediaMtxSettings = Field(default_factory=MediaMtxSettings)
    devices: DeviceSettings = Field(default_factory=DeviceSettings)
    library: LibrarySettings = Field(default_factory=LibrarySettings)
    s3: S3Settings = Field(default_factory=S3Settings)
    retention: RetentionSettings = Field(default_factory=RetentionSettings)
    log: LogSettings = Field(default_factory=LogSettings)

    def library_folder(self) -> Path | None:
        """The configured one, or one in the state directory; None where this user has neither."""
        if self.library.dir is not None:
            return self.library.dir
        try:
            return self.state.directory() / "library"
        except ConfigError:
            return None

    def videos_folder(self) -> Path | None:
        """The same, if the bytes of videos are there; None where a bucket has them."""
        return self.library_folder() if self.s3.bucket is None else None

    def page_origins(self) -> tuple[str, ...]:
        """The origins that the page calls beside its own: uploads go straight to a bucket."""
        if self.s3.bucket is None:
            return ()
        if address := self.s3.public_url or self.s3.url:
            parts = urlsplit(address)
            return (f"{parts.scheme}://{parts.netloc}",)
        return ("https://s3.amazonaws.com", f"https://s3.{self.s3.region}.amazonaws.com")

    def database_url(self) -> str:
        """The URL of the configured database, or of the SQLite file in the state directory."""
        return self.database.url or f"sqlite+aiosqlite:///{self.state.directory() / 'central.db'}"
