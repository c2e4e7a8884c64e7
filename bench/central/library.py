"""The waiting times of callers who ask a large library for its videos and its statistics."""

from __future__ import annotations

import random
from typing import Final

from bench.central.client import request
from bench.central.load import CLIENTS, Request, measured
from bench.central.world import World
from bench.report import Point

VIEWS_EACH: Final = 20
"""The days and boxes of one video within the last 30 days."""

_ID: Final = "01a1fd12-0000-7000-8000-{:012x}"
_FILL: Final = r"""
INSERT INTO videos (id, title, description, tags, words, type, size, sha256, state, duration, width, height,
    video_codec, audio_codec, made_by, created_at, updated_at)
SELECT '01a1fd12-0000-7000-8000-' || lpad(to_hex(n), 12, '0'), 'Film ' || n, md5(n::text), E'\nbench\n',
    'film ' || n || E'\n' || md5(n::text) || E'\nbench\n', 'video/mp4', 1000000 + n, repeat(md5(n::text), 2), 'ready',
    60, 1920, 1080, 'h264', 'aac', 'bench', now(), now() FROM generate_series(1, {videos}) AS n;
CREATE TEMPORARY TABLE boxes AS SELECT id, row_number() OVER () - 1 AS n FROM devices;
INSERT INTO video_views (video_id, day, device_id, views, completed, seconds)
SELECT '01a1fd12-0000-7000-8000-' || lpad(to_hex(1 + (random() * ({videos} - 1))::int), 12, '0'),
    (now() AT TIME ZONE 'UTC')::date - day, boxes.id, 1 + (random() * 3)::int, 1, 30 * random()
FROM generate_series(29, 0, -1) AS day, generate_series(1, {views}) AS view
    JOIN boxes ON boxes.n = view % (SELECT count(*) FROM boxes)
ON CONFLICT DO NOTHING;
"""
_TABLES: Final = ("videos", "video_views")


async def measure(world: World, *, videos: int, seconds: float) -> Point:
    """The list, one video, its address for a box, and the statistics: of random videos, one call after the other."""
    assert world.server is not None
    await world.fill(boxes=CLIENTS, on=0, keys=0)
    world.server.sql(_FILL.format(videos=videos, views=videos * VIEWS_EACH // 30), database="central")
    for table in _TABLES:  # as PostgreSQL does by itself within a minute of so many rows
        world.server.sql(f"VACUUM ANALYZE {table}", database="central")
    listed = request("GET", "/api/v1/videos?limit=50", token=world.admin_key)
    analytics = request("GET", "/api/v1/analytics", token=world.admin_key)

    def of_one(path: str = "") -> Request:
        def next_request(_: int) -> bytes:
            return request("GET", f"/api/v1/videos/{_some(videos)}{path}", token=world.admin_key)

        return next_request

    def source(number: int) -> bytes:
        return request("GET", f"/api/v1/videos/{_some(videos)}/source", token=world.boxes[number][1])

    calls: dict[str, Request] = {
        "GET /videos": lambda _: listed,
        "GET /videos/{id}": of_one(),
        "GET /videos/{id}/source": source,
        "GET /videos/{id}/stats": of_one("/stats"),
        "GET /analytics": lambda _: analytics,
    }
    return await measured(world, "library", calls, without_bar=("GET /analytics",), seconds=seconds)


def _some(videos: int) -> str:
    return _ID.format(random.randint(1, videos))
