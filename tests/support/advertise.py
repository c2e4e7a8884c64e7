"""`python -m tests.support.advertise FILE`: the advertiser alone; what `auth` says is what FILE holds."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from agent.config.settings import DiscoverySettings, LogSettings
from agent.discovery.advertiser import Advertiser
from agent.host import log
from agent.types import Auth, DeviceInfo


async def main(file: Path) -> None:
    log.configure(LogSettings(format="json"))
    advertiser = Advertiser(
        device=DeviceInfo("advertised", "Advertised", "1.2.3"),
        settings=DiscoverySettings(),
        auth=lambda: Auth(file.read_text()),
    )
    advertiser.start([("0.0.0.0", 8090)])
    try:
        await asyncio.sleep(60)
    finally:
        await advertiser.stop()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
