"""Looks at what the central API knows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tests.central.support.service import Answered, Client


@dataclass
class Admin(Client):
    """Looks at what the central API knows."""

    async def events(self, device_id: str) -> list[dict[str, Any]]:
        """All of a box, in the order in which they came."""
        found: list[dict[str, Any]] = []
        cursor = ""
        while True:
            page = await self("GET", f"/api/v1/devices/{device_id}/events?limit=200{cursor}")
            found += page["items"]
            if page["next_cursor"] is None:
                return found
            cursor = f"&cursor={page['next_cursor']}"

    async def device(self, device_id: str) -> Answered:
        return await self("GET", f"/api/v1/devices/{device_id}")
