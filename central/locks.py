"""The order in which units of work lock rows: one list of all features' tables."""

from __future__ import annotations

from typing import Final

from central.core.db.locks import LockOrder

LOCK_ORDER: Final[LockOrder] = {
    "admin_keys": None,
    "page_sessions": None,
    "videos": None,
    "jobs": None,
    "renditions": None,
    "enrolment_tokens": "id",
    "devices": "id",
    "broadcasters": None,
    "stream_keys": "id",
    "claims": "path",
    "streams": "id",
    "events": None,
    "device_boots": None,
    "device_states": None,
    "deleted_videos": None,
    "video_views": "device_id",
}
"""ARCHITECTURE.md says who locks them for what."""
